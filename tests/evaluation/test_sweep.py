"""The sweep equals the streaming detector at every threshold."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword.errors import DataError
from wakeword.evaluation.sweep import (
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


def test_bad_truth_and_scores_are_refused() -> None:
    with pytest.raises(DataError, match="overlap"):
        Truth.of([(1.0, 2.0), (1.5, 2.5)])
    with pytest.raises(DataError, match="end after"):
        Truth.of([(2.0, 2.0)])
    timing = EventTiming.from_seconds(STEP_S, 0.06, 0.1, 1.0)
    with pytest.raises(DataError, match="NaN"):
        track_peaks(np.array([0.1, np.nan]), Truth.of(), HitWindow(0.2, 1.0), timing)


def test_ten_hours_take_seconds() -> None:
    scores = np.random.default_rng(0).random(10 * 3600 * 50)
    timing = EventTiming.from_seconds(STEP_S, 0.06, 0.1, 1.0)
    truth = Truth.of([(t, t + 0.5) for t in np.arange(10.0, 36_000, 72.0)])
    started = time.process_time()
    curve = sweep(track_peaks(scores, truth, HitWindow(0.2, 1.0), timing))
    assert time.process_time() - started < 10  # about 0.5 s on one idle core
    assert len(curve.threshold) > 50_000
    assert curve.words == 500
