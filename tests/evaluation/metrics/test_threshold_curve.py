"""The sweep equals the streaming detector at every threshold."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword.errors import DataError
from wakeword.evaluation.metrics.threshold_curve import (
    HitWindow,
    Truth,
    add_curves,
    join_peaks,
    outcome,
    sweep,
    track_peaks,
)
from wakeword.runtime.events import EventDetector, EventTiming

STEP_S = 0.02
TIMING = EventTiming.from_seconds(STEP_S, smoothing_s=0.0, nms_window_s=0.1, refractory_s=1.0)
WINDOW = HitWindow(0.2, 1.0)


def brute_force(scores, truth: Truth, window: HitWindow, threshold: float, times: tuple[float, float, float]):
    """Hits and false alarms of the streaming detector, counted with plain loops over seconds."""
    detector = EventDetector(["w"], STEP_S, *times, thresholds=threshold)
    events = detector.push(scores[None, :, None]) + detector.flush()
    hit: set[int] = set()
    alarms = 0
    for event in events:
        when = event.end_s
        open_windows = [i for i, end in enumerate(truth.word_end_s) if end - window.before_s - 1e-7 <= when]
        word = open_windows[-1] if open_windows else None
        if word is not None and when <= truth.word_end_s[word] + window.after_s + 1e-7:
            alarms += word in hit
            hit.add(word)
        elif not any(low - 1e-7 <= when <= high + 1e-7 for low, high in truth.ignored_s):
            alarms += 1
    return len(hit), alarms


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 400),
    levels=st.sampled_from([3, 10, 1000]),
    refractory_s=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    hold_s=st.sampled_from([0.0, 0.04, 0.1]),
    smoothing_s=st.sampled_from([0.0, 0.06]),
)
def test_sweep_is_the_streaming_detector_at_every_threshold(seed, count, levels, refractory_s, hold_s, smoothing_s):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, count) / levels
    ends = np.sort(rng.choice(np.arange(5, 500), size=rng.integers(0, 5), replace=False)) * STEP_S
    words = [(end - 0.02, end) for end in ends if rng.random() < 0.9]
    ignored = [(low, low + 0.3) for low in rng.uniform(0, count * STEP_S, rng.integers(0, 3))]
    truth = Truth.of(words, ignored)
    window = HitWindow(0.1, 0.4)
    peaks = track_peaks(scores, truth, window, EventTiming.from_seconds(STEP_S, smoothing_s, hold_s, refractory_s))
    curve = sweep(peaks)
    assert curve.words == len(words)
    for place, threshold in enumerate(curve.threshold):
        expected = brute_force(scores, truth, window, threshold, (smoothing_s, hold_s, refractory_s))
        assert (curve.hits[place], curve.false_alarms[place]) == expected
        result = outcome(peaks, threshold)
        assert (result.hit.sum(), len(result.false_alarms)) == expected
    assert curve.at(2.0) == (0, 0)


def test_counts_hold_between_thresholds() -> None:
    scores = np.zeros(500)
    scores[[100, 200, 300]] = [0.25, 0.5, 0.75]
    timing = EventTiming.from_seconds(STEP_S, 0.0, 0.1, 1.0)
    truth = Truth.of([(3.5, 4.0)])
    curve = sweep(track_peaks(scores, truth, HitWindow(0.2, 1.0), timing))
    assert [int(n) for n in np.array(curve.at([0.2, 0.25, 0.26, 0.5, 0.51, 0.75, 0.76])).T.ravel()] == [
        *(1, 2), *(1, 2), *(1, 1), *(1, 1), *(0, 1), *(0, 1), *(0, 0),
    ]  # fmt: skip
    assert curve.frr(0.5) == 0.0
    assert curve.frr(0.6) == 1.0


def test_tracks_joined_or_added_give_the_same_counts() -> None:
    rng = np.random.default_rng(3)
    timing = EventTiming.from_seconds(STEP_S, 0.06, 0.1, 1.0)
    window = HitWindow(0.2, 1.0)
    parts = [
        track_peaks(rng.random(size), Truth.of([(1.0, 1.5), (5.0, 5.4)]), window, timing) for size in (800, 5, 400)
    ]
    joined, added = sweep(join_peaks(parts)), add_curves(sweep(part) for part in parts)
    np.testing.assert_array_equal(joined.threshold, added.threshold)
    np.testing.assert_array_equal(joined.hits, added.hits)
    np.testing.assert_array_equal(joined.false_alarms, added.false_alarms)
    assert joined.words == added.words == 6
    assert set(join_peaks(parts).track) == {0, 1, 2}


def test_a_second_event_in_a_window_is_a_false_alarm() -> None:
    scores = np.zeros(500)
    scores[[100, 130]] = 0.9
    timing = EventTiming.from_seconds(STEP_S, 0.0, 0.1, 0.3)
    peaks = track_peaks(scores, Truth.of([(1.5, 2.0)]), HitWindow(0.2, 1.0), timing)
    result = outcome(peaks, 0.5)
    assert (result.hit.tolist(), result.duplicates, len(result.false_alarms)) == ([True], 1, 1)
    assert result.latency_s == pytest.approx([101 * STEP_S - 2.0])


def test_bad_truth_is_refused() -> None:
    with pytest.raises(DataError, match="overlap"):
        Truth.of([(1.0, 2.0), (1.5, 2.5)])
    with pytest.raises(DataError, match="end after"):
        Truth.of([(2.0, 2.0)])
    with pytest.raises(DataError, match="one start for each end"):
        Truth(np.zeros(1), np.zeros(0), np.zeros((0, 2)))
    for words, ignored in (([(np.nan, 2.0)], []), ([(1.0, np.inf)], []), ([], [(1.0, np.nan)])):
        with pytest.raises(DataError, match="NaN or infinite"):
            Truth.of(words, ignored)
    assert len(Truth.of([(1.0, 2.0), (2.0, 2.5)]).word_end_s) == 2, "words that touch do not overlap"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(value) -> None:
    with pytest.raises(DataError, match="NaN or infinity"):
        track_peaks(np.array([0.1, value, 0.2]), Truth.of(), WINDOW, TIMING)


def test_a_track_shorter_than_the_refractory_time_has_one_event_at_most() -> None:
    scores = np.zeros(40)
    scores[[5, 20, 33]] = 0.5, 0.75, 0.25
    assert len(scores) < TIMING.refractory
    short = track_peaks(scores, Truth.of(), WINDOW, TIMING)
    curve = sweep(short)
    # The first peak holds back both others; at a threshold above it, the second one is the event.
    assert curve.at([0.2, 0.5, 0.6, 0.8])[1].tolist() == [1, 1, 1, 0]
    assert short.time_s[short.events(0.6)] == pytest.approx([21 * STEP_S])
    several = join_peaks([short] * 3)
    assert sweep(several).at([0.2, 0.5, 0.6, 0.8])[1].tolist() == [3, 3, 3, 0], "tracks do not hold each other back"
    assert len(outcome(several, 0.2).false_alarms) == 3


def test_no_scores_and_no_tracks_have_no_events() -> None:
    empty = track_peaks(np.zeros(0), Truth.of([(1.0, 2.0)]), WINDOW, TIMING)
    for peaks, words in ((empty, 1), (join_peaks([empty, empty]), 2)):
        curve = sweep(peaks)
        assert (len(curve.threshold), curve.words, curve.at(0.5)) == (0, words, (0, 0))
        assert outcome(peaks, 0.5).hit.tolist() == [False] * words
    assert add_curves([]).words == 0
    assert np.isnan(add_curves([]).frr(0.5))
    assert add_curves([sweep(empty)]).frr(0.5) == 1.0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), period=st.integers(2, 9), refractory=st.integers(0, 30))
def test_chains_of_events_that_never_meet_are_exact_too(seed, period, refractory) -> None:
    """Scores that repeat: which peak is the event then depends on the first one, however far back it lies."""
    rng = np.random.default_rng(seed)
    scores = np.tile(rng.integers(0, 50, period) / 50, 60)
    scores[: 2 * period] += rng.integers(0, 3, 2 * period) / 100
    timing = EventTiming(STEP_S, 1, 1, refractory, 0)
    truth = Truth.of([(t, t + 0.05) for t in np.arange(0.5, 60 * period * STEP_S, 0.7)])
    peaks = track_peaks(scores, truth, HitWindow(0.1, 0.3), timing)
    curve = sweep(peaks)
    for place, threshold in enumerate(curve.threshold):
        owners, last = [], -refractory
        for peak in np.flatnonzero(peaks.score >= threshold):
            if peaks.index[peak] - last >= refractory:
                last = peaks.index[peak]
                owners.append(int(peaks.owner[peak]))
        hits = len({owner for owner in owners if owner >= 0})
        assert (curve.hits[place], curve.false_alarms[place]) == (hits, len(owners) - hits)


def test_ten_hours_take_seconds() -> None:
    scores = np.random.default_rng(0).random(10 * 3600 * 50)
    timing = EventTiming.from_seconds(STEP_S, 0.06, 0.1, 1.0)
    truth = Truth.of([(t, t + 0.5) for t in np.arange(10.0, 36_000, 72.0)])
    started = time.process_time()
    curve = sweep(track_peaks(scores, truth, HitWindow(0.2, 1.0), timing))
    assert time.process_time() - started < 10  # about 0.5 s on one idle core
    assert len(curve.threshold) > 50_000
    assert curve.words == 500
