"""Many streams that come, go and advance at their own pace, scored together: what a server needs.

Each open stream owns a slot of preallocated arrays. `feed` queues audio, `step` scores everything that is queued in
as few calls of the graph as the amounts allow, and events come back with the slot they belong to.
Not for use from several threads at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wakeword.errors import DataError, ServingError
from wakeword.runtime.bundle import SAMPLE_RATE_HZ, Bundle
from wakeword.runtime.detector import STEPS_PER_CALL, events_for, to_float
from wakeword.runtime.engine import Engine
from wakeword.runtime.events import Detection
from wakeword.runtime.resampling import StreamResampler, checked_rate


class StreamSlots:
    """`capacity` slots for streams of one bundle."""

    def __init__(self, bundle: Bundle, capacity: int, thresholds: Sequence[float] | None = None) -> None:
        """`thresholds`: one per word; None takes the bundle's.

        Raises BundleError when the graph does not fit the manifest, ValueError for a capacity below 1.
        """
        if capacity < 1:
            raise ValueError(f"there must be room for at least one stream, got {capacity}")
        self.bundle = bundle
        self.engine = Engine(bundle)
        self.capacity = capacity
        self.events = events_for(bundle, capacity, bundle.thresholds if thresholds is None else thresholds)
        self._thresholds = self.events.thresholds.copy()
        self._resamplers: list[StreamResampler | None] = [None] * capacity
        self._state: NDArray[Any] = self.engine.initial_state(capacity)
        self._open = np.zeros(capacity, dtype=bool)
        self._queued = np.zeros(capacity, dtype=np.int64)
        self._heard = np.zeros(capacity, dtype=bool)
        self._pieces: list[list[NDArray[Any]]] = [[] for _ in range(capacity)]

    @property
    def free(self) -> int:
        """Slots that nobody uses."""
        return int(self.capacity - self._open.sum())

    def open(self, sample_rate_hz: int = SAMPLE_RATE_HZ, thresholds: Sequence[float] | None = None) -> int:
        """Take a free slot; its stream starts at time 0 from the settled state.

        `sample_rate_hz`: of this stream's audio, which is resampled as it comes. `thresholds`: of this stream, one per
        word; None takes those of all.

        Raises ServingError when all slots are taken, DataError for an impossible rate, ValueError for a wrong number
        of thresholds, MissingExtraError for another rate than 16 kHz without soxr.
        """
        if not self.free:
            raise ServingError(f"all {self.capacity} streams are taken; try again later")
        slot = int(np.flatnonzero(~self._open)[0])
        resampler = _resampler(sample_rate_hz)
        self.events.thresholds[slot] = self._thresholds[slot] if thresholds is None else thresholds
        self._resamplers[slot] = resampler
        self._open[slot] = True
        self._restart(slot)
        return slot

    def set_rate(self, slot: int, sample_rate_hz: int) -> None:
        """The rate of an open stream that has got no audio yet, once it is known.

        Raises DataError for a slot that is not open or has heard audio and for an impossible rate, MissingExtraError
        for another rate than 16 kHz without soxr.
        """
        self._check(slot)
        if self._heard[slot]:
            raise DataError(f"the stream in slot {slot} has begun: its sample rate stays")
        self._resamplers[slot] = _resampler(sample_rate_hz)

    def feed(self, slot: int, audio: ArrayLike) -> None:
        """Queue `(samples,)` int16 or float32, any number of samples.

        Raises DataError for a slot that is not open, a wrong shape or type, or NaN; nothing is queued then.
        """
        self._check(slot)
        samples = to_float(audio)
        if samples.ndim != 1:
            raise DataError(f"audio of one stream must be (samples,), got {samples.shape}")
        self._heard[slot] |= len(samples) > 0
        resampler = self._resamplers[slot]
        self._queue(slot, samples if resampler is None else resampler.push(samples[None])[0])

    def step(self) -> list[tuple[int, Detection]]:
        """Score all queued audio that fills whole steps; returns (slot, detection) as they became certain.

        Streams with equal amounts queued share one call of the graph; where amounts differ, all advance by the
        smallest, and so on with those that have more.
        """
        return self._advance(np.arange(self.capacity))

    def flush(self, slot: int) -> list[Detection]:
        """End of this stream's audio: `flush_all` for one slot."""
        return self.flush_all([slot])[slot]

    def flush_all(self, slots: Sequence[int]) -> dict[int, list[Detection]]:
        """End of the audio of some streams: the detections still due, by slot; each slot then starts anew at time 0.

        What is queued is scored, followed by silence as in `Detector.flush`. Other streams do not move.

        Raises DataError for a slot that is not open.
        """
        for slot in slots:
            self._check(slot)
        for slot in slots:
            resampler = self._resamplers[slot]
            if resampler is not None:
                self._queue(slot, resampler.finish()[0])
            if self._heard[slot]:
                self._queue(slot, np.zeros(self.bundle.tail_samples(int(self._queued[slot])), dtype=np.float32))
        found: dict[int, list[Detection]] = {slot: [] for slot in slots}
        for slot, event in self._advance(np.asarray(slots, dtype=np.int64)):
            found[slot].append(event)
        for slot in slots:
            found[slot] += self.events.flush(slot)
            self._restart(slot)
        return found

    def close(self, slot: int) -> None:
        """Give the slot back; what is queued is dropped. Raises DataError for a slot that is not open."""
        self._check(slot)
        self._open[slot] = False
        self._resamplers[slot] = None
        self._restart(slot)

    def _restart(self, slot: int) -> None:
        self._state[slot] = self.engine.settled_state
        self._pieces[slot].clear()
        self._queued[slot] = 0
        self._heard[slot] = False
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
        """Score the whole steps that these slots have queued."""
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
        """The first `count` queued samples of a slot, which must be there."""
        pieces = self._pieces[slot]
        joined = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        pieces[:] = [joined[count:]] if len(joined) > count else []
        self._queued[slot] -= count
        return joined[:count]


def _resampler(sample_rate_hz: int) -> StreamResampler | None:
    return None if checked_rate(sample_rate_hz) == SAMPLE_RATE_HZ else StreamResampler(sample_rate_hz)
