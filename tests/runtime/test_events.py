"""Scores to events: peaks by their definition, and streaming equal to offline at any chunking."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword.config.runtime import DetectorConfig
from wakeword.runtime.events import (
    Detection,
    EventDetector,
    EventTiming,
    events_from_peaks,
    find_events,
    find_peaks,
    smooth,
)

STEP_S = 0.02


def brute_force_peaks(scores: np.ndarray, hold: int) -> list[int]:
    """The definition, word for word."""
    return [
        t
        for t in range(len(scores))
        if all(scores[t] > s for s in scores[max(0, t - hold) : t])
        and all(scores[t] >= s for s in scores[t + 1 : t + 1 + hold])
    ]


def test_smoothing_is_a_causal_mean_over_what_exists() -> None:
    assert smooth([3.0, 5.0, 7.0, 1.0], 3).tolist() == [3.0, 4.0, 5.0, 13.0 / 3]
    assert smooth([3.0, 5.0], 1).tolist() == [3.0, 5.0]
    with pytest.raises(ValueError, match="at least one"):
        smooth([1.0], 0)


def test_float_noise_on_a_plateau_does_not_move_its_peak() -> None:
    clean = np.r_[np.linspace(0, 1, 20), np.ones(30), np.linspace(1, 0, 20)]
    noisy = clean + np.random.default_rng(1).uniform(-2e-7, 2e-7, len(clean))
    timing = EventTiming.from_seconds(STEP_S, 0.06, 0.1, 1.0)
    assert find_events(noisy[:, None], ["word"], timing, 0.5) == find_events(clean[:, None], ["word"], timing, 0.5)


# Few distinct values, so that plateaus and ties are frequent.
levels = st.lists(st.integers(0, 4), max_size=60).map(lambda values: np.asarray(values, dtype=np.float32))


@settings(deadline=None)
@given(levels, st.integers(0, 7))
def test_peaks_follow_their_definition(scores: np.ndarray, hold: int) -> None:
    assert find_peaks(scores, hold).tolist() == brute_force_peaks(scores, hold)


@settings(deadline=None)
@given(levels, st.integers(0, 12), st.floats(0, 5))
def test_events_keep_their_distance(scores: np.ndarray, refractory: int, threshold: float) -> None:
    peaks = find_peaks(scores, 1)
    expected: list[int] = []
    for position, peak in enumerate(peaks):
        if scores[peak] >= threshold and (not expected or peak - peaks[expected[-1]] >= refractory):
            expected.append(position)
    assert events_from_peaks(peaks, scores[peaks], threshold, refractory).tolist() == expected


def test_the_first_of_a_plateau_is_its_peak() -> None:
    assert find_peaks([0, 1, 1, 1, 0], 2).tolist() == [1]


def test_peaks_of_an_hour_take_a_fraction_of_a_second() -> None:
    scores = np.random.default_rng(0).random(5_000_000).astype(np.float32)
    began = time.perf_counter()
    peaks = find_peaks(scores, 50)
    assert time.perf_counter() - began < 10.0
    assert 0.5 < len(peaks) * 101 / len(scores) < 1.5


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_streaming_equals_offline_at_any_chunking(data: st.DataObject) -> None:
    """Streams of different lengths, fed in turns of different sizes, give bit for bit the offline events."""
    words = ["alpha", "beta"][: data.draw(st.integers(1, 2))]
    lengths = data.draw(st.lists(st.integers(0, 120), min_size=1, max_size=3))
    seed = data.draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    scores = [np.round(generator.random((n, len(words))), 1).astype(np.float32) for n in lengths]
    settings_s = {
        "smoothing_s": data.draw(st.sampled_from([0.0, 0.02, 0.06, 0.1])),
        "nms_window_s": data.draw(st.sampled_from([0.0, 0.02, 0.1, 0.3])),
        "refractory_s": data.draw(st.sampled_from([0.0, 0.2, 1.0])),
    }
    per_word = st.lists(st.floats(0, 1), min_size=len(words), max_size=len(words))
    own = data.draw(st.booleans(), "thresholds of each stream's own")
    thresholds = [data.draw(per_word) for _ in lengths] if own else data.draw(per_word)
    detector = EventDetector(words, STEP_S, **settings_s, thresholds=thresholds, streams=len(lengths))
    found: dict[int, list[Detection]] = {stream: [] for stream in range(len(lengths))}
    done = [0] * len(lengths)
    while any(at < n for at, n in zip(done, lengths, strict=True)):
        size = data.draw(st.integers(1, 40))
        rows = [s for s, n in enumerate(lengths) if n - done[s] >= size]
        if not rows:
            rows = [min((s for s, n in enumerate(lengths) if n > done[s]), key=lambda s: lengths[s] - done[s])]
            size = lengths[rows[0]] - done[rows[0]]
        for event in detector.push(np.stack([scores[s][done[s] : done[s] + size] for s in rows]), rows):
            found[event.stream].append(event)
        for s in rows:
            done[s] += size
    for event in detector.flush():
        found[event.stream].append(event)
    timing = EventTiming.from_seconds(STEP_S, **settings_s)
    for stream in range(len(lengths)):
        limits = thresholds[stream] if own else thresholds
        assert found[stream] == find_events(scores[stream], words, timing, limits, stream)


def ramp(top: float, at: int, n: int = 100, width: int = 5) -> np.ndarray:
    """A triangle of scores with its top at index `at`."""
    return (top * np.maximum(0, 1 - np.abs(np.arange(n) - at) / width)).astype(np.float32)


def run(scores: np.ndarray, config: DetectorConfig, threshold: float = 0.5) -> list[Detection]:
    timing = EventTiming.from_seconds(STEP_S, config.smoothing_s, config.nms_window_s, config.refractory_s)
    return find_events(scores[:, None], ["word"], timing, threshold)


def test_times_of_an_event() -> None:
    (event,) = run(ramp(1.0, at=40), DetectorConfig(smoothing_s=0.0))
    assert event.end_s == pytest.approx(41 * STEP_S)
    # The triangle is 0.4 three scores before its top and 0.2, below half the threshold, four before.
    assert event.start_s == pytest.approx(38 * STEP_S)
    (long,) = run(np.linspace(0.5, 1.0, 400).astype(np.float32), DetectorConfig(smoothing_s=0.0))
    assert long.end_s - long.start_s == pytest.approx(1.5), "start_s stays within RISE_LIMIT_S"


def test_smoothing_removes_a_single_high_score() -> None:
    spike = np.zeros(50, dtype=np.float32)
    spike[20] = 1.0
    assert run(spike, DetectorConfig(smoothing_s=0.0))
    assert not run(spike, DetectorConfig(smoothing_s=0.06))


def test_hold_waits_for_a_higher_peak() -> None:
    two = np.maximum(ramp(0.7, at=30), ramp(0.9, at=42))
    config = DetectorConfig(smoothing_s=0.0, refractory_s=0.0, nms_window_s=0.1)
    assert [round(e.score, 3) for e in run(two, config)] == [0.7, 0.9]
    assert [round(e.score, 3) for e in run(two, config.model_copy(update={"nms_window_s": 0.3}))] == [0.9]


def test_refractory_time_swallows_a_second_event() -> None:
    two = np.maximum(ramp(0.9, at=30), ramp(0.7, at=60))
    assert len(run(two, DetectorConfig(refractory_s=0.4))) == 2
    assert len(run(two, DetectorConfig(refractory_s=1.0))) == 1


def test_reset_forgets_one_stream_only() -> None:
    scores = np.stack([ramp(0.9, at=30), ramp(0.9, at=30)])[:, :, None]
    detector = EventDetector(["word"], STEP_S, 0.0, 0.1, 1.0, 0.5, streams=2)
    assert not detector.push(scores[:, :32])
    detector.reset(0)
    events = detector.push(scores[:, 32:])
    # Stream 0 gets only the fall of the triangle, as the first score of its life.
    assert [(e.stream, round(e.end_s / STEP_S)) for e in events] == [(0, 1), (1, 31)]
    with pytest.raises(ValueError, match=r"scores must be \(2, n, 1\)"):
        detector.push(scores[:, :, 0])
    with pytest.raises(ValueError):
        EventDetector(["a", "b"], STEP_S, 0.0, 0.1, 1.0, [0.5, 0.5, 0.5])
    with pytest.raises(ValueError):
        EventDetector(["a", "b"], STEP_S, 0.0, 0.1, 1.0, [[0.5, 0.5]] * 3, streams=2)
    with pytest.raises(ValueError, match="2 words need as many probability maps, got 1"):
        EventDetector(["a", "b"], STEP_S, 0.0, 0.1, 1.0, 0.5, probabilities=[None])
