"""Detector and verifier together: peaks of the detector's score wait for their audio, then the verifier decides.

Every local peak of the smoothed score at or above the trigger threshold of its word is measured on the audio around it.
Its score becomes the fused one. Events are the peaks whose fused score reaches the threshold and that are at least the
refractory time after the last event of the word, as without a verifier. They do not depend on the chunking.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wakeword.runtime.bundle import Bundle
from wakeword.runtime.events import Detection, EventDetector
from wakeword.runtime.verifier import Verifier

Float = NDArray[np.float32]

_LONG_AGO = -(1 << 62)


@dataclass(frozen=True)
class _Trigger:
    """A peak that waits for its audio."""

    event: Detection
    word: int
    peak: int
    """Number of its score since the start of the stream."""
    end: int
    """Sample after the last one of its window, on the clock of the audio kept in memory."""


class VerifiedEvents:
    """Events of `streams` streams that advance together. Audio is kept for one window and the waiting peaks."""

    def __init__(self, bundle: Bundle, streams: int, thresholds: ArrayLike) -> None:
        """`thresholds`: on the fused score, one for all, one per word, or `(streams, words)`.

        Raises BundleError if the verifier and the manifest do not match, ValueError for a wrong number of thresholds.
        """
        self.verifier = Verifier(bundle)
        settings = bundle.manifest.detector
        # Without a refractory time, every peak above the trigger threshold is an event of this detector.
        self.peaks = EventDetector(
            bundle.labels,
            bundle.step_s,
            settings.smoothing_s,
            settings.nms_window_s,
            0.0,
            self.verifier.trigger_thresholds,
            streams,
        )
        """Finds the peaks of the detector's score; its thresholds are those of the triggers."""
        self._labels = {label: number for number, label in enumerate(bundle.labels)}
        self._maps = [word.probability_map for word in self.verifier.part.words]
        self._step, self._step_s = bundle.manifest.step_samples, bundle.step_s
        self._timing = bundle.timing
        shape = (streams, len(self._labels))
        self.thresholds = np.broadcast_to(np.asarray(thresholds, dtype=np.float64), shape).copy()
        """Thresholds `(streams, words)` on the fused score."""
        self.measured = 0
        """Number of windows that the verifier has heard."""
        self._waiting: list[list[_Trigger]] = [[] for _ in range(streams)]
        self._last_event = np.full(shape, _LONG_AGO, dtype=np.int64)
        self._audio: Float = np.zeros((streams, 0), dtype=np.float32)
        self._first = 0
        self._scored = 0
        self._origin = np.zeros(streams, dtype=np.int64)

    def push(self, audio: Float, scores: ArrayLike) -> list[Detection]:
        """Add `audio (streams, samples)` at 16 kHz and the raw `scores (streams, n, words)` of the whole steps so far.

        Returns the events that became certain, in time order per stream.
        """
        self._audio = np.concatenate([self._audio, audio], axis=1)
        self._scored += np.shape(scores)[1] * self._step
        self._add(self.peaks.push(scores))
        events = self._decide(self._first + self._audio.shape[1])
        self._trim()
        return events

    def flush(self) -> list[Detection]:
        """End all streams: the remaining events; the audio after the end is silence. Restarts at time 0."""
        self._add(self.peaks.flush())
        events = self._decide(None)
        self.reset()
        return events

    def reset(self, stream: int | None = None) -> None:
        """Restart all streams at time 0, or one stream at its next score; its audio so far becomes silence."""
        self.peaks.reset(stream)
        if stream is not None:
            self._waiting[stream].clear()
            self._last_event[stream] = _LONG_AGO
            self._audio[stream] = 0.0
            self._origin[stream] = self._scored
            return
        for waiting in self._waiting:
            waiting.clear()
        self._last_event[:] = _LONG_AGO
        self._audio = self._audio[:, :0]
        self._first = self._scored = 0
        self._origin[:] = 0

    def _add(self, found: list[Detection]) -> None:
        for event in found:
            peak = round(event.end_s / self._step_s) - 1
            end = int(self._origin[event.stream]) + (peak + 1) * self._step + self.verifier.after_samples
            self._waiting[event.stream].append(_Trigger(event, self._labels[event.word], peak, end))

    def _decide(self, heard: int | None) -> list[Detection]:
        """Decide the waiting peaks whose window ends at sample `heard` or before; None decides all."""
        events = []
        for waiting in self._waiting:
            ready = 0
            while ready < len(waiting) and (heard is None or waiting[ready].end <= heard):
                if (event := self._verified(waiting[ready])) is not None:
                    events.append(event)
                ready += 1
            del waiting[:ready]
        return events

    def _verified(self, trigger: _Trigger) -> Detection | None:
        """The event of a peak, or None if its fused score is too low or it follows another event too soon."""
        event, word = trigger.event, trigger.word
        if trigger.peak - self._last_event[event.stream, word] < self._timing.refractory:
            return None  # It cannot be an event, whatever the verifier says.
        log_probs = self.verifier.log_probs(self._window(event.stream, trigger.end)[None])
        self.measured += 1
        features = self.verifier.measure(event.word, log_probs)
        score = float(self.verifier.fused(event.word, [event.score], features)[0])
        if score < self.thresholds[event.stream, word]:
            return None
        self._last_event[event.stream, word] = trigger.peak
        found = self._maps[word]
        return replace(event, score=score, probability=found.probability(score) if found else None)

    def _window(self, stream: int, end: int) -> Float:
        """The window that ends before sample `end`, with silence where there is no audio."""
        start = end - self.verifier.window_samples
        low, high = max(start, self._first), min(end, self._first + self._audio.shape[1])
        window = np.zeros(self.verifier.window_samples, dtype=np.float32)
        if low < high:
            window[low - start : high - start] = self._audio[stream, low - self._first : high - self._first]
        return window

    def _trim(self) -> None:
        """Drop the audio that no waiting and no later peak needs."""
        waiting = [trigger.end for stream in self._waiting for trigger in stream[:1]]
        # The next peak to become certain lies `hold` scores back.
        earliest = self._scored - self._timing.hold * self._step + self.verifier.after_samples
        start = min([earliest, *waiting]) - self.verifier.window_samples
        dropped = min(max(0, start - self._first), self._audio.shape[1])
        if dropped:
            self._audio = self._audio[:, dropped:].copy()
            self._first += dropped
