"""Metrics against scikit-learn where it has them, against brute force where it has not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from wakeword.evaluation import metrics
from wakeword.evaluation.sweep import Curve, HitWindow, Truth, outcome, sweep, track_peaks
from wakeword.runtime.events import EventTiming


def clips(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    levels = int(rng.choice([4, 1000]))
    return (
        rng.integers(0, levels, rng.integers(1, 60)) / levels + rng.choice([0.0, 0.2]),
        rng.integers(0, levels, rng.integers(1, 90)) / levels,
    )


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_roc_and_partial_auc_are_scikit_learns(seed) -> None:
    good, bad = clips(seed)
    labels, scores = np.append(np.ones(len(good)), np.zeros(len(bad))), np.append(good, bad)
    assert metrics.roc_auc(good, bad) == pytest.approx(roc_auc_score(labels, scores))
    for limit in (0.1, 0.5):
        assert metrics.partial_auc(good, bad, limit) == pytest.approx(roc_auc_score(labels, scores, max_fpr=limit))


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_equal_error_rate_lies_between_the_best_thresholds(seed) -> None:
    good, bad = clips(seed)
    rate = metrics.equal_error_rate(good, bad)
    levels = np.append(np.unique(np.append(good, bad)), np.inf)
    misses = np.array([(good < t).mean() for t in levels])
    alarms = np.array([(bad >= t).mean() for t in levels])
    at = int(np.flatnonzero(misses >= alarms)[0])
    lower = max(misses[at - 1], alarms[at]) if at else 0.0
    assert min(lower, alarms[at]) - 1e-9 <= rate <= min(misses[at], alarms[at - 1] if at else 1.0) + 1e-9


def test_known_error_rates() -> None:
    assert metrics.equal_error_rate([0.9, 0.8], [0.1, 0.2]) == 0.0
    assert metrics.equal_error_rate([0.1, 0.2], [0.8, 0.9]) == 1.0
    assert metrics.equal_error_rate([0.5] * 7, [0.5] * 3) == pytest.approx(0.5)
    assert metrics.equal_error_rate([0.9, 0.9, 0.9, 0.2], [0.1, 0.1, 0.1, 0.3]) == pytest.approx(0.25)
    with pytest.raises(ValueError, match="both kinds"):
        metrics.roc_curve([], [0.5])


def random_curves(seed: int) -> tuple[Curve, Curve, float]:
    rng = np.random.default_rng(seed)
    timing = EventTiming.from_seconds(0.02, 0.06, 0.1, 0.5)
    truth = Truth.of([(t, t + 0.4) for t in np.arange(1.0, 18.0, 3.0)])
    window = HitWindow(0.2, 1.0)
    words = sweep(track_peaks(rng.random(1000), truth, window, timing))
    alarms = sweep(track_peaks(rng.random(2000) ** 2, Truth.of(), window, timing))
    return words, alarms, 2000 * 0.02 / 3600


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), allowed=st.integers(0, 30))
def test_frr_at_a_target_is_the_best_that_keeps_it_from_there_up(seed, allowed) -> None:
    words, alarms, hours = random_curves(seed)
    levels = np.append(np.unique(np.append(words.threshold, alarms.threshold)), 2.0)
    kept = [all(alarms.at(levels[i:])[1] <= allowed) for i in range(len(levels))]
    first = kept.index(True)
    brute = float(words.frr(levels[first]))
    assert metrics.frr_at_fah(words, alarms, (allowed + 0.5) / hours, hours) == pytest.approx(brute)
    det = metrics.det_curve(words, alarms, hours)
    np.testing.assert_array_equal(det.threshold[:-1], levels[:-1])
    assert det.fah[first] * hours <= allowed + 1e-9
    assert det.frr[-1] == 1.0
    assert det.fah[-1] == 0.0
    assert metrics.fah_at(alarms, levels[first], hours) == pytest.approx(det.fah[first])


def test_area_under_frr_is_the_integral() -> None:
    words, alarms, hours = random_curves(5)
    top = 20 / hours
    grid = (np.arange(2000) + 0.5) / 2000 * top
    brute = np.mean([metrics.frr_at_fah(words, alarms, rate, hours) for rate in grid])
    assert metrics.frr_area(words, alarms, hours, top) == pytest.approx(brute, abs=2e-3)


def test_a_detector_that_is_always_late_by_a_known_time() -> None:
    timing = EventTiming.from_seconds(0.02, 0.0, 0.1, 1.0)
    ends = np.arange(2.0, 100.0, 5.0)
    for late, hits in [(0.4, len(ends)), (1.2, 0)]:
        scores = np.zeros(6000)
        scores[np.round((ends + late) / 0.02).astype(int) - 1] = 0.9
        peaks = track_peaks(scores, Truth.of([(e - 0.5, e) for e in ends]), HitWindow(0.2, 1.0), timing)
        result = outcome(peaks, 0.5)
        assert result.hit.sum() == hits
        assert len(result.false_alarms) == len(ends) - hits
        figures = metrics.latency(result.latency_s)
        if hits:
            assert figures is not None
            assert (figures.p50_s, figures.p95_s) == pytest.approx((late, late), abs=1e-9)
        else:
            assert figures is None
