"""Detectors on the same tracks: thresholds by one rule, figures with intervals, and paired comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import detect_on, markdown_table
from wakeword.config import Config
from wakeword.evaluation.compare import MissComparison, compare_misses
from wakeword.evaluation.metrics.measure import WordOnSplit, at_threshold
from wakeword.evaluation.metrics.tail import fit_tail, tail_events
from wakeword.evaluation.metrics.threshold_curve import outcome
from wakeword.evaluation.metrics.thresholds import choose_threshold
from wakeword.evaluation.results import SplitResult
from wakeword.evaluation.statistics.numbers import number, seconds, share_with_interval
from wakeword.evaluation.tracks.plan import TrackPlan
from wakeword.runtime.events import EventTiming

CHOSEN, SHIPPED = "threshold from val", "as shipped"


@dataclass(frozen=True)
class DetectorScores:
    """A detector's raw scores `(scores, 1)` of every val and test track."""

    name: str
    val: Sequence[NDArray[np.float32]]
    test: Sequence[NDArray[np.float32]]

    @classmethod
    def of(cls, name: str, scores: Sequence[NDArray[np.float32]], plans: tuple[TrackPlan, TrackPlan]) -> DetectorScores:
        """Divide the scores of all tracks into val and test."""
        border = len(plans[0].tracks)
        return cls(name, scores[:border], scores[border:])


@dataclass(frozen=True)
class Row:
    """A detector under one rule, on test; `missed`: per condition and word."""

    name: str
    rule: str
    threshold: float
    result: SplitResult
    missed: dict[str, NDArray[np.bool_]]
    speakers: dict[str, list[str]]

    @property
    def fah(self) -> float:
        """False alarms per hour; infinite without audio."""
        return self.result.alarms.fah if self.result.alarms.fah is not None else float("inf")


def chosen_row(
    found: DetectorScores, plans: tuple[TrackPlan, TrackPlan], timing: EventTiming, word: str, config: Config
) -> Row:
    """The protocol's rule: val chooses the threshold for `config.evaluation.operating_fah`, test is reported."""
    val = _detect(word, plans[0], found.val, timing, config)
    choice = choose_threshold(val.words, val.alarms, fit_tail(tail_events(val)), config.evaluation.operating_fah)
    test = _detect(word, plans[1], found.test, timing, config)
    return _row(found.name, CHOSEN, choice.threshold, test, config)


def shipped_row(
    found: DetectorScores, plan: TrackPlan, timing: EventTiming, threshold: float, word: str, config: Config
) -> Row:
    """The package's smoothing and threshold."""
    test = _detect(word, plan, found.test, timing, config)
    return _row(found.name, SHIPPED, threshold, test, config)


def _detect(
    word: str, plan: TrackPlan, scores: Sequence[NDArray[np.float32]], timing: EventTiming, config: Config
) -> WordOnSplit:
    return detect_on(plan.tracks, [values[:, 0] for values in scores], word, timing, config)


def _row(name: str, rule: str, threshold: float, test: WordOnSplit, config: Config) -> Row:
    return Row(
        name,
        rule,
        threshold,
        at_threshold(test, threshold, config.evaluation),
        {condition: ~outcome(peaks, threshold).hit for condition, (peaks, _) in test.conditions.items()},
        {condition: [row.speaker for row in rows] for condition, (_, rows) in test.conditions.items()},
    )


def against(ours: Row, peer: Row, confidence: float) -> list[MissComparison]:
    """Paired comparison per condition: A is the peer, B is ours."""
    return [
        compare_misses(condition, peer.missed[condition], missed, ours.speakers[condition], confidence)
        for condition, missed in ours.missed.items()
    ]


def rows_table(rows: Sequence[Row]) -> str:
    """Markdown: a line per detector and rule; misses with Wilson's interval, false alarms with the Poisson interval."""
    conditions = [part.condition for part in rows[0].result.conditions]
    header = ["detector", "rule", "threshold", *conditions, "false alarms per hour", "fires after the word, p50 / p95"]
    lines = []
    for row in rows:
        alarms, clean = row.result.alarms, row.result.condition("clean")
        rate = f"{alarms.false_alarms} in {alarms.hours:.2f} h"
        if alarms.fah is not None and alarms.low is not None and alarms.high is not None:
            rate = f"{number(alarms.fah)} ({number(alarms.low)}-{number(alarms.high)}), {rate}"
        late = "-"
        if clean is not None and clean.latency_p50_s is not None and clean.latency_p95_s is not None:
            late = f"{seconds(clean.latency_p50_s)} / {seconds(clean.latency_p95_s)} s"
        cells = [share_with_interval(part.frr, part.wilson) for part in row.result.conditions]
        lines.append([row.name, row.rule, f"{row.threshold:.3f}", *cells, rate, late])
    return markdown_table(header, lines)


def pairs_table(ours: Row, peers: Sequence[Row], confidence: float) -> str:
    """Markdown: words that only one of the two misses, per condition, with McNemar's exact p."""
    parts = [against(ours, peer, confidence) for peer in peers]
    header = ["only the peer / only ours misses (p)", *(part.condition for part in parts[0])]
    return markdown_table(
        header,
        [
            [peer.name, *(f"{part.only_a_missed} / {part.only_b_missed} ({part.p_value:.2g})" for part in row)]
            for peer, row in zip(peers, parts, strict=True)
        ],
    )
