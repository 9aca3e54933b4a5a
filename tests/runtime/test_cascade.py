"""Detector and verifier in streams give the events that their scores give offline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bundles import SAMPLE_RATE_HZ
from tests.verified_bundle import spoken_track, verifier_part, write_verified_bundle
from wakeword.runtime import Bundle, Detection, Detector, StreamSlots, detect_file, load_bundle
from wakeword.runtime.events import events_from_peaks, find_peaks, rise_start, smooth
from wakeword.runtime.verifier import Verifier

WORDS = [("alpha", 0.4), ("beta", 2.5), ("alpha", 4.0)]
ALONE = [("alpha", 1.7), ("beta", 5.3)]
SECONDS = 6.5


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(write_verified_bundle(tmp_path_factory.mktemp("verified") / "bundle"))


def detect(detector: Detector, audio: np.ndarray, sizes: list[int]) -> list[Detection]:
    """Feed in chunks of the sizes in turn, then flush."""
    found, at, turn = [], 0, 0
    while at < audio.shape[-1]:
        size = sizes[turn % len(sizes)]
        found += detector.process(audio[..., at : at + size])
        at, turn = at + size, turn + 1
    return found + detector.flush()


def assert_same(found: list[Detection], expected: list[Detection]) -> None:
    """The same events; scores may differ by the level to which the detector's scores are rounded."""
    assert [(e.stream, e.word, e.start_s, e.end_s) for e in found] == [
        (e.stream, e.word, e.start_s, e.end_s) for e in expected
    ]
    assert np.allclose([e.score for e in found], [e.score for e in expected], atol=1e-4)


def offline(bundle: Bundle, audio: np.ndarray, thresholds: list[float]) -> list[Detection]:
    """The events of `audio (samples,)`, from all its scores at once: measure every peak, then the event logic."""
    verifier, timing = Verifier(bundle), bundle.timing
    heard = np.concatenate([audio, np.zeros(bundle.tail_samples(len(audio)), np.float32)])
    smoothed = smooth(Detector(bundle, verify=False).scores(heard)[0], timing.window)
    step = bundle.manifest.step_samples
    padded = np.pad(heard, (verifier.before_samples, verifier.after_samples))
    events = []
    for number, label in enumerate(bundle.labels):
        scores = smoothed[:, number]
        peaks = find_peaks(scores, timing.hold)
        trigger = verifier.trigger_thresholds[number]
        peaks = peaks[scores[peaks] >= trigger]
        # `padded` starts before_samples early: the window of a peak starts at its own end there.
        windows = [padded[(p + 1) * step :][: verifier.before_samples + verifier.after_samples] for p in peaks]
        if not windows:
            continue
        features = verifier.measure(label, verifier.log_probs(np.stack(windows)))
        fused = verifier.fused(label, scores[peaks], features)
        for i in events_from_peaks(peaks, fused, thresholds[number], timing.refractory):
            start = rise_start(scores, int(peaks[i]), trigger, timing.rise)
            times = (start + 1) * bundle.step_s, float((peaks[i] + 1) * bundle.step_s)
            events.append((int(peaks[i]), number, Detection(label, float(fused[i]), *times)))
    return [event for _, _, event in sorted(events, key=lambda one: one[:2])]


def test_the_detector_alone_takes_tones_for_words_and_the_verifier_does_not(verified: Bundle) -> None:
    audio = spoken_track(WORDS, ALONE, SECONDS)
    alone = detect(Detector(verified, verify=False), audio, [1280])
    assert [(e.word, round(e.end_s)) for e in alone] == [
        ("alpha", 1),
        ("alpha", 2),
        ("beta", 3),
        ("alpha", 5),
        ("beta", 6),
    ]
    found = detect(Detector(verified), audio, [1280])
    assert [(e.word, round(e.end_s)) for e in found] == [("alpha", 1), ("beta", 3), ("alpha", 5)]
    # The peak of the same event, with the fused score instead of the detector's.
    by_end = {(e.word, e.end_s): e for e in alone}
    for event in found:
        assert event.score != by_end[event.word, event.end_s].score
        assert 0 < event.score < 1


@pytest.mark.parametrize("sizes", [[1], [7, 1, 400], [320], [1280], [5000, 3], [10**6]])
def test_chunking_changes_nothing(verified: Bundle, sizes: list[int]) -> None:
    seconds = 2.6 if sizes == [1] else SECONDS
    audio = spoken_track(WORDS, ALONE, seconds)
    expected = offline(verified, audio, [0.4, 0.4])
    assert len(expected) == (3 if seconds == SECONDS else 1)
    assert_same(detect(Detector(verified), audio, sizes), expected)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_track_any_chunking_and_any_streams_equal_the_offline_events(verified: Bundle, data: st.DataObject) -> None:
    labels = st.sampled_from(["alpha", "beta"])
    times = st.floats(0.0, 3.3).map(lambda value: round(value, 2))
    placed = st.lists(st.tuples(labels, times), max_size=4)
    streams = data.draw(st.integers(1, 3))
    noise = data.draw(st.sampled_from([0.0, 0.02, 0.2]))
    length_s = data.draw(st.sampled_from([0.7, 2.0, 3.501]))
    tracks = [
        spoken_track(data.draw(placed), data.draw(placed), length_s, noise, seed=data.draw(st.integers(0, 99)))
        for _ in range(streams)
    ]
    thresholds = [data.draw(st.sampled_from([0.02, 0.4, 0.9])), data.draw(st.sampled_from([0.0, 0.2]))]
    sizes = [data.draw(st.integers(300, 20_000)), *data.draw(st.lists(st.integers(1, 20_000), max_size=3))]
    found = detect(Detector(verified, streams, thresholds), np.stack(tracks), sizes)
    for stream, audio in enumerate(tracks):
        expected = [replace(event, stream=stream) for event in offline(verified, audio, thresholds)]
        assert_same([event for event in found if event.stream == stream], expected)


def test_an_event_is_reported_once_its_window_is_full(verified: Bundle) -> None:
    audio = spoken_track([("alpha", 0.5)], [], 3.0)
    detector, alone = Detector(verified), Detector(verified, verify=False)
    reported, plain = [], []
    for at in range(0, len(audio), 320):
        chunk = audio[at : at + 320]
        reported += [(event, at + len(chunk)) for event in detector.process(chunk)]
        plain += [(event, at + len(chunk)) for event in alone.process(chunk)]
    (event, after), (earlier, before) = reported[0], plain[0]
    assert event.end_s == earlier.end_s
    assert after == pytest.approx((event.end_s + 0.3) * SAMPLE_RATE_HZ, abs=320)
    assert before < after


def test_flush_and_reset_start_anew(verified: Bundle) -> None:
    audio = spoken_track(WORDS, ALONE, SECONDS)
    detector = Detector(verified)
    first = detect(detector, audio, [1281])
    assert len(first) == 3
    assert detect(detector, audio, [1281]) == first
    # Stopped while a peak waits for its audio: it never fires.
    detector.process(audio[: round(0.95 * SAMPLE_RATE_HZ)])
    detector.reset()
    assert detect(detector, audio, [1281]) == first


def test_reset_of_one_stream_forgets_its_audio_and_leaves_the_other(verified: Bundle) -> None:
    """The first half of a word before the reset must not help the second half after it."""
    audio = spoken_track([("alpha", 0.4)], [], 3.0)
    cut = round(0.6 * SAMPLE_RATE_HZ)
    detector = Detector(verified, streams=2)
    detector.process(np.stack([audio[:cut]] * 2))
    detector.reset(0)
    found = detector.process(np.stack([audio[cut:]] * 2)) + detector.flush()
    assert [(event.stream, event.word) for event in found] == [(1, "alpha")]
    assert_same(found, [replace(offline(verified, audio, [0.4, 0.4])[0], stream=1)])
    assert offline(verified, audio[cut:], [0.4, 0.4]) == []


def test_after_a_reset_of_one_stream_its_times_start_at_zero(verified: Bundle) -> None:
    detector = Detector(verified, streams=2)
    quiet = spoken_track([], [], 1.7)
    detector.process(np.stack([quiet, quiet]))
    detector.reset(1)
    audio = spoken_track(WORDS, ALONE, SECONDS)
    found = detect(detector, np.stack([audio, audio]), [4000, 77])
    late = [event for event in found if event.stream == 0]
    alone = [event for event in found if event.stream == 1]
    assert [(e.word, e.score) for e in alone] == [(e.word, e.score) for e in late]
    assert [e.end_s + 1.7 for e in alone] == pytest.approx([e.end_s for e in late])


def test_memory_stays_bounded(verified: Bundle) -> None:
    audio = spoken_track(WORDS, ALONE, SECONDS)
    detector = Detector(verified)
    kept = []
    for _ in range(10):
        for at in range(0, len(audio), 1280):
            detector.process(audio[at : at + 1280])
            kept.append(detector.verification._audio.nbytes)  # type: ignore[union-attr]
    window_s = 0.8 + 0.3 + 0.1 + 0.3  # Window, NMS window, waiting peak.
    assert max(kept) <= 4 * SAMPLE_RATE_HZ * (window_s + 2 * 0.08)
    # Reading scores alone keeps no audio.
    before = detector.verification._audio.nbytes  # type: ignore[union-attr]
    detector.scores(audio)
    assert detector.verification._audio.nbytes == before  # type: ignore[union-attr]


def test_peaks_inside_the_refractory_time_are_not_measured(verified: Bundle) -> None:
    audio = spoken_track([("alpha", 0.5)], [("alpha", 1.4)], 3.0)
    detector = Detector(verified, threshold=[0.4, 1.0])
    found = detector.process(audio)
    assert len(found) == 1
    measured = detector.verification.measured  # type: ignore[union-attr]
    eager = Detector(verified, threshold=1.0)
    eager.process(audio)
    assert measured < eager.verification.measured  # type: ignore[union-attr]


def test_thresholds_are_on_the_fused_score(verified: Bundle) -> None:
    audio = spoken_track(WORDS, ALONE, SECONDS)
    (first, *_) = detect(Detector(verified), audio, [1280])
    above, below = first.score + 1e-9, first.score - 1e-9
    assert first in detect(Detector(verified, threshold=below), audio, [1280])
    assert first not in detect(Detector(verified, threshold=above), audio, [1280])
    assert len(detect(Detector(verified, threshold=0.0), audio, [1280])) > 3


def test_the_trigger_threshold_drops_peaks(tmp_path: Path) -> None:
    part = verifier_part(["alpha", "beta"])
    audio = spoken_track(WORDS, ALONE, SECONDS)
    counts = []
    for trigger in (0.0, 0.1, 0.999):
        for word in part["words"]:
            word.update(trigger_threshold=trigger, threshold=0.4)
        detector = Detector(load_bundle(write_verified_bundle(tmp_path / str(trigger), part=part)))
        events = detect(detector, audio, [1280])
        counts.append((detector.verification.measured, len(events)))  # type: ignore[union-attr]
    assert counts[0][0] > counts[1][0] > counts[2][0] == 0
    assert [events for _, events in counts] == [3, 3, 0]


def test_a_probability_map_takes_the_fused_score(tmp_path: Path) -> None:
    part = verifier_part(["alpha", "beta"])
    part["words"][0]["probability_map"] = {"slope": 0.5, "offset": -1.0, "prior": 0.3}
    bundle = load_bundle(write_verified_bundle(tmp_path / "bundle", part=part))
    for event in detect(Detector(bundle), spoken_track(WORDS, [], SECONDS), [1280]):
        expected = 1 / (1 + np.exp(-(0.5 * np.log(event.score / (1 - event.score)) - 1)))
        assert event.probability == (pytest.approx(expected) if event.word == "alpha" else None)


def test_files_at_other_rates_and_slots(verified: Bundle, tmp_path: Path) -> None:
    import soxr

    audio = spoken_track(WORDS, ALONE, SECONDS)
    expected = [(e.word, round(e.end_s, 1)) for e in detect_file(verified, [audio])]
    assert len(expected) == 3
    given_rate = soxr.resample(audio, SAMPLE_RATE_HZ, 44_100)
    found = detect_file(verified, [given_rate], sample_rate_hz=44_100)
    assert [(e.word, round(e.end_s, 1)) for e in found] == expected
    alone = detect_file(verified, [audio], verify=False)
    assert len(alone) == 5
    # The server's streams use the detector alone for now, with its own thresholds.
    slots = StreamSlots(verified, 1)
    slots.feed(slots.open(), audio)
    assert [event for _, event in slots.step()] + slots.flush(0) == alone
