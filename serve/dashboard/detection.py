"""The detector behind the Detect and Microphone tabs, without a user interface."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeword.audio.io import read_audio
from wakeword.config import SAMPLE_RATE_HZ
from wakeword.errors import DataError
from wakeword.runtime.bundle import load_bundle
from wakeword.runtime.detector import Detector
from wakeword.runtime.events import Detection, score_time_s, smooth

from .plots import ScoredAudio, wave_envelope

EVENT_COLUMNS = ["word", "score", "probability", "start (s)", "end (s)"]
_WINDOW_S = 12.0
"""Length of the live plot."""
_PLOT_EVERY_S = 1.0
"""Drawing takes the browser longer than scoring takes the server."""
_LIVE_COLUMNS = 300
_KEPT_EVENTS = 100


def event_rows(events: Iterable[Detection]) -> list[list[Any]]:
    """Rows of the table of detections."""
    chances = ((e, "-" if e.probability is None else f"{e.probability:.3f}") for e in events)
    return [[e.word, f"{e.score:.3f}", chance, f"{e.start_s:.2f}", f"{e.end_s:.2f}"] for e, chance in chances]


def read_threshold(text: str) -> float | None:
    """A threshold from a text field; None for an empty field. Raises DataError for all but a number in [0, 1]."""
    if not text.strip():
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise DataError(f"threshold {text!r} is not a number from 0 to 1: leave it empty for the bundle's own")
    return value


def analyse_file(path: str | Path, bundle: Path, threshold: float | None, max_s: float) -> ScoredAudio:
    """Events and scores of a whole file.

    Raises:
        DataError: the file is unreadable or longer than `max_s`.
        BundleError: the bundle is unusable or `threshold` lies outside [0, 1].
    """
    audio = read_audio(path, max_s=max_s)
    # The plot shows the detector's scores, so its events are the detector's.
    detector = Detector(load_bundle(bundle), threshold=threshold, verify=False)
    parts = [detector.process_scores(audio), detector.flush_scores()]
    events = [event for _, found in parts for event in found]
    scores = smooth(np.concatenate([raw[0] for raw, _ in parts]), detector.events.timing.window)
    return ScoredAudio(
        audio_s=audio.size / SAMPLE_RATE_HZ,
        wave=wave_envelope(audio, SAMPLE_RATE_HZ),
        score_times_s=np.asarray(score_time_s(np.arange(len(scores)), detector.bundle.step_s)),
        scores=scores,
        words=detector.events.words,
        thresholds=detector.events.thresholds[0].tolist(),
        events=events,
    )


class LiveSession:
    """One microphone: takes chunks at the browser's rate, gives scores and events of the last seconds."""

    def __init__(self, bundle: Path, threshold: float | None = None) -> None:
        """Raises BundleError for an unusable bundle or a threshold outside [0, 1]."""
        self._detector = Detector(load_bundle(bundle), threshold=threshold, verify=False)
        self._rate_hz: int | None = None
        self._audio: NDArray[np.float32] = np.zeros(0, np.float32)
        self._scores = np.zeros((0, len(self._detector.events.words)))
        self._samples = 0
        self._scored = 0
        self._plotted_s = -_PLOT_EVERY_S
        self.events: list[Detection] = []

    @property
    def audio_s(self) -> float:
        """Seconds of audio scored."""
        return self._samples / self._detector.sample_rate_hz

    @property
    def score_now(self) -> float:
        """The highest current smoothed score of all words."""
        width = self._detector.events.timing.window
        return float(self._scores[-width:].mean(axis=0).max()) if len(self._scores) else 0.0

    def push(self, rate_hz: int, samples: NDArray[Any]) -> None:
        """Score a chunk, `(samples,)` or `(samples, channels)`, int16, int32 or float32 in [-1, 1].

        Raises:
            DataError: another type, an impossible rate, or the rate changed within the session.
        """
        if self._rate_hz not in (None, rate_hz):
            raise DataError(f"the microphone's rate changed from {self._rate_hz} to {rate_hz} Hz: record again")
        if self._rate_hz is None and rate_hz != self._detector.sample_rate_hz:
            limits = self._detector.events.thresholds[0].tolist()
            bundle = self._detector.bundle
            self._detector = Detector(bundle, threshold=limits, sample_rate_hz=rate_hz, verify=False)
        self._rate_hz = rate_hz
        audio = _mono(samples)
        self._audio = np.concatenate([self._audio, audio])[-int(_WINDOW_S * self._detector.sample_rate_hz) :]
        self._take(audio.size, *self._detector.process_scores(audio))

    def finish(self) -> None:
        """End the recording: take the detector's pending scores and events."""
        self._take(0, *self._detector.flush_scores())

    def plot_due(self) -> bool:
        """Whether a second of audio was scored since this last returned True."""
        if self.audio_s - self._plotted_s < _PLOT_EVERY_S:
            return False
        self._plotted_s = self.audio_s
        return True

    def window(self) -> ScoredAudio:
        """The last 12 seconds."""
        detector = self._detector
        start_s = (self._samples - self._audio.size) / detector.sample_rate_hz
        times, values = wave_envelope(self._audio, detector.sample_rate_hz, _LIVE_COLUMNS)
        first = self._scored - len(self._scores)
        return ScoredAudio(
            audio_s=self.audio_s,
            wave=(times + start_s, values),
            score_times_s=np.asarray(score_time_s(np.arange(first, self._scored), detector.bundle.step_s)),
            scores=smooth(self._scores, detector.events.timing.window) if len(self._scores) else self._scores,
            words=detector.events.words,
            thresholds=detector.events.thresholds[0].tolist(),
            events=[event for event in self.events if event.end_s >= start_s],
        )

    def _take(self, samples: int, raw: NDArray[np.float32], events: list[Detection]) -> None:
        self._samples += samples
        self._scored += raw.shape[1]
        self.events = (self.events + events)[-_KEPT_EVENTS:]
        self._scores = np.concatenate([self._scores, raw[0]])[-int(_WINDOW_S / self._detector.bundle.step_s) :]


def _mono(samples: NDArray[Any]) -> NDArray[np.float32]:
    values = np.asarray(samples)
    if values.dtype == np.int16:
        values = values.astype(np.float32) / 32768.0
    elif values.dtype == np.int32:
        values = values.astype(np.float32) / 2147483648.0
    elif values.dtype.kind != "f":
        raise DataError(f"microphone audio must be int16, int32 or floating point, got {values.dtype}")
    return (values.mean(axis=1) if values.ndim == 2 else values).astype(np.float32)
