"""The end of finite audio: a word at the end is detected, and more silence changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bundles import CONTEXT_SAMPLES, SAMPLE_RATE_HZ, STEP_SAMPLES, tone, track, write_tone_bundle
from wakeword.runtime import Bundle, Detection, Detector, StreamSlots, load_bundle

TIMES = [
    {"smoothing_s": 0.06, "nms_window_s": 0.1, "refractory_s": 1.0},
    {"smoothing_s": 0.0, "nms_window_s": 0.02, "refractory_s": 1.0},
    {"smoothing_s": 0.2, "nms_window_s": 0.3, "refractory_s": 0.5},
]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Bundle]:
    """One bundle for each of `TIMES`."""
    root = tmp_path_factory.mktemp("endings")
    return [load_bundle(write_tone_bundle(root / str(n), detector=times)) for n, times in enumerate(TIMES)]


def detect(bundle: Bundle, audio: np.ndarray, silence_s: float = 0.0, threshold: float = 0.5) -> list[Detection]:
    detector = Detector(bundle, threshold=threshold)
    silence = np.zeros(round(silence_s * SAMPLE_RATE_HZ), np.float32)
    return detector.process(np.concatenate([audio, silence])) + detector.flush()


def places(events: list[Detection]) -> list[tuple[str, float, float]]:
    return [(event.word, event.start_s, event.end_s) for event in events]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    which=st.integers(0, len(TIMES) - 1),
    word=st.sampled_from(["alpha", "beta"]),
    cut_s=st.floats(0.02, 0.6),
    silence_s=st.floats(0.0, 2.5),
    threshold=st.floats(0.05, 0.95),
    seed=st.integers(0, 99),
)
def test_silence_behind_the_end_changes_nothing(bundles, which, word, cut_s, silence_s, threshold, seed) -> None:
    """Wherever audio ends, within a word or behind it: the events are those with more silence."""
    whole = track([(word, 0.4)], 1.2, seed=seed)
    cut = whole[: round((0.4 + cut_s) * SAMPLE_RATE_HZ)]
    alone = detect(bundles[which], cut, threshold=threshold)
    assert places(alone) == places(detect(bundles[which], cut, silence_s, threshold))


def test_a_word_at_the_very_end_is_heard_with_the_time_of_its_score(tones: Bundle) -> None:
    audio = np.concatenate([track([], 0.5), tone("alpha", 0.3)])
    detector = Detector(tones)
    assert detector.process(audio) == [], "nothing is certain before the end"
    score, (event,) = detector.flush_scores()
    duration_s = len(audio) / SAMPLE_RATE_HZ
    assert event.word == "alpha"
    # The score keeps its own time, within the silence that follows the audio.
    assert duration_s - 0.1 < event.end_s <= duration_s + tones.tail_steps * tones.step_s
    assert score.shape == (1, tones.tail_steps, 2)
    # The smallest settings of all: the receptive field, two steps of smoothing, five of the peak hold.
    assert tones.tail_steps == CONTEXT_SAMPLES // STEP_SAMPLES + 2 + 5


def test_samples_that_fill_no_step_are_heard(tones: Bundle) -> None:
    """A last step of 319 samples holds nearly as much of the word as one of 320."""
    audio = np.concatenate([track([], 0.5), tone("alpha", 0.3)])
    for missing in (0, 1, 160, 319):
        part = audio[: len(audio) - missing]
        detector = Detector(tones)
        events = detector.process(part)
        scores, found = detector.flush_scores()
        assert [event.word for event in events + found] == ["alpha"]
        assert scores.shape[1] == tones.tail_steps + (missing > 0)
        assert tones.tail_samples(len(part)) == missing + tones.tail_steps * STEP_SAMPLES


def test_longer_audio_keeps_its_events(tones: Bundle) -> None:
    """What was certain before the end is not touched by it."""
    audio = track([("alpha", 1.0), ("beta", 2.5), ("alpha", 4.0)], 6.0)
    detector = Detector(tones)
    before = detector.process(audio)
    assert [event.word for event in before] == ["alpha", "beta", "alpha"]
    assert detector.flush() == []


def test_nothing_heard_nothing_due(tones: Bundle) -> None:
    detector = Detector(tones, threshold=0.0)
    assert detector.flush() == []
    detector.process(np.zeros(0, np.float32))
    scores, events = detector.flush_scores()
    assert (scores.shape[1], events) == (0, [])
    slots = StreamSlots(tones, 1, thresholds=[0.0, 0.0])
    assert slots.flush(slots.open()) == []


def test_streams_that_end_together_equal_those_that_end_alone(tones: Bundle) -> None:
    audios = [np.concatenate([track([], 0.3 + 0.031 * n), tone("alpha", 0.3)]) for n in range(5)]
    slots = StreamSlots(tones, 6)
    handles = [slots.open() for _ in audios]
    other = slots.open()
    slots.feed(other, audios[0])
    for slot, audio in zip(handles, audios, strict=True):
        slots.feed(slot, audio)
    ended = slots.flush_all(handles)
    for slot, audio in zip(handles, audios, strict=True):
        assert places(ended[slot]) == places(detect(tones, audio))
        assert ended[slot]
    # The stream that goes on did not advance, and ends later.
    assert places(slots.flush(other)) == places(detect(tones, audios[0]))
