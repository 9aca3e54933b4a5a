"""Resample audio to 16 kHz, whole or in chunks; soxr is imported only for other rates than 16 kHz."""

from __future__ import annotations

from importlib.util import find_spec
from math import gcd
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeword.errors import DataError, MissingExtraError
from wakeword.runtime.manifest import SAMPLE_RATE_HZ

Float = NDArray[np.float32]

MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 384_000
"""Accepted sample rates, also of files."""


def can_resample() -> bool:
    """Whether soxr is installed."""
    return find_spec("soxr") is not None


def checked_rate(sample_rate_hz: object) -> int:
    """Return `sample_rate_hz` as an int. Raises DataError unless it is a whole number from 4,000 to 384,000."""
    if (
        isinstance(sample_rate_hz, bool)
        or not isinstance(sample_rate_hz, Integral)
        or not MIN_RATE_HZ <= int(sample_rate_hz) <= MAX_RATE_HZ
    ):
        raise DataError(
            f"a sample rate must be a whole number of Hz from {MIN_RATE_HZ} to {MAX_RATE_HZ}, got {sample_rate_hz!r}"
        )
    return int(sample_rate_hz)


class StreamResampler:
    """Resamples `streams` mono streams of one rate together to 16 kHz (soxr, quality HQ).

    Output sample `k` of a stream is its audio at `k / 16000` seconds, for any chunking: the filter has linear phase, so
    its delay (20 to 100 ms) only postpones the output.
    """

    def __init__(self, sample_rate_hz: int, streams: int = 1) -> None:
        """Raises DataError for an impossible rate, MissingExtraError without soxr."""
        self.sample_rate_hz = checked_rate(sample_rate_hz)
        self.streams = streams
        common = gcd(self.sample_rate_hz, SAMPLE_RATE_HZ)
        # `_period` input samples give exactly `_yield` output samples and return to the same phase.
        self._period, self._yield = self.sample_rate_hz // common, SAMPLE_RATE_HZ // common
        self.restart()

    def push(self, samples: Float) -> Float:
        """Resample `(streams, n)` float32; returns the available output `(streams, m)`, clipped to [-1, 1]."""
        self._received += samples.shape[1]
        for stream, row in enumerate(samples):
            self._add(stream, self._lanes[stream].resample_chunk(np.ascontiguousarray(row)))
        return self._ready()

    def finish(self) -> Float:
        """End the audio: return the rest `(streams, m)` from the filter and restart all streams."""
        for stream, lane in enumerate(self._lanes):
            self._add(stream, lane.resample_chunk(np.zeros(0, np.float32), last=True))
        tail = self._ready()
        self.restart()
        return tail

    def restart(self, stream: int | None = None) -> None:
        """Restart all streams, or one stream in step with the others."""
        if stream is None:
            self._lanes = [_soxr_stream(self.sample_rate_hz) for _ in range(self.streams)]
            self._waiting: list[Float] = [np.zeros(0, np.float32)] * self.streams
            self._skip = [0] * self.streams
            self._received = self._returned = 0
            return
        # As if the stream had been silent since the last time at which a new resampler has the same phase.
        periods, rest = divmod(self._received, self._period)
        ahead = self._returned - periods * self._yield
        lane = self._lanes[stream] = _soxr_stream(self.sample_rate_hz)
        self._waiting[stream] = np.zeros(max(0, -ahead), np.float32)
        self._skip[stream] = max(0, ahead)
        self._add(stream, lane.resample_chunk(np.zeros(rest, np.float32)))

    def _add(self, stream: int, samples: Float) -> None:
        skipped = min(self._skip[stream], len(samples))
        self._skip[stream] -= skipped
        # The filter overshoots at clipped samples.
        fresh = np.clip(samples[skipped:], np.float32(-1.0), np.float32(1.0))
        self._waiting[stream] = np.concatenate([self._waiting[stream], fresh]) if len(self._waiting[stream]) else fresh

    def _ready(self) -> Float:
        count = min(map(len, self._waiting))
        ready = np.stack([waiting[:count] for waiting in self._waiting])
        self._waiting = [waiting[count:] for waiting in self._waiting]
        self._returned += count
        return ready


def resample(audio: Float, sample_rate_hz: int) -> Float:
    """Resample a whole signal `(samples,)` float32 to 16 kHz, without clipping."""
    if sample_rate_hz == SAMPLE_RATE_HZ:
        return np.asarray(audio, np.float32)
    soxr = _soxr(sample_rate_hz)
    return np.asarray(soxr.resample(np.asarray(audio, np.float32), sample_rate_hz, SAMPLE_RATE_HZ, quality="HQ"))


def _soxr_stream(sample_rate_hz: int) -> Any:
    return _soxr(sample_rate_hz).ResampleStream(sample_rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")


def _soxr(sample_rate_hz: int) -> Any:
    try:
        import soxr
    except ImportError as error:
        feature = f"Resampling {sample_rate_hz} Hz audio to {SAMPLE_RATE_HZ} Hz"
        raise MissingExtraError(feature, "resampling", error) from error
    return soxr
