"""Detect words in one audio stream, or in several streams that advance together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wakeword.errors import DataError
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.cascade import VerifiedEvents
from wakeword.runtime.engine import Engine
from wakeword.runtime.events import Detection, EventDetector
from wakeword.runtime.manifest import SAMPLE_RATE_HZ
from wakeword.runtime.resampling import StreamResampler, checked_rate
from wakeword.runtime.wav import wav_blocks, wav_rate_hz

Float = NDArray[np.float32]

STEPS_PER_CALL = 400
"""Most steps of all streams in one call of the graph, which bounds the memory of its activations."""


def to_float(audio: ArrayLike) -> Float:
    """Convert samples to float32 in [-1, 1]: int16 is divided by 32768, floating point is not scaled.

    Raises DataError for other types and for NaN or infinite samples, which would stay in the state.
    """
    samples = np.asarray(audio)
    if samples.dtype == np.int16:
        return samples.astype(np.float32) / np.float32(32768.0)
    if samples.dtype.kind != "f":
        raise DataError(f"audio must be int16 or floating point, got {samples.dtype}")
    samples = samples.astype(np.float32, copy=False)
    if not np.isfinite(samples).all():
        raise DataError("the audio holds NaN or infinite samples")
    return samples


def events_for(bundle: Bundle, streams: int, thresholds: ArrayLike) -> EventDetector:
    """The event detector with the words, timing and probability maps of a bundle."""
    settings = bundle.manifest.detector
    maps = [word.probability_map for word in bundle.manifest.words]
    return EventDetector(
        bundle.labels,
        bundle.step_s,
        settings.smoothing_s,
        settings.nms_window_s,
        settings.refractory_s,
        thresholds,
        streams,
        [found.probability if found else None for found in maps],
    )


class Detector:
    """Detects the words of a bundle in `streams` mono streams that get the same number of samples in each call.

    Audio at other rates than 16 kHz is resampled. All times are seconds of the input audio. For streams that start, end
    and advance independently, use `wakeword.runtime.slots.StreamSlots`.
    """

    def __init__(
        self,
        bundle: Bundle,
        streams: int = 1,
        threshold: float | Sequence[float] | None = None,
        sample_rate_hz: int = SAMPLE_RATE_HZ,
        verify: bool = True,
    ) -> None:
        """`threshold`: for all words, or one per word; None uses those of the bundle. `sample_rate_hz`: of the input.

        `verify`: use the verifier of a bundle that has one. Thresholds are then on its fused score, and events are
        `after_s` later. False uses the detector alone, with its own thresholds.

        Raises BundleError if the graph does not match the manifest or a threshold is outside [0, 1], DataError for a
        rate outside 4,000 to 384,000 Hz, MissingExtraError for a rate other than 16 kHz without soxr.
        """
        self.bundle = bundle
        self.sample_rate_hz = checked_rate(sample_rate_hz)
        self._resampler = None if sample_rate_hz == SAMPLE_RATE_HZ else StreamResampler(sample_rate_hz, streams)
        self.engine = Engine(bundle)
        self.streams = streams
        verified = verify and bundle.manifest.verifier is not None
        if threshold is None or isinstance(threshold, int | float):
            thresholds = bundle.thresholds_for(threshold=threshold, verified=verified)
        else:
            thresholds = list(threshold)
        self.verification = VerifiedEvents(bundle, streams, thresholds) if verified else None
        """Decides about the peaks of a bundle with a verifier; None if the detector is alone."""
        self.events = self.verification.peaks if self.verification else events_for(bundle, streams, thresholds)
        """Peaks and thresholds on the detector's score: of the events, or of the triggers of the verifier."""
        self._state = self.engine.initial_state(streams)
        self._rest: Float = np.zeros((streams, 0), dtype=np.float32)
        self._has_audio = False

    def process(self, audio: ArrayLike) -> list[Detection]:
        """Process `(streams, samples)`, or `(samples,)` with one stream; float32 or int16; any number of samples.

        Returns the detections that became certain. Samples that do not fill a step wait for the next call.

        Raises DataError for a wrong shape, type or NaN.
        """
        return self.process_scores(audio)[1]

    def process_scores(self, audio: ArrayLike) -> tuple[Float, list[Detection]]:
        """As `process`; also returns the raw scores `(streams, scores, words)` of this call."""
        samples = self._resampled(audio)
        score = self._score(samples)
        return score, self._push(samples, score)

    def scores(self, audio: ArrayLike) -> Float:
        """Raw scores `(streams, scores, words)` without smoothing and without a search for events.

        The time of score `i` of a stream is `(i + 1) * bundle.step_s` seconds.
        """
        return self._score(self._resampled(audio))

    def _resampled(self, audio: ArrayLike) -> Float:
        """The given samples at 16 kHz: `(streams, samples)` float32."""
        samples = to_float(audio)
        if samples.ndim == 1 and self.streams == 1:
            samples = samples[None]
        if samples.ndim != 2 or samples.shape[0] != self.streams:
            raise DataError(f"audio must be ({self.streams}, samples), got {samples.shape}")
        self._has_audio |= samples.shape[1] > 0
        return samples if self._resampler is None else self._resampler.push(samples)

    def _push(self, samples: Float, score: Float) -> list[Detection]:
        """Events that became certain with `samples (streams, n)` at 16 kHz and the scores of the whole steps."""
        return self.verification.push(samples, score) if self.verification else self.events.push(score)

    def _score(self, samples: Float) -> Float:
        """Scores of the waiting samples and `(streams, samples)` at 16 kHz."""
        if self._rest.shape[1]:
            samples = np.concatenate([self._rest, samples], axis=1)
        step = self.engine.step_samples
        whole = samples.shape[1] - samples.shape[1] % step
        self._rest = samples[:, whole:].copy()
        block = max(1, STEPS_PER_CALL // self.streams) * step
        parts = []
        for start in range(0, whole, block):
            part = np.ascontiguousarray(samples[:, start : min(whole, start + block)])
            score, self._state = self.engine.run(part, self._state)
            parts.append(score)
        if not parts:
            return np.zeros((self.streams, 0, len(self.events.words)), dtype=np.float32)
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def flush(self) -> list[Detection]:
        """End the audio and return the remaining detections. All streams then restart at time 0.

        `Bundle.tail_steps` of digital silence follow the audio, so that a word at its end is detected. The `end_s` of
        an event may therefore be later than the end of the audio.
        """
        return self.flush_scores()[1]

    def flush_scores(self) -> tuple[Float, list[Detection]]:
        """As `flush`; also returns the raw scores `(streams, scores, words)` of the silence."""
        tail = self._resampler.finish() if self._resampler else np.zeros((self.streams, 0), dtype=np.float32)
        silence = self.bundle.tail_samples(self._rest.shape[1] + tail.shape[1]) if self._has_audio else 0
        samples = np.pad(tail, ((0, 0), (0, silence)))
        score = self._score(samples)
        events = self._push(samples, score)
        events += (self.verification or self.events).flush()
        self.reset()
        return score, events

    def reset(self, stream: int | None = None) -> None:
        """Reset one stream or all streams. The waiting samples of a single stream become silence."""
        (self.verification or self.events).reset(stream)
        if self._resampler is not None:
            self._resampler.restart(stream)
        if stream is None:
            self._state = self.engine.initial_state(self.streams)
            self._rest = self._rest[:, :0]
            self._has_audio = False
        else:
            self._state[stream] = self.engine.settled_state
            self._rest[stream] = 0.0


def detect_file(
    bundle: Bundle,
    audio: str | Path | Iterable[Any],
    threshold: float | Sequence[float] | None = None,
    sample_rate_hz: int | None = None,
    verify: bool = True,
) -> list[Detection]:
    """All detections in a file, in time order; only a few seconds of audio are in memory.

    `audio` is the path of a 16-bit WAV, or blocks `(samples,)` for example of `wakeword.audio.io.stream_blocks(path)`,
    which reads other formats. `sample_rate_hz` is the rate of the blocks; None means 16 kHz. Times are seconds of the
    input audio. `verify`: use the verifier of a bundle that has one, as `Detector` does.

    Raises DataError for a file that cannot be used or whose header states another rate than `sample_rate_hz`, and
    MissingExtraError for a rate other than 16 kHz without soxr.
    """
    if isinstance(audio, str | Path):
        rate_hz = wav_rate_hz(audio)
        if sample_rate_hz not in (None, rate_hz):
            raise DataError(f"{audio}: its header states {rate_hz} Hz, not {sample_rate_hz} Hz: omit sample_rate_hz")
        blocks: Iterable[Any] = wav_blocks(audio)
    else:
        rate_hz, blocks = SAMPLE_RATE_HZ if sample_rate_hz is None else sample_rate_hz, audio
    detector = Detector(bundle, threshold=threshold, sample_rate_hz=rate_hz, verify=verify)
    found: list[Detection] = []
    for block in blocks:
        found += detector.process(block)
    return found + detector.flush()
