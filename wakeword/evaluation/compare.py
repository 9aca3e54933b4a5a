"""Paired comparison of two models on the same tracks, each at its own operating point.

Sources: the exact test of Q. McNemar 1947 on the words that only one model misses; the conditional test of two Poisson
counts over the same hours, J. Przyborowski and H. Wilenski 1940; the cluster bootstrap of A. C. Davison and D. V.
Hinkley 1997, section 3.8, over speakers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike
from scipy import stats

from wakeword.errors import DataError
from wakeword.evaluation.metrics.outcomes import OUTCOMES_NAME
from wakeword.evaluation.results import EvaluationReport, WordResult
from wakeword.evaluation.statistics.intervals import bootstrap_mean
from wakeword.evaluation.statistics.records import Record


class MissComparison(Record):
    """Misses of both models on the words of one condition."""

    condition: str
    words: int
    missed_a: int
    missed_b: int
    only_a_missed: int
    only_b_missed: int
    p_value: float
    """McNemar's exact test, two-sided."""
    difference: float
    """FRR of B minus FRR of A."""
    interval: tuple[float, float] | None
    """Of the difference, over speakers; None with one speaker or without words that only one model misses."""


class AlarmComparison(Record):
    """False alarms over the same hours of test audio."""

    hours: float
    false_alarms_a: int
    false_alarms_b: int
    p_value: float
    """Exact conditional test, two-sided."""


class WordComparison(Record):
    """One word: the differences and the verdict."""

    label: str
    conditions: tuple[MissComparison, ...]
    alarms: AlarmComparison | None
    better: Literal["yes", "no", "cannot tell"]
    """Whether B is better than A."""
    verdict: str


class Comparison(Record):
    """Model B against model A."""

    a: str
    b: str
    confidence: float
    words: tuple[WordComparison, ...]

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Header and rows: one per word and condition, and one per word for its false alarms."""
        header = ("word", "condition", "missed A / B", "only A / B", "B - A, points", "interval", "p")
        rows: list[tuple[str, ...]] = []
        for word in self.words:
            for c in word.conditions:
                spread = "-" if c.interval is None else f"{100 * c.interval[0]:+.1f} to {100 * c.interval[1]:+.1f}"
                missed = f"{c.missed_a} / {c.missed_b} of {c.words}"
                only = f"{c.only_a_missed} / {c.only_b_missed}"
                change = f"{100 * c.difference:+.1f}"
                rows.append((word.label, c.condition, missed, only, change, spread, f"{c.p_value:.3g}"))
            if word.alarms is not None:
                alarms = f"{word.alarms.false_alarms_a} / {word.alarms.false_alarms_b}"
                hours = f"false alarms in {word.alarms.hours:.2f} h"
                rows.append((word.label, hours, alarms, "-", "-", "-", f"{word.alarms.p_value:.3g}"))
        return header, rows


def compare(a: str | Path, b: str | Path) -> Comparison:
    """Compare two evaluation folders of the same tracks, A (the old model) and B, each at its own operating point.

    The verdict on a word uses the clean words and the false alarms: B is better if one of them is significantly better
    and the other is not significantly worse. Each test has half of the significance level `1 - confidence`. The speaker
    bootstrap must agree with McNemar's test, which treats words as independent. Other conditions repeat the same clips
    and do not affect the verdict.

    Raises DataError when a folder lacks an evaluation, when the tracks, hit windows or operating targets differ, or
    when the models have no word in common.
    """
    folders = Path(a), Path(b)
    reports = [EvaluationReport.load(folder / "report.json") for folder in folders]
    tables = [_read(folder / OUTCOMES_NAME) for folder in folders]
    truths = [_read(folder / "truth.parquet").replace_schema_metadata(None) for folder in folders]
    if not truths[0].equals(truths[1]):
        raise DataError(
            f"{a} and {b} were evaluated on different tracks: evaluate both bundles on the same prepared data with the"
            " same `evaluation` settings"
        )
    for name in ("hit_before_s", "hit_after_s", "operating_fah"):
        values = [report.evaluation_config.get(name) for report in reports]
        if values[0] != values[1]:
            raise DataError(
                f"{a} has evaluation.{name} {values[0]}, {b} has {values[1]}: evaluate both with the same value"
            )
    pairs = [(one, two) for one in reports[0].words for two in reports[1].words if one.label == two.label]
    if not pairs:
        raise DataError(f"{a} and {b} have no word in common")
    confidence = reports[0].confidence
    return Comparison(
        a=reports[0].provenance.get("bundle", str(a)),
        b=reports[1].provenance.get("bundle", str(b)),
        confidence=confidence,
        words=tuple(_word(one, two, tables, confidence) for one, two in pairs),
    )


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: run `wakeword evaluate` into this folder first") from error
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} is damaged ({error}): run `wakeword evaluate` again") from error


def _word(a: WordResult, b: WordResult, tables: Sequence[pa.Table], confidence: float) -> WordComparison:
    hits: dict[str, list[tuple[bool, bool, str]]] = {}
    rows = [[row for row in table.to_pylist() if row["word"] == a.label] for table in tables]
    for one, two in zip(*rows, strict=True):
        hits.setdefault(one["condition"], []).append((not one["hit"], not two["hit"], one["speaker"]))
    conditions = []
    for name, members in hits.items():
        missed_a, missed_b, speakers = zip(*members, strict=True)
        conditions.append(compare_misses(name, missed_a, missed_b, speakers, confidence))
    alarms = None
    if a.operating.test and b.operating.test and a.operating.test.alarms.hours > 0:
        rates = a.operating.test.alarms, b.operating.test.alarms
        alarms = compare_alarms(rates[0].false_alarms, rates[1].false_alarms, rates[0].hours)
    clean = next((part for part in conditions if part.condition == "clean"), None)
    better, verdict = judge(clean, alarms, confidence)
    return WordComparison(label=a.label, conditions=tuple(conditions), alarms=alarms, better=better, verdict=verdict)


def compare_misses(
    condition: str, missed_a: ArrayLike, missed_b: ArrayLike, speakers: Sequence[str], confidence: float
) -> MissComparison:
    """Compare misses; `missed_a`, `missed_b` and `speakers` have one value per word, in the same order."""
    one, two = np.asarray(missed_a, dtype=bool), np.asarray(missed_b, dtype=bool)
    change = two.astype(np.float64) - one
    only_a, only_b = int(np.sum(one & ~two)), int(np.sum(two & ~one))
    return MissComparison(
        condition=condition,
        words=len(one),
        missed_a=int(one.sum()),
        missed_b=int(two.sum()),
        only_a_missed=only_a,
        only_b_missed=only_b,
        p_value=_even_split(only_a, only_b),
        difference=float(two.mean() - one.mean()),
        interval=bootstrap_mean(change, speakers, confidence) if change.any() else None,
    )


def compare_alarms(a: int, b: int, hours: float) -> AlarmComparison:
    """Compare the false alarms of both models over the same hours."""
    return AlarmComparison(hours=hours, false_alarms_a=a, false_alarms_b=b, p_value=_even_split(a, b))


def _even_split(a: int, b: int) -> float:
    """Two-sided p value of the counts `a` and `b` if both are equally likely; 1 without a count."""
    return float(stats.binomtest(a, a + b).pvalue) if a + b else 1.0


def judge(
    clean: MissComparison | None, alarms: AlarmComparison | None, confidence: float
) -> tuple[Literal["yes", "no", "cannot tell"], str]:
    """Whether B is better, and the verdict as a sentence."""
    level = (1 - confidence) / 2
    signs, findings = [], []
    if clean is not None:
        agrees = clean.interval is None or not clean.interval[0] <= 0 <= clean.interval[1]
        signs.append(int(np.sign(clean.difference)) if clean.p_value < level and agrees else 0)
        findings.append(f"A misses {clean.missed_a} and B {clean.missed_b} of {clean.words} clean words")
    if alarms is not None:
        change = alarms.false_alarms_b - alarms.false_alarms_a
        signs.append(int(np.sign(change)) if alarms.p_value < level else 0)
        findings.append(
            f"A has {alarms.false_alarms_a} and B {alarms.false_alarms_b} false alarms in {alarms.hours:.3g} h"
        )
    if not findings:
        return "cannot tell", "cannot tell: there are neither clean words nor negatives to compare on"
    facts = ", ".join(findings)
    if min(signs) < 0 < max(signs):
        return "cannot tell", f"cannot tell: significantly better in one and worse in the other: {facts}"
    if min(signs) < 0:
        return "yes", f"yes, the difference is significant: {facts}"
    if max(signs) > 0:
        return "no", f"no, B is significantly worse: {facts}"
    return "cannot tell", f"cannot tell, the difference may be chance: {facts}"
