"""Audio of other rates: the same samples at any chunking, in time, and the same events."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soxr

from tests.bundles import track
from tests.runtime.test_detector import EVENTS, detect, write_wav
from wakeword.audio.io import read_audio
from wakeword.errors import DataError, MissingExtraError
from wakeword.runtime import Bundle, Detection, Detector, StreamSlots, detect_file
from wakeword.runtime.resampling import MAX_RATE_HZ, MIN_RATE_HZ, StreamResampler, checked_rate

RATES_HZ = [8_000, 11_025, 22_050, 44_100, 48_000, 96_000]
STEP_S = 0.02


def at_rate(audio: np.ndarray, rate_hz: int) -> np.ndarray:
    """16 kHz audio as a device of another rate would have recorded it."""
    return soxr.resample(audio, 16_000, rate_hz, quality="VHQ").astype(np.float32)


def times(events: list[Detection]) -> list[tuple[str, float, float]]:
    return [(e.word, e.start_s, e.end_s) for e in events]


def assert_near(found: list[Detection], wanted: list[Detection]) -> None:
    """The same words, each at the same step or its neighbour."""
    assert [e.word for e in found] == [e.word for e in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert abs(one.end_s - other.end_s) <= STEP_S + 1e-9
        assert one.score == pytest.approx(other.score, abs=0.02)


@pytest.mark.parametrize("rate_hz", [*RATES_HZ, 44_101])
def test_chunks_change_nothing_and_nothing_is_lost(rate_hz: int) -> None:
    generator = np.random.default_rng(rate_hz)
    audio = np.clip(0.2 * generator.standard_normal(rate_hz + 77), -1, 1).astype(np.float32)
    whole = StreamResampler(rate_hz)
    expected = np.concatenate([whole.push(audio[None]), whole.finish()], axis=1)[0]
    assert len(expected) == round(len(audio) * 16_000 / rate_hz)
    assert np.allclose(expected, np.clip(soxr.resample(audio, rate_hz, 16_000, quality="HQ"), -1, 1), atol=1e-6)
    pieces, at = [], 0
    for _ in range(2):  # A finished resampler starts anew.
        pieces, at = [], 0
        while at < len(audio):
            size = int(generator.choice([0, 1, 160, 997, 4001]))
            pieces.append(whole.push(audio[None, at : at + size]))
            at += size
        assert np.array_equal(np.concatenate([*pieces, whole.finish()], axis=1)[0], expected)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_time_is_that_of_the_audio(rate_hz: int) -> None:
    """A click at 0.5 s is at 0.5 s: the filter's delay does not move it. The same samples as a file gives."""
    audio = np.zeros(rate_hz, np.float32)
    audio[rate_hz // 2] = 1.0
    resampler = StreamResampler(rate_hz)
    found = np.concatenate([resampler.push(audio[None]), resampler.finish()], axis=1)[0]
    assert abs(int(np.abs(found).argmax()) - 8_000) <= 1


def test_the_samples_are_those_of_a_file(tmp_path: Path) -> None:
    audio = at_rate(track(EVENTS, 6.0), 44_100)
    path = write_wav(tmp_path / "a.wav", audio, 44_100)
    resampler = StreamResampler(44_100)
    quantised = np.round(audio * 32767).astype("<i2").astype(np.float32) / 32768
    found = np.concatenate([resampler.push(quantised[None]), resampler.finish()], axis=1)[0]
    assert np.allclose(found, read_audio(path), atol=1e-6)


def test_overshoot_is_clipped() -> None:
    square = np.sign(np.sin(2 * np.pi * 300 * np.arange(48_000) / 48_000)).astype(np.float32)
    resampler = StreamResampler(48_000)
    assert np.abs(soxr.resample(square, 48_000, 16_000)).max() > 1.05
    assert np.abs(np.concatenate([resampler.push(square[None]), resampler.finish()], axis=1)).max() == 1.0


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("before", [0, 1, 7_001, 30_000])
def test_one_stream_starts_anew_beside_another(rate_hz: int, before: int) -> None:
    """It forgets all, and stays in step: as if it had been silent until then."""
    generator = np.random.default_rng(before)
    audio = (0.1 * generator.standard_normal((2, before + rate_hz))).astype(np.float32)
    audio[0, :before] *= 5
    silenced = audio.copy()
    silenced[0, :before] = 0.0
    found = []
    for past in (audio, silenced):
        resampler = StreamResampler(rate_hz, 2)
        early = resampler.push(past[:, :before]).shape[1]
        resampler.restart(0)
        late = [resampler.push(part) for part in np.array_split(past[:, before:], 9, axis=1)]
        found.append(np.concatenate([*late, resampler.finish()], axis=1))
    assert np.array_equal(found[0], found[1])
    # The filter rings around a sudden start; of a stream that is new, soxr leaves out what lies before it.
    first = max(0, before * 16_000 // rate_hz - early) + 200 if before else 0
    for stream, ringing in enumerate((first, 0)):
        whole = StreamResampler(rate_hz)
        expected = np.concatenate([whole.push(silenced[stream : stream + 1]), whole.finish()], axis=1)[0, early:]
        assert found[0].shape[1] == len(expected)
        assert np.allclose(found[0][stream, ringing:], expected[ringing:], atol=1e-6)


@pytest.mark.parametrize("rate", [0, -16_000, 3_999, 384_001, 44_100.5, 16_000.0, "48000", None, True])
def test_impossible_rates(rate: object, tones: Bundle) -> None:
    with pytest.raises(DataError, match="whole number of Hz from 4000 to 384000"):
        checked_rate(rate)
    with pytest.raises(DataError, match="whole number of Hz"):
        Detector(tones, sample_rate_hz=rate)  # type: ignore[arg-type]
    slots = StreamSlots(tones, 1)
    with pytest.raises(DataError, match="whole number of Hz"):
        slots.open(rate)  # type: ignore[arg-type]
    assert slots.free == 1
    assert checked_rate(np.int64(MIN_RATE_HZ)) == MIN_RATE_HZ
    assert checked_rate(MAX_RATE_HZ) == MAX_RATE_HZ


def test_soxr_is_needed_only_for_other_rates(tones: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys, wakeword.runtime, wakeword.runtime.microphone; assert 'soxr' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    monkeypatch.setitem(sys.modules, "soxr", None)
    Detector(tones)
    with pytest.raises(MissingExtraError, match=r"48000 Hz audio to 16000 Hz needs the extra \[resampling\]"):
        Detector(tones, sample_rate_hz=48_000)
    slots = StreamSlots(tones, 1)
    with pytest.raises(MissingExtraError):
        slots.open(48_000)
    assert slots.free == 1
    slot = slots.open()
    with pytest.raises(MissingExtraError):
        slots.set_rate(slot, 8_000)
    slots.feed(slot, np.zeros(320, np.int16))
    slots.step()


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_events_of_other_rates(tones: Bundle, rate_hz: int) -> None:
    """The same words at the same seconds as at 16 kHz, whatever the chunks; int16 and float alike."""
    audio = track(EVENTS, 6.0)
    wanted = detect(Detector(tones), audio, [1280])
    given = at_rate(audio, rate_hz)
    detector = Detector(tones, sample_rate_hz=rate_hz)
    found = detect(detector, given, [rate_hz // 12])
    assert_near(found, wanted)
    assert times(detect(detector, given, [7, 997, 1])[:]) == times(found)
    assert times(detect(detector, given, [len(given)])) == times(found)
    as_int16 = np.clip(np.rint(given * 32768), -32768, 32767).astype(np.int16)
    assert_near(detect(detector, as_int16, [1000]), wanted)
    # Taken for 16 kHz, it is other audio.
    assert [e.word for e in detect(Detector(tones), given, [1280])] != [e.word for e in wanted]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_end_of_the_audio_leaves_the_resampler(tones: Bundle, rate_hz: int) -> None:
    """A word at the very end: the last samples wait in the filter until the flush."""
    audio = track([("alpha", 1.0)], 1.3)
    wanted = detect(Detector(tones), audio, [1280])
    assert len(wanted) == 1
    assert_near(detect(Detector(tones, sample_rate_hz=rate_hz), at_rate(audio, rate_hz), [rate_hz // 50]), wanted)
    slots = StreamSlots(tones, 1)
    slot = slots.open(rate_hz)
    slots.feed(slot, at_rate(audio, rate_hz))
    assert_near([event for _, event in slots.step()] + slots.flush(slot), wanted)


def test_many_streams_of_another_rate(tones: Bundle) -> None:
    audio = np.stack([at_rate(track([(w, s + 0.1 * k) for w, s in EVENTS], 6.0, seed=k), 44_100) for k in range(3)])
    together = detect(Detector(tones, streams=3, sample_rate_hz=44_100), audio, [3528])
    for stream in range(3):
        alone = detect(Detector(tones, sample_rate_hz=44_100), audio[stream], [3528])
        assert times([e for e in together if e.stream == stream]) == times(alone)
    with pytest.raises(DataError, match=r"\(3, samples\)"):
        Detector(tones, streams=3, sample_rate_hz=44_100).process(audio[:2])
    with pytest.raises(DataError, match="NaN"):
        Detector(tones, sample_rate_hz=44_100).process(np.full(100, np.nan, np.float32))


def test_a_reset_forgets_the_resampler_too(tones: Bundle) -> None:
    audio = at_rate(track(EVENTS, 6.0), 48_000)
    detector = Detector(tones, sample_rate_hz=48_000)
    first = detect(detector, audio, [3841])
    assert len(first) == 3
    detector.process(audio[:70_000])
    detector.reset()
    assert detect(detector, audio, [3841]) == first
    # One of two: its own audio from then on, as if silence had been before.
    two = Detector(tones, streams=2, sample_rate_hz=48_000)
    loud = np.stack([audio, audio])
    two.process(loud[:, : int(1.15 * 48_000)])
    two.reset(0)
    events = two.process(loud[:, int(1.15 * 48_000) :]) + two.flush()
    assert [e.word for e in events if e.stream == 1] == ["alpha", "beta", "alpha"]
    assert [e.word for e in events if e.stream == 0] == ["beta", "alpha"]


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000])
def test_files_of_other_rates(tones: Bundle, tmp_path: Path, rate_hz: int) -> None:
    audio = track(EVENTS, 6.0)
    given = at_rate(audio, rate_hz)
    wanted = detect_file(tones, write_wav(tmp_path / "a.wav", audio))
    path = write_wav(tmp_path / "b.wav", given, rate_hz, channels=2)
    assert_near(detect_file(tones, path), wanted)
    assert detect_file(tones, path, sample_rate_hz=rate_hz) == detect_file(tones, path)
    assert_near(detect_file(tones, np.array_split(given, 11), sample_rate_hz=rate_hz), wanted)
    with pytest.raises(DataError, match=f"b.wav: its header states {rate_hz} Hz, not 22050 Hz"):
        detect_file(tones, path, sample_rate_hz=22_050)


def test_slots_of_all_rates_share_their_steps(tones: Bundle) -> None:
    """Each stream gives the events of a detector of its rate; a reopened slot has 16 kHz again."""
    rates = [16_000, 8_000, 44_100, 48_000]
    slots = StreamSlots(tones, len(rates))
    tracks = [at_rate(track([("alpha", 0.5 + 0.1 * k), ("beta", 1.5)], 2.5, seed=k), r) for k, r in enumerate(rates)]
    handles = [slots.open(rate) for rate in rates]
    found: dict[int, list[Detection]] = {slot: [] for slot in handles}
    for turn in range(25):
        for slot, rate, audio in zip(handles, rates, tracks, strict=True):
            slots.feed(slot, audio[turn * rate // 10 : (turn + 1) * rate // 10])
        for slot, event in slots.step():
            found[slot].append(event)
    for slot, rate, audio in zip(handles, rates, tracks, strict=True):
        alone = detect(Detector(tones, sample_rate_hz=rate), audio, [rate // 10])
        assert times(found[slot] + slots.flush(slot)) == times(alone)
        assert len(alone) == 2
    slots.close(handles[3])
    assert slots.open() == handles[3]
    slots.feed(handles[3], tracks[0])
    again = [event for slot, event in slots.step() if slot == handles[3]] + slots.flush(handles[3])
    assert times(again) == times(detect(Detector(tones), tracks[0], [1600]))


def test_a_rate_that_is_known_late(tones: Bundle) -> None:
    audio = at_rate(track([("alpha", 0.5)], 1.5), 48_000)
    slots = StreamSlots(tones, 1)
    slot = slots.open()
    slots.set_rate(slot, 48_000)
    slots.feed(slot, audio)
    with pytest.raises(DataError, match="has started"):
        slots.set_rate(slot, 8_000)
    found = [event for _, event in slots.step()] + slots.flush(slot)
    assert times(found) == times(detect(Detector(tones, sample_rate_hz=48_000), audio, [4800]))
    slots.close(slot)
    with pytest.raises(DataError, match="not open"):
        slots.set_rate(slot, 8_000)
