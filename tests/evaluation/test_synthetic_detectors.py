"""Detectors whose every figure is known beforehand, from raw scores to rates and intervals."""

from __future__ import annotations

import numpy as np
import pytest

from wakeword.config.evaluation import EvaluationConfig
from wakeword.evaluation.metrics import det as metrics
from wakeword.evaluation.metrics.threshold_curve import HitWindow, Truth, join_peaks, outcome, sweep, track_peaks
from wakeword.evaluation.statistics.intervals import alarm_rate, poisson_interval, wilson
from wakeword.runtime.events import EventTiming

STEP_S = 0.02
TIMING = EventTiming.from_seconds(STEP_S, 0.0, 0.1, 1.0)
WINDOW = HitWindow(0.2, 1.0)
HOUR = round(3600 / STEP_S)
ENDS_S = np.arange(10.0, 3590.0, 20.0)
WORDS = [(end - 0.5, end) for end in ENDS_S]


def spikes(times_s, score: float = 0.9) -> np.ndarray:
    """An hour of zeros with a score at each time."""
    scores = np.zeros(HOUR)
    scores[np.round(np.asarray(times_s) / STEP_S).astype(int) - 1] = score
    return scores


def test_a_perfect_detector() -> None:
    peaks = track_peaks(spikes(ENDS_S + 0.1), Truth.of(WORDS), WINDOW, TIMING)
    result = outcome(peaks, 0.5)
    assert result.hit.all()
    assert len(result.false_alarms) == 0
    assert metrics.latency(result.latency_s) == pytest.approx((0.1, 0.1))
    curve, silent = sweep(peaks), sweep(track_peaks(np.zeros(HOUR), Truth.of(), WINDOW, TIMING))
    assert curve.frr(metrics.oracle_threshold(silent, 0.05)) == 0.0
    assert wilson(0, len(ENDS_S)).low == 0.0


def test_a_detector_that_is_always_late_misses_all_and_alarms_at_each() -> None:
    peaks = track_peaks(spikes(ENDS_S + 1.2), Truth.of(WORDS), WINDOW, TIMING)
    result = outcome(peaks, 0.5)
    assert not result.hit.any()
    assert len(result.false_alarms) == len(ENDS_S)
    assert metrics.latency(result.latency_s) is None
    assert sweep(peaks).frr(metrics.oracle_threshold(sweep(peaks), len(ENDS_S))) == 1.0


def test_a_detector_that_fires_every_seven_seconds() -> None:
    times_s = np.arange(7.0, 3600.0, 7.0)
    silence = sweep(track_peaks(spikes(times_s), Truth.of(), WINDOW, TIMING))
    assert silence.at(0.5)[1] == len(times_s) == 514
    found = alarm_rate(514, 1.0, EvaluationConfig().confidence)
    assert (found.low, found.high) == poisson_interval(514, 1.0)
    # Words end every 20 s, events come every 7: by the arithmetic of both, which windows hold an event.
    offsets = [[t - end for t in times_s if -0.2 - 1e-9 <= t - end <= 1.0 + 1e-9] for end in ENDS_S]
    result = outcome(track_peaks(spikes(times_s), Truth.of(WORDS), WINDOW, TIMING), 0.5)
    assert result.hit.tolist() == [bool(inside) for inside in offsets]
    assert len(result.false_alarms) == len(times_s) - sum(map(bool, offsets))
    expected = [inside[0] for inside in offsets if inside]
    assert result.latency_s[result.hit] == pytest.approx(expected, abs=1e-9)


def test_a_random_detector_hits_as_often_as_its_rate_says() -> None:
    rng = np.random.default_rng(0)
    per_hour, hours = 600.0, 20
    parts = []
    for _ in range(hours):
        # A Poisson process: a window of 1.2 s (61 scores, ends included) is empty with probability exp(-rate * width).
        fires = rng.random(HOUR) < per_hour / HOUR
        loose = EventTiming.from_seconds(STEP_S, 0.0, 0.0, 0.0)
        parts.append(track_peaks(np.where(fires, 0.9, 0.0), Truth.of(WORDS), WINDOW, loose))
    peaks = join_peaks(parts)
    result = outcome(peaks, 0.5)
    missed, words = int(np.sum(~result.hit)), hours * len(ENDS_S)
    expected = (1 - per_hour / HOUR) ** 61
    low, high = wilson(missed, words, 0.999)
    assert low < expected < high
    events = len(peaks.events(0.5))
    low, high = poisson_interval(events, hours, 0.999)
    assert low < per_hour < high
    assert len(result.false_alarms) == events - (words - missed)


def test_a_track_shorter_than_the_refractory_time_gives_one_event_at_most() -> None:
    peaks = track_peaks(np.tile([0.9, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 5), Truth.of(), WINDOW, TIMING)
    assert len(peaks.index) > 1
    assert sweep(peaks).at(0.5)[1] == 1
    assert len(track_peaks(np.zeros(0), Truth.of(), WINDOW, TIMING).index) == 0
