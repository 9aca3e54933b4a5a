"""Figures as people read them: sentences, and the text table of the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from wakeword.evaluation.results import (
    CalibrationResult,
    EvaluationReport,
    FiredShare,
    SplitResult,
    TargetResult,
    WordResult,
)
from wakeword.evaluation.statistics.numbers import (
    number,
    percent,
    rate_with_interval,
    seconds,
    share_with_interval,
    whole,
)
from wakeword.evaluation.statistics.records import Rate


def away(distance: str) -> str:
    """`1 phoneme away`, `4 or more phonemes away`, `at an unknown distance`."""
    if distance == "unknown":
        return "at an unknown distance"
    return f"{distance} phoneme{'' if distance == '1' else 's'} away"


def fired_share(part: FiredShare) -> str:
    """`12 % of 60 (5.8-22.6)`."""
    low, high = (f"{100 * bound:.1f}" for bound in part.wilson)
    return f"{percent(part.share)} of {part.clips} ({low}-{high})"


def capitalised(sentence: str) -> str:
    """The sentence with a capital letter first; the rest stays as it is."""
    return sentence[:1].upper() + sentence[1:]


def headline(word: WordResult, confidence: float) -> str:
    """One sentence on a word at its operating point, on test."""
    target = word.operating
    if target.test is None:
        return f"“{word.phrase or word.label}” was not tested: the prepared data holds no test clips for it."
    return f"“{word.phrase or word.label}” {_misses(target.test)}; {_alarms(target.test.alarms, confidence)}."


def _misses(split: SplitResult) -> str:
    clean = split.condition("clean")
    if clean is None:
        return "has no test clips with a known place of the word, so no miss rate is given"
    if clean.missed == 0:
        share = f"misses none of {clean.words} clean test words (at most {percent(clean.wilson[1])})"
    elif clean.missed == clean.words:
        share = f"misses all of {clean.words} clean test words"
    else:
        in_hundred = max(1, round(100 * clean.frr))
        share = f"misses {in_hundred} in 100 clean test words ({clean.missed} of {clean.words})"
    noisy = split.condition("10 dB")
    return share if noisy is None else f"{share} and {percent(noisy.frr)} in noise at 10 dB"


def _alarms(rate: Rate, confidence: float) -> str:
    if rate.high is None:
        return "there is no other audio to count false alarms in, so no rate is given"
    count = f"{rate.false_alarms} false alarm{'' if rate.false_alarms == 1 else 's'}"
    most = f"at most {number(rate.high)} per hour ({whole(confidence)})"
    return f"{count} in {number(rate.hours)} h of other audio, so {most}"


def evidence(target: TargetResult, confidence: float) -> str:
    """Whether the hours of test audio could show the target at all."""
    rate = target.test.alarms if target.test else None
    if rate is None or rate.fah is None:
        return f"{target.fah_target:g} per hour cannot be tested without negatives"
    needed = f"{number(target.hours_needed)} h without a false alarm show {target.fah_target:g} per hour"
    if rate.hours >= target.hours_needed:
        return f"{needed} ({whole(confidence)}); there are {number(rate.hours)} h"
    return f"{needed} ({whole(confidence)}); there are only {number(rate.hours)} h, so the target is not proven"


def calibration(found: CalibrationResult) -> str:
    """The probability map with its calibration error on test, or why there is none."""
    fitted, before, after = found.probability_map, found.test_before, found.test_after
    if fitted is None:
        return found.reason
    error = "test holds no clips"
    if before and after:
        error = f"calibration error on test {percent(before.ece)} before, {percent(after.ece)} after"
    return f"probability = sigmoid({fitted.slope:.3g} * logit(score) {fitted.offset:+.3g}), {found.reason}: {error}"


def conditions_of(report: EvaluationReport) -> list[str]:
    """Conditions that any word was tested in, in their order."""
    names: list[str] = []
    for word in report.words:
        for target in word.targets:
            names += [c.condition for c in (target.test.conditions if target.test else ()) if c.condition not in names]
    return names


def table_rows(report: EvaluationReport) -> tuple[list[str], list[list[str]]]:
    """Header and a row per word and target: threshold, FAH, FRR per condition, clean FRR at the oracle threshold.

    Targets that come to the same in every figure (val is too short to part them) share a row. ` *` marks the operating
    point.
    """
    conditions = conditions_of(report)
    header = ["word", "FAH target", "threshold", "FAH on test", *(f"FRR {name}" for name in conditions), "oracle clean"]
    rows: list[list[str]] = []
    for word in report.words:
        for target in word.targets:
            mark = " *" if target.fah_target == word.operating_fah else ""
            threshold = f"{target.threshold:.3f}" if target.reached else f"{target.threshold:.3f} (not reached)"
            cells = [word.label, f"{target.fah_target:g}{mark}", threshold]
            cells.append(rate_with_interval(target.test.alarms) if target.test else "no test split")
            for name in conditions:
                result = target.test.condition(name) if target.test else None
                cells.append(share_with_interval(result.frr, result.wilson) if result else "no words")
            clean = target.oracle.frr.get("clean") if target.oracle else None
            cells.append("-" if clean is None else percent(clean))
            if rows and [rows[-1][0], *rows[-1][2:]] == [cells[0], *cells[2:]]:
                cells[1] = f"{rows.pop()[1]}, {cells[1]}"
            rows.append(cells)
    return header, rows


def text_table(report: EvaluationReport) -> str:
    """The table, verdicts and notes as plain text."""
    header, rows = table_rows(report)
    lines = _aligned([header, *rows])
    lines.insert(1, "-" * len(lines[0]))
    lines.append(
        f"* operating point; intervals {whole(report.confidence)}; thresholds chosen on val, figures from test"
    )
    for word in report.words:
        lines.append(headline(word, report.confidence))
        clip = word.clip_level
        if clip:
            lines.append(f"  clip level: EER {percent(clip.eer)}, pAUC {clip.pauc:.3f}, ROC AUC {clip.roc_auc:.3f}")
        late = word.operating.test.condition("clean") if word.operating.test else None
        if late and late.latency_p50_s is not None and late.latency_p95_s is not None:
            lines.append(
                f"  latency after the word: p50 {seconds(late.latency_p50_s)} s, p95 {seconds(late.latency_p95_s)} s"
            )
        near = word.operating.test.near_misses if word.operating.test else None
        if near:
            shares = ", ".join(f"{name} away {fired_share(part)}" for name, part in near.by_distance.items())
            own = f"; the same voices' own phrase {fired_share(near.own_phrase)}" if near.own_phrase else ""
            lines.append(f"  near misses that fire, by phonemes: {shares}{own}")
        lines.append(f"  {calibration(word.calibration)}")
        lines += [f"  worse than the rest: {part.sentence}" for part in word.slices.worse]
        lines.append(f"  {word.reason}; {evidence(word.operating, report.confidence)}")
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
