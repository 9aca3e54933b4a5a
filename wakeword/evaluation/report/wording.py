"""Sentences on results, and the text table of the terminal."""

from __future__ import annotations

from wakeword.evaluation.report.cascade import stage_lines
from wakeword.evaluation.report.shares import fired_share
from wakeword.evaluation.results import (
    CalibrationResult,
    EvaluationReport,
    SplitResult,
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


def capitalised(sentence: str) -> str:
    """The sentence with its first letter capitalised."""
    return sentence[:1].upper() + sentence[1:]


def headline(word: WordResult, confidence: float) -> str:
    """One sentence on the test results of a word at its operating point."""
    target = word.operating
    if target.test is None:
        return f"“{word.phrase or word.label}” was not tested: the prepared data holds no test clips for it."
    return f"“{word.phrase or word.label}” {_misses(target.test)}; {_alarms(target.test.alarms, confidence)}."


def _misses(split: SplitResult) -> str:
    clean = split.condition("clean")
    if clean is None:
        return "has no test clips with known word times, so there is no miss rate"
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
        return "there is no negative audio, so there is no false-alarm rate"
    count = f"{rate.false_alarms} false alarm{'' if rate.false_alarms == 1 else 's'}"
    most = f"at most {number(rate.high)} per hour ({whole(confidence)})"
    return f"{count} in {number(rate.hours)} h of negative audio, that is {most}"


def banners(report: EvaluationReport) -> list[str]:
    """A warning for each group of words whose test has synthetic words or synthetic negatives only."""
    named: dict[tuple[str, ...], list[str]] = {}
    for word in report.words:
        if word.synthetic_only:
            named.setdefault(word.synthetic_only, []).append(f"“{word.phrase or word.label}”")
    meaning = {
        "words": "misses of people are not measured",
        "negatives": "false alarms on real speech, music and noise are not measured",
    }
    return [
        f"Synthetic only: the {' and '.join(kinds)} that tested {', '.join(words)} were made by a computer; "
        f"{' and '.join(meaning[kind] for kind in kinds)}."
        for kinds, words in named.items()
    ]


def calibration(found: CalibrationResult) -> str:
    """The probability map with its calibration error on test, or the reason why there is none."""
    fitted, before, after = found.probability_map, found.test_before, found.test_after
    if fitted is None:
        return found.reason
    error = "test has no clips"
    if before and after:
        error = f"calibration error on test {percent(before.ece)} without the map, {percent(after.ece)} with it"
    return f"probability = sigmoid({fitted.slope:.3g} * logit(score) {fitted.offset:+.3g}), {found.reason}: {error}"


def conditions_of(report: EvaluationReport) -> list[str]:
    """Conditions of the test words, in their order."""
    tests = [target.test for word in report.words for target in word.targets if target.test]
    return list(dict.fromkeys(result.condition for test in tests for result in test.conditions))


def table_rows(report: EvaluationReport) -> tuple[list[str], list[list[str]]]:
    """Header and a row per word and target: threshold, FAH, FRR per condition, clean FRR at the oracle threshold.

    Targets with equal results share a row. ` *` marks the operating point.
    """
    conditions = conditions_of(report)
    header = [
        "word",
        "state",
        "FAH target",
        "threshold",
        "FAH on test",
        *(f"FRR {name}" for name in conditions),
        "oracle clean",
    ]
    rows: list[list[str]] = []
    for word in report.words:
        for target in word.targets:
            mark = " *" if target.fah_target == word.operating_fah else ""
            threshold = f"{target.threshold:.3f}" if target.reached else f"{target.threshold:.3f} (not reached)"
            cells = [word.label, target.state, f"{target.fah_target:g}{mark}", threshold]
            cells.append(rate_with_interval(target.test.alarms) if target.test else "no test split")
            for name in conditions:
                result = target.test.condition(name) if target.test else None
                cells.append(share_with_interval(result.frr, result.wilson) if result else "no words")
            clean = target.oracle.frr.get("clean") if target.oracle else None
            cells.append("-" if clean is None else percent(clean))
            if rows and [*rows[-1][:2], *rows[-1][3:]] == [*cells[:2], *cells[3:]]:
                cells[2] = f"{rows.pop()[2]}, {cells[2]}"
            rows.append(cells)
    return header, rows


def text_table(report: EvaluationReport) -> str:
    """The table, verdicts and notes as plain text."""
    header, rows = table_rows(report)
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    ]
    lines.insert(1, "-" * len(lines[0]))
    lines.append(
        f"* operating point; intervals {whole(report.confidence)}; thresholds chosen on val, results from test"
    )
    lines += banners(report)
    for word in report.words:
        lines.append(headline(word, report.confidence))
        clip = word.clip_level
        if clip:
            lines.append(f"  clip level: EER {percent(clip.eer)}, pAUC {clip.pauc:.3f}, ROC AUC {clip.roc_auc:.3f}")
        test = word.operating.test
        clean, near = (test.condition("clean"), test.near_misses) if test else (None, None)
        if clean and clean.latency_p50_s is not None and clean.latency_p95_s is not None:
            p50, p95 = seconds(clean.latency_p50_s), seconds(clean.latency_p95_s)
            lines.append(f"  latency after the word: p50 {p50} s, p95 {p95} s")
        if near:
            shares = ", ".join(f"{name} away {fired_share(part)}" for name, part in near.by_distance.items())
            own = f"; the phrase by the same speakers {fired_share(near.own_phrase)}" if near.own_phrase else ""
            lines.append(f"  near misses that fire, by phonemes: {shares}{own}")
        if word.cascade:
            lines += stage_lines(word, word.cascade)
        lines.append(f"  {calibration(word.calibration)}")
        lines += [f"  worse than the rest: {part.sentence}" for part in word.slices.worse]
        lines.append(f"  {word.reason}")
    lines += [f"note: {note}" for note in report.notes]
    return "\n".join(lines)
