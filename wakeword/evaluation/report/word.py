"""The report's section on one word."""

from __future__ import annotations

import html

from wakeword.evaluation.report import figures, wording
from wakeword.evaluation.report.det import PUBLISHED_NOTE, det_figure, timeline_figure
from wakeword.evaluation.report.reliability import reliability_figure
from wakeword.evaluation.results import EvaluationReport, TargetResult, WordResult
from wakeword.evaluation.slices.figures import alarms_figure, slices_figure
from wakeword.system.html_page import plot, section, table


def word_section(word: WordResult, report: EvaluationReport) -> str:
    target = word.operating
    clip = word.clip_level
    ranking = "Clip level: not given, test lacks clips of the word or other speech."
    if clip:
        ranking = (
            f"Clip level ({clip.positives} clips of the word, {clip.negatives} of other speech): EER "
            f"{wording.percent(clip.eer)}, partial AUC (FPR up to 0.1) {clip.pauc:.3f}, ROC AUC {clip.roc_auc:.3f}."
        )
    parts = [
        '<div class="two"><div><h3>Misses against false alarms</h3>',
        plot(det_figure(word, report.confidence), "test lacks words or negatives"),
        "</div><div><h3>Scores</h3>",
        plot(figures.histogram_figure(word), "no clips were scored"),
        "</div></div>",
        f'<p class="note">Shaded: {wording.whole(report.confidence)} interval of clean. {PUBLISHED_NOTE}</p>',
        f'<p class="note">{html.escape(ranking)} Threshold {target.threshold:.3f}: {html.escape(target.reason)}.</p>',
        _condition_table(target),
        _alarm_table(target),
        plot(timeline_figure(word, report.confidence), "there is no audio to count false alarms in"),
        *_near_misses(word),
        *_slices(word),
        *_calibration(word),
    ]
    return section(f"“{word.phrase or word.label}”", "".join(parts))


def _condition_table(target: TargetResult) -> str:
    rows = []
    for result in target.test.conditions if target.test else ():
        spread = "says nothing here"
        if result.bootstrap is not None:
            spread = f"{100 * result.bootstrap[0]:.1f}-{100 * result.bootstrap[1]:.1f} %"
        late = "-"
        if result.latency_p50_s is not None and result.latency_p95_s is not None:
            late = f"{wording.seconds(result.latency_p50_s)} / {wording.seconds(result.latency_p95_s)} s"
        counts = [f"{result.missed} of {result.words}", str(result.speakers), wording.share_with_interval(result)]
        rows.append([result.condition, *counts, spread, late, str(result.duplicates), str(result.false_alarms)])
    header = ["condition", "missed", "speakers", "FRR (Wilson)", "by speaker (bootstrap)", "latency p50 / p95"]
    return "<h3>Words at the operating point</h3>" + table([*header, "twice", "false alarms beside"], rows)


def _alarm_table(target: TargetResult) -> str:
    rows = []
    for split, result in (("val", target.val), ("test", target.test)):
        for kind, rate in result.by_kind.items() if result else ():
            rows.append([split, kind, str(rate.false_alarms), wording.rate_with_interval(rate)])
        if result and result.near_misses:
            near = result.near_misses
            rows.append([split, "near misses (outside FAH)", str(near.fired), wording.fired_share(near)])
    return "<h3>False alarms by kind of audio</h3>" + table(["split", "audio", "count", "per hour"], rows)


def _near_misses(word: WordResult) -> list[str]:
    """Which near misses fire, by distance, beside the same voices' own phrase; nothing where there are none."""
    near = word.operating.test.near_misses if word.operating.test else None
    if near is None:
        return []
    rows = [[wording.away(name), wording.fired_share(part)] for name, part in near.by_distance.items()]
    if near.own_phrase is None:
        told = "No voice says both: the phrase itself cannot be set beside them."
    else:
        rows.append(
            [f"the phrase itself, by the same {near.shared_speakers} voices", wording.fired_share(near.own_phrase)]
        )
        told = "A voice that training heard scores higher than people do, and so do its near misses."
    return [
        "<h3>Phrases that only resemble it (test, outside FRR and FAH)</h3>",
        table(["clips", "fire"], rows),
        f'<p class="note">{html.escape(told)}</p>',
        plot(figures.near_miss_figure(word), "test lacks clean words"),
    ]


def _slices(word: WordResult) -> list[str]:
    """Whom and where it fails: slices of words and of other audio, the worst speakers, what is surely worse."""
    report = word.slices
    parts = ["<h3>Slices of the test words and of the other audio</h3>"]
    parts += [f'<p class="note">{html.escape(sentence[0].upper() + sentence[1:])}.</p>' for sentence in report.summary]
    parts.append(plot(slices_figure(report), "test lacks words"))
    parts.append(plot(alarms_figure(report), "test lacks negatives"))
    spread = report.speakers
    if spread is not None and spread.worst:
        rows = [
            [part.speaker, f"{part.missed} of {part.words}", f"{100 * part.wilson[0]:.0f}-{100 * part.wilson[1]:.0f} %"]
            for part in spread.worst
        ]
        told = (
            f"{spread.without_miss} of {spread.speakers} speakers have no word missed; half of all misses are those of "
            f"{spread.holding_half} ({', '.join(report.conditions)})."
        )
        parts += [f'<p class="note">{html.escape(told)}</p>', table(["speaker", "missed", "FRR (Wilson)"], rows)]
    return parts


def _calibration(word: WordResult) -> list[str]:
    """The probability map, and how well scores and probabilities hold on test."""
    found = word.calibration
    rows = [
        [name, f"{wording.percent(part.ece)}", f"{part.brier:.4f}", f"{part.log_loss:.4f}"]
        for name, part in (("score as it is", found.test_before), ("probability", found.test_after))
        if part is not None
    ]
    told = wording.calibration(found)
    return [
        "<h3>Probability of a detection</h3>",
        f'<p class="note">{html.escape(told[0].upper() + told[1:])}.</p>',
        table(["on test", "calibration error", "Brier score", "log loss (nats)"], rows) if rows else "",
        plot(reliability_figure(found.test_before, found.test_after), "test lacks clips"),
    ]
