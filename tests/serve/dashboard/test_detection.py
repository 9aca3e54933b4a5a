"""The detector behind the Detect and Microphone tabs gives the runtime's events."""

from __future__ import annotations

import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soxr

from serve.dashboard.detection import EVENT_COLUMNS, LiveSession, analyse_file, event_rows, read_threshold
from serve.dashboard.plots import curves_figure, detection_figure, wave_envelope
from tests.serve.conftest import spoken
from wakeword.errors import DataError
from wakeword.runtime.bundle import load_bundle
from wakeword.runtime.detector import Detector


def write_wav(path: Path, audio: np.ndarray, rate_hz: int = 16_000) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        sound.writeframes(audio.tobytes())
    return path


def test_a_file(tone_bundle: Path, tmp_path: Path) -> None:
    audio = spoken([("alpha", 0.5), ("beta", 1.6)], 3.0)
    detector = Detector(load_bundle(tone_bundle))
    wanted = detector.process(audio) + detector.flush()
    path = write_wav(tmp_path / "a.wav", audio)
    found = analyse_file(path, tone_bundle, None, 60)
    assert found.events == wanted
    assert len(wanted) == 2
    rows = event_rows([wanted[0], replace(wanted[1], probability=0.25)])
    assert [len(row) for row in rows] == [len(EVENT_COLUMNS)] * 2
    assert [row[2] for row in rows] == ["-", "0.250"]
    # The plotted curve passes through the event's score at its time.
    for event in found.events:
        index = int(np.argmin(abs(found.score_times_s - event.end_s)))
        assert found.scores[index, found.words.index(event.word)] == pytest.approx(event.score, abs=1e-6)
    assert analyse_file(path, tone_bundle, 1.0, 60).events == []
    with pytest.raises(DataError, match="too_long"):
        analyse_file(path, tone_bundle, None, 1)
    figure = detection_figure(found)
    assert [line.name for line in figure.data[1:]] == ["alpha", "beta"]


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_live_chunks(tone_bundle: Path, rate_hz: int) -> None:
    audio = spoken([("alpha", 0.5), ("beta", 1.6)], 3.0)
    at_rate = np.repeat(audio, rate_hz // 16_000)
    live = LiveSession(tone_bundle)
    drawn = 0
    for chunk in np.array_split(np.stack([at_rate, at_rate], axis=1), 13):
        live.push(rate_hz, chunk)
        drawn += live.plot_due()
    live.finish()
    assert [event.word for event in live.events] == ["alpha", "beta"]
    assert live.audio_s == pytest.approx(3.0, abs=0.01)
    assert 2 <= drawn <= 4
    window = live.window()
    tail_s = 0.02 * load_bundle(tone_bundle).tail_steps
    assert window.score_times_s[-1] == pytest.approx(3.0 + tail_s, abs=0.05)
    with pytest.raises(DataError, match="rate changed"):
        live.push(44_100, at_rate)


def test_the_browsers_rate_is_that_of_the_detector(tone_bundle: Path) -> None:
    """The same events as the runtime's detector at that rate, with the given thresholds."""
    audio = spoken([("alpha", 0.5), ("beta", 1.6)], 3.0)
    at_rate = np.clip(np.rint(soxr.resample(audio.astype(np.float32), 16_000, 44_100)), -32768, 32767).astype(np.int16)
    for threshold in (None, 0.3, 1.0):
        live = LiveSession(tone_bundle, threshold)
        for chunk in np.array_split(at_rate, 7):
            live.push(44_100, chunk)
        live.finish()
        detector = Detector(load_bundle(tone_bundle), threshold=threshold, sample_rate_hz=44_100)
        wanted = detector.process(at_rate) + detector.flush()
        assert [(e.word, e.end_s) for e in live.events] == [(e.word, e.end_s) for e in wanted]
        assert len(wanted) == (0 if threshold == 1.0 else 2)
        assert live.window().thresholds == detector.events.thresholds[0].tolist()
        assert live.audio_s == pytest.approx(3.0, abs=1e-4)
    with pytest.raises(DataError, match="sample rate"):
        LiveSession(tone_bundle).push(100, at_rate)


def test_a_word_that_ends_with_the_recording_is_detected(tone_bundle: Path, tmp_path: Path) -> None:
    """In a file and from the microphone: event, score and curve reach into the silence after the end."""
    audio = spoken([("alpha", 0.5)], 2.0)[: round(0.8 * 16_000)]
    found = analyse_file(write_wav(tmp_path / "a.wav", audio), tone_bundle, None, 60)
    assert [event.word for event in found.events] == ["alpha"]
    assert found.audio_s == pytest.approx(0.8)
    assert found.score_times_s[-1] > found.events[0].end_s
    live = LiveSession(tone_bundle)
    live.push(16_000, audio)
    live.finish()
    assert [(event.word, event.end_s) for event in live.events] == [("alpha", found.events[0].end_s)]
    assert live.audio_s == pytest.approx(0.8)
    assert len(live.window().scores) == len(found.scores)


def test_the_live_window_moves_on(tone_bundle: Path) -> None:
    live = LiveSession(tone_bundle)
    for _ in range(20):
        live.push(16_000, np.zeros(16_000, np.int16))
    window = live.window()
    assert window.audio_s == pytest.approx(20)
    assert window.score_times_s[0] == pytest.approx(8.02, abs=0.05)
    assert len(window.scores) == 600


def test_typed_thresholds() -> None:
    assert read_threshold(" ") is None
    assert read_threshold("0,35") == 0.35
    for text in ("high", "1.5", "nan", "-0.1"):
        with pytest.raises(DataError, match="0 to 1"):
            read_threshold(text)


def test_envelopes_keep_peaks() -> None:
    audio = np.zeros(160_000, np.float32)
    audio[77_777] = 0.9
    times, values = wave_envelope(audio, 16_000)
    assert values.max() == np.float32(0.9)
    assert times[values.argmax()] == pytest.approx(77_777 / 16_000, abs=0.01)
    assert len(curves_figure({"a": ([1, 2], [0.5, 0.4])}, "loss").data) == 1
