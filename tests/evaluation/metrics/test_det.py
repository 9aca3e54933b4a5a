"""Event-level figures against brute force: the streaming detector, counted one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword.evaluation.metrics import det as metrics
from wakeword.evaluation.metrics.threshold_curve import Curve, HitWindow, Truth, outcome, sweep, track_peaks
from wakeword.runtime.events import EventDetector, EventTiming

STEP_S = 0.02
TIMES_S = (0.06, 0.1, 0.5)
WINDOW = HitWindow(0.2, 1.0)


def played(scores: np.ndarray, ends_s: np.ndarray, threshold: float) -> tuple[list[float], int]:
    """Latencies of the hit words and false alarms of the streaming detector, counted one by one."""
    detector = EventDetector(["w"], STEP_S, *TIMES_S, thresholds=threshold)
    hit: dict[int, float] = {}
    alarms = 0
    for event in detector.push(scores[None, :, None]) + detector.flush():
        near = [n for n, end in enumerate(ends_s) if end - WINDOW.before_s - 1e-7 <= event.end_s]
        if near and event.end_s <= ends_s[near[-1]] + WINDOW.after_s + 1e-7 and near[-1] not in hit:
            hit[near[-1]] = event.end_s - ends_s[near[-1]]
        else:
            alarms += 1
    return list(hit.values()), alarms


class Known:
    """Two tracks, one of words (there may be none, or a single one) and one of negatives, and every count by force."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        timing = EventTiming.from_seconds(STEP_S, *TIMES_S)
        levels = int(rng.choice([2, 8, 10_000]))
        scores, noise = (np.round(rng.random(size) ** power * levels) / levels for size, power in ((300, 1), (400, 3)))
        self.ends_s = np.arange(1.0, 6.0, 2.0)[: rng.choice([1, 3])]
        truth = Truth.of([(end - 0.4, end) for end in self.ends_s])
        self.peaks = track_peaks(scores, truth, WINDOW, timing)
        self.words = sweep(self.peaks)
        self.alarms = sweep(track_peaks(noise, Truth.of(), WINDOW, timing))
        self.hours = 400 * STEP_S / 3600
        # Counts change at peak scores only; one threshold above all of them ends the list.
        self.levels = np.unique(np.r_[self.words.threshold, self.alarms.threshold, 2.0])
        self.latencies = [played(scores, self.ends_s, t)[0] for t in self.levels]
        self.frr = np.asarray([1 - len(hit) / len(self.ends_s) for hit in self.latencies])
        self.false = np.asarray([played(noise, np.zeros(0), t)[1] for t in self.levels])

    def best(self, allowed: float) -> int:
        """Place of the lowest level from which up the false alarms stay within `allowed`."""
        return next(place for place in range(len(self.levels)) if max(self.false[place:]) <= allowed)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 100_000), allowed=st.integers(0, 15))
def test_event_figures_are_the_streaming_detectors(seed, allowed) -> None:
    known = Known(seed)
    words, alarms, hours = known.words, known.alarms, known.hours
    det = metrics.det_curve(words, alarms, hours)
    np.testing.assert_array_equal(det.threshold, np.append(known.levels[:-1], np.inf))
    np.testing.assert_allclose(det.frr, known.frr, atol=1e-12)
    np.testing.assert_allclose(det.fah, known.false / hours, rtol=1e-12)
    first = known.best(allowed)
    threshold = metrics.oracle_threshold(alarms, allowed)
    assert words.at(threshold) == words.at(known.levels[first])
    assert float(words.frr(threshold)) == pytest.approx(known.frr[first])
    assert alarms.at(threshold)[1] == known.false[first] <= allowed
    for place in (0, first, len(known.levels) - 1):
        late, expected = outcome(known.peaks, known.levels[place]).latency_s, known.latencies[place]
        np.testing.assert_allclose(late[np.isfinite(late)], expected, atol=1e-9)
        found = metrics.latency(late)
        assert (found is None) == (not expected)
        if found is not None:
            assert found == pytest.approx(tuple(np.quantile(expected, [0.5, 0.95])), abs=1e-9)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 100_000), top=st.floats(0.3, 12))
def test_area_under_frr_is_the_sum_of_its_steps(seed, top) -> None:
    known = Known(seed)
    area = sum(
        known.frr[known.best(count)] * (min(count + 1, top) - count)
        for count in range(int(np.floor(top)) + 1)
    )  # fmt: skip
    found = metrics.frr_area(known.words, known.alarms, known.hours, top / known.hours)
    assert found == pytest.approx(area / top, abs=1e-9)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 100_000))
def test_corners_are_the_points_that_no_other_point_beats(seed) -> None:
    known = Known(seed)
    det = metrics.det_curve(known.words, known.alarms, known.hours)
    most = float(np.median(det.fah))
    points = set(zip(det.fah.tolist(), det.frr.tolist(), strict=True))
    unbeaten = sorted(
        (fah, frr)
        for fah, frr in points
        if fah <= most and not any(a <= fah and r <= frr and (a, r) != (fah, frr) for a, r in points)
    )
    assert list(zip(*(part.tolist() for part in metrics.det_corners(det, most)), strict=True)) == unbeaten


def test_curves_without_words_or_hours_are_refused_or_not_a_number() -> None:
    known = Known(0)
    nobody = Curve(known.words.threshold, 0 * known.words.hits, known.words.false_alarms, 0)
    with pytest.raises(ValueError, match="0 words"):
        metrics.det_curve(nobody, known.alarms, known.hours)
    with pytest.raises(ValueError, match=r"0\.0 h"):
        metrics.det_curve(known.words, known.alarms, 0.0)
    with pytest.raises(ValueError, match="hours"):
        metrics.frr_area(known.words, known.alarms, 0.0)
    assert np.isnan(metrics.frr_area(nobody, known.alarms, known.hours))


def test_no_negatives_means_no_false_alarms_at_any_threshold() -> None:
    known = Known(1)
    silent = sweep(track_peaks(np.zeros(0), Truth.of(), WINDOW, EventTiming.from_seconds(STEP_S, *TIMES_S)))
    assert metrics.lowest_threshold(silent, 0.0) == (0.0, False)
    assert metrics.oracle_threshold(silent, 0.0) == 0.0
    assert metrics.frr_area(known.words, silent, 1.0) == pytest.approx(known.words.frr(0.0))
    assert set(metrics.det_curve(known.words, silent, 1.0).fah) == {0.0}


def test_latencies_of_no_word_are_none() -> None:
    assert metrics.latency([]) is None
    assert metrics.latency([np.nan, np.nan]) is None
    assert metrics.latency([np.nan, 0.25]) == (0.25, 0.25)


def test_a_detector_that_is_always_late_by_a_known_time() -> None:
    timing = EventTiming.from_seconds(STEP_S, 0.0, 0.1, 1.0)
    ends = np.arange(2.0, 100.0, 5.0)
    for late, hits in [(0.4, len(ends)), (1.2, 0)]:
        scores = np.zeros(6000)
        scores[np.round((ends + late) / STEP_S).astype(int) - 1] = 0.9
        peaks = track_peaks(scores, Truth.of([(e - 0.5, e) for e in ends]), WINDOW, timing)
        result = outcome(peaks, 0.5)
        assert result.hit.sum() == hits
        assert len(result.false_alarms) == len(ends) - hits
        figures = metrics.latency(result.latency_s)
        if hits:
            assert figures is not None
            assert figures == pytest.approx((late, late), abs=1e-9)
        else:
            assert figures is None
