"""Values of the report's sections on one word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wakeword.evaluation.cascade.store import TriggerStore
from wakeword.evaluation.report import cascade, example_views, figures, wording
from wakeword.evaluation.report.det import PUBLISHED_NOTE, det_figure, timeline_figure
from wakeword.evaluation.report.reliability import reliability_figure
from wakeword.evaluation.report.shares import away, fired_share
from wakeword.evaluation.report.tail import tail_figure
from wakeword.evaluation.results import EvaluationReport, TargetResult, WordResult
from wakeword.evaluation.scoring.store import ScoreStore
from wakeword.evaluation.slices.figures import alarms_figure, slices_figure
from wakeword.evaluation.statistics import numbers


def word_values(
    word: WordResult,
    report: EvaluationReport,
    folder: Path,
    store: ScoreStore | None,
    triggers: TriggerStore | None = None,
) -> dict[str, Any]:
    """Texts, rows and figures for `evaluation_word.html.j2`; `folder` holds the audio of the examples."""
    target, slices = word.operating, word.slices
    return {
        "name": word.phrase or word.label,
        "det": det_figure(word, report.confidence),
        "tail": tail_figure(word),
        "histogram": figures.histogram_figure(word),
        "published": PUBLISHED_NOTE,
        "ranking": _ranking(word),
        "threshold": f"Threshold {target.threshold:.3f}: {target.reason}.",
        "cascade": _cascade(word),
        "conditions": _condition_rows(target),
        "alarms": _alarm_rows(target),
        "timeline": timeline_figure(word, report.confidence),
        "near_misses": _near_misses(word),
        "slices": {
            "summary": [f"{wording.capitalised(sentence)}." for sentence in slices.summary],
            "words": slices_figure(slices),
            "alarms": alarms_figure(slices),
        },
        "speakers": _speakers(word),
        "calibration": _calibration(word),
        "examples": example_views.example_views(word, folder, store, report.detector, triggers),
        "examples_about": example_views.summary(word),
    }


def _ranking(word: WordResult) -> str:
    clip = word.clip_level
    if clip is None:
        return "Clip level: no result, because test has no clips of the word or no other speech."
    return (
        f"Clip level ({clip.positives} clips of the word, {clip.negatives} of other speech): EER "
        f"{numbers.percent(clip.eer)}, partial AUC (FPR up to 0.1) {clip.pauc:.3f}, ROC AUC {clip.roc_auc:.3f}."
    )


def _cascade(word: WordResult) -> dict[str, Any] | None:
    """The stages of a bundle with a verifier; None without one."""
    if word.cascade is None:
        return None
    columns, rows = cascade.stage_table(word, word.cascade)
    about = f"{cascade.legend(word.cascade)} {cascade.cost(word.cascade)}"
    return {"columns": columns, "rows": rows, "marked": [len(rows) - 1], "about": about}


def _condition_rows(target: TargetResult) -> list[list[str]]:
    rows = []
    for result in target.test.conditions if target.test else ():
        spread = "no interval"
        if result.bootstrap is not None:
            spread = f"{100 * result.bootstrap[0]:.1f}-{100 * result.bootstrap[1]:.1f} %"
        latency = "-"
        if result.latency_p50_s is not None and result.latency_p95_s is not None:
            latency = f"{numbers.seconds(result.latency_p50_s)} / {numbers.seconds(result.latency_p95_s)} s"
        share = numbers.share_with_interval(result.frr, result.wilson)
        counts = [f"{result.missed} of {result.words}", str(result.speakers), share]
        rows.append([result.condition, *counts, spread, latency, str(result.duplicates), str(result.false_alarms)])
    return rows


def _alarm_rows(target: TargetResult) -> list[list[str]]:
    rows = []
    for split, result in (("val", target.val), ("test", target.test)):
        for kind, rate in result.by_kind.items() if result else ():
            rows.append([split, kind, str(rate.false_alarms), numbers.rate_with_interval(rate)])
        if result and result.near_misses:
            near = result.near_misses
            rows.append([split, "near misses (outside FAH)", str(near.fired), fired_share(near)])
    return rows


def _near_misses(word: WordResult) -> dict[str, Any] | None:
    """Near misses that fire, by distance, and the phrase by the same speakers; None without near misses."""
    near = word.operating.test.near_misses if word.operating.test else None
    if near is None:
        return None
    rows = [[away(name), fired_share(part)] for name, part in near.by_distance.items()]
    about = "No speaker speaks both the phrase and a near miss, so the two cannot be compared."
    if near.own_phrase is not None:
        own = f"the phrase itself, by the same {near.shared_speakers} speakers"
        rows.append([own, fired_share(near.own_phrase)])
        about = "Voices of the training data score higher than other speakers, and so do their near misses."
    return {"rows": rows, "about": about, "figure": figures.near_miss_figure(word)}


def _speakers(word: WordResult) -> dict[str, Any] | None:
    """The speakers with the most misses; None without misses."""
    spread = word.slices.speakers
    if spread is None or not spread.worst:
        return None
    rows = [
        [part.speaker, f"{part.missed} of {part.words}", f"{100 * part.wilson[0]:.0f}-{100 * part.wilson[1]:.0f} %"]
        for part in spread.worst
    ]
    about = (
        f"{spread.without_miss} of {spread.speakers} speakers have no missed word; {spread.holding_half} have half of "
        f"all misses (conditions: {', '.join(word.slices.conditions)})."
    )
    return {"rows": rows, "about": about}


def _calibration(word: WordResult) -> dict[str, Any]:
    """The probability map, and the calibration of scores and probabilities on test."""
    found = word.calibration
    rows = [
        [name, numbers.percent(part.ece), f"{part.brier:.4f}", f"{part.log_loss:.4f}"]
        for name, part in (("raw score", found.test_before), ("probability", found.test_after))
        if part is not None
    ]
    about = f"{wording.capitalised(wording.calibration(found))}."
    return {"about": about, "rows": rows, "figure": reliability_figure(found.test_before, found.test_after)}
