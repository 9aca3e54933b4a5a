"""Score many independent streams together, for a server.

Each open stream has a slot in preallocated arrays. `feed` queues audio, and `step` scores all queued audio in as few
calls of the graph as possible and returns events with their slots. Not thread-safe.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wakeword.errors import DataError, ServingError
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.detector import STEPS_PER_CALL, events_for, to_float
from wakeword.runtime.engine import Engine
from wakeword.runtime.events import Detection
from wakeword.runtime.manifest import SAMPLE_RATE_HZ
from wakeword.runtime.resampling import StreamResampler, checked_rate


class StreamSlots:
    """`capacity` slots for streams of one bundle."""

    def __init__(self, bundle: Bundle, capacity: int, thresholds: Sequence[float] | None = None) -> None:
        """`thresholds`: one per word; None uses those of the bundle.

        Raises BundleError if the graph does not match the manifest, ValueError for a capacity below 1.
        """
        if capacity < 1:
            raise ValueError(f"the capacity must be at least one stream, got {capacity}")
        self.bundle = bundle
        self.engine = Engine(bundle)
        self.capacity = capacity
        self.events = events_for(bundle, capacity, bundle.thresholds if thresholds is None else thresholds)
        self._thresholds = self.events.thresholds.copy()
        self._resamplers: list[StreamResampler | None] = [None] * capacity
        self._state: NDArray[Any] = self.engine.initial_state(capacity)
        self._open = np.zeros(capacity, dtype=bool)
        self._queued = np.zeros(capacity, dtype=np.int64)
        self._has_audio = np.zeros(capacity, dtype=bool)
        self._pieces: list[list[NDArray[Any]]] = [[] for _ in range(capacity)]

    @property
    def free(self) -> int:
        """Number of free slots."""
        return int(self.capacity - self._open.sum())

    def open(self, sample_rate_hz: int = SAMPLE_RATE_HZ, thresholds: Sequence[float] | None = None) -> int:
        """Open a free slot at time 0 and return its number.

        `sample_rate_hz`: of the audio of this stream. `thresholds`: one per word for this stream; None uses the common
        ones.

        Raises ServingError if no slot is free, DataError for an impossible rate, ValueError for a wrong number of
        thresholds, MissingExtraError for a rate other than 16 kHz without soxr.
        """
        if not self.free:
            raise ServingError(f"all {self.capacity} streams are in use; try again later")
        slot = int(np.flatnonzero(~self._open)[0])
        resampler = _resampler(sample_rate_hz)
        self.events.thresholds[slot] = self._thresholds[slot] if thresholds is None else thresholds
        self._resamplers[slot] = resampler
        self._open[slot] = True
        self._restart(slot)
        return slot

    def set_rate(self, slot: int, sample_rate_hz: int) -> None:
        """Set the sample rate of an open stream before its first audio.

        Raises DataError for a slot that is not open or has received audio and for an impossible rate, MissingExtraError
        for a rate other than 16 kHz without soxr.
        """
        self._check(slot)
        if self._has_audio[slot]:
            raise DataError(f"the stream in slot {slot} has started: its sample rate cannot change")
        self._resamplers[slot] = _resampler(sample_rate_hz)

    def feed(self, slot: int, audio: ArrayLike) -> None:
        """Queue any number of samples `(samples,)`, int16 or float32.

        Raises DataError for a slot that is not open, a wrong shape or type, or NaN; nothing is queued then.
        """
        self._check(slot)
        samples = to_float(audio)
        if samples.ndim != 1:
            raise DataError(f"audio of one stream must be (samples,), got {samples.shape}")
        self._has_audio[slot] |= len(samples) > 0
        resampler = self._resamplers[slot]
        self._queue(slot, samples if resampler is None else resampler.push(samples[None])[0])

    def step(self) -> list[tuple[int, Detection]]:
        """Score all queued whole steps; returns the (slot, detection) pairs that became certain.

        Streams share calls of the graph: all advance by the smallest queued amount, then the others by the next.
        """
        return self._advance(np.arange(self.capacity))

    def flush(self, slot: int) -> list[Detection]:
        """End the audio of one stream; see `flush_all`."""
        return self.flush_all([slot])[slot]

    def flush_all(self, slots: Sequence[int]) -> dict[int, list[Detection]]:
        """End the audio of some streams; returns their remaining detections by slot and restarts them at time 0.

        The queued audio is scored, followed by silence as in `Detector.flush`. Other streams do not advance.

        Raises DataError for a slot that is not open.
        """
        for slot in slots:
            self._check(slot)
        for slot in slots:
            resampler = self._resamplers[slot]
            if resampler is not None:
                self._queue(slot, resampler.finish()[0])
            if self._has_audio[slot]:
                self._queue(slot, np.zeros(self.bundle.tail_samples(int(self._queued[slot])), dtype=np.float32))
        found: dict[int, list[Detection]] = {slot: [] for slot in slots}
        for slot, event in self._advance(np.asarray(slots, dtype=np.int64)):
            found[slot].append(event)
        for slot in slots:
            found[slot] += self.events.flush(slot)
            self._restart(slot)
        return found

    def close(self, slot: int) -> None:
        """Free the slot and drop its queued audio. Raises DataError for a slot that is not open."""
        self._check(slot)
        self._open[slot] = False
        self._resamplers[slot] = None
        self._restart(slot)

    def _restart(self, slot: int) -> None:
        self._state[slot] = self.engine.settled_state
        self._pieces[slot].clear()
        self._queued[slot] = 0
        self._has_audio[slot] = False
        if (resampler := self._resamplers[slot]) is not None:
            resampler.restart()
        self.events.reset(slot)

    def _check(self, slot: int) -> None:
        if not 0 <= slot < self.capacity or not self._open[slot]:
            raise DataError(f"slot {slot} is not open")

    def _queue(self, slot: int, samples: NDArray[Any]) -> None:
        """Queue `(samples,)` at 16 kHz."""
        if len(samples):
            self._pieces[slot].append(samples)
            self._queued[slot] += len(samples)

    def _advance(self, slots: NDArray[np.int64]) -> list[tuple[int, Detection]]:
        """Score the queued whole steps of these slots."""
        step = self.engine.step_samples
        found: list[tuple[int, Detection]] = []
        while len(rows := slots[self._queued[slots] >= step]):
            smallest = int(self._queued[rows].min()) // step
            count = min(smallest, max(1, STEPS_PER_CALL // len(rows))) * step
            audio = np.stack([self._take(int(slot), count) for slot in rows])
            score, self._state[rows] = self.engine.run(audio, self._state[rows])
            found += [(event.stream, event) for event in self.events.push(score, rows)]
        return found

    def _take(self, slot: int, count: int) -> NDArray[Any]:
        """Remove and return the first `count` queued samples of a slot."""
        pieces = self._pieces[slot]
        joined = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        pieces[:] = [joined[count:]] if len(joined) > count else []
        self._queued[slot] -= count
        return joined[:count]


def _resampler(sample_rate_hz: int) -> StreamResampler | None:
    return None if checked_rate(sample_rate_hz) == SAMPLE_RATE_HZ else StreamResampler(sample_rate_hz)
