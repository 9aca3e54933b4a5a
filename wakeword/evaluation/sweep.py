"""Exact hits and false alarms at every distinct threshold, with the events that the detector makes.

Peaks do not depend on the threshold (`wakeword.runtime.events`), so a track is swept from its peaks alone. All peaks
are there at the lowest threshold; going up, peaks leave one by one. A peak that is no event leaves without a trace.
When an event leaves, the greedy chain of events (each at least the refractory time after the last) is mended from the
event before it until it meets the old chain again, which is a few peaks further on. The whole sweep is near-linear in
the number of peaks, and nothing is rounded to a grid.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeword.errors import DataError
from wakeword.runtime.events import EventTiming, events_from_peaks, find_peaks, smooth

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

OUTSIDE = -1
"""Owner of a peak that lies in no word's window: an event there is a false alarm."""
IGNORED = -2
"""Owner of a peak in a region that counts neither way (a clip that holds the word without a known place)."""


@dataclass(frozen=True)
class Truth:
    """One word's truth on one track, in seconds of the track.

    `word_start_s`, `word_end_s (words,)`: every utterance of the word, in time order.
    `ignored_s (regions, 2)`: regions in which events count neither as hits nor as false alarms.
    """

    word_start_s: Floats
    word_end_s: Floats
    ignored_s: Floats

    def __post_init__(self) -> None:
        if len(self.word_start_s) != len(self.word_end_s):
            raise DataError("truth needs one start for each end")
        if np.any(~(self.word_start_s < self.word_end_s)):
            raise DataError("truth holds a word that does not end after its start")
        if np.any(self.word_start_s[1:] < self.word_end_s[:-1]):
            raise DataError("truth rows overlap: two utterances of one word share a stretch of the same track")

    @classmethod
    def of(cls, words: Sequence[tuple[float, float]] = (), ignored: Sequence[tuple[float, float]] = ()) -> Truth:
        """From `(start_s, end_s)` pairs in any order."""
        rows = np.asarray(sorted(words), dtype=np.float64).reshape(-1, 2)
        return cls(rows[:, 0], rows[:, 1], np.asarray(sorted(ignored), dtype=np.float64).reshape(-1, 2))


@dataclass(frozen=True)
class HitWindow:
    """A word is hit by an event in [end - before_s, end + after_s]."""

    before_s: float
    after_s: float


@dataclass(frozen=True)
class Peaks:
    """All peaks of one word over one or several tracks that stand one after the other.

    `index (peaks,)`: score numbers, rising; tracks are set further apart than the refractory time, so that they do not
    touch. `score (peaks,)`: smoothed scores. `owner (peaks,)`: number of the word whose window holds the peak,
    `OUTSIDE` or `IGNORED`. `latency_s (peaks,)`: peak time minus the end of the owning word (NaN where none).
    `track (peaks,)`, `time_s (peaks,)`: track number and time in that track. `words`: how many words there are.
    """

    index: Ints
    score: Floats
    owner: Ints
    latency_s: Floats
    track: Ints
    time_s: Floats
    words: int
    refractory: int

    def events(self, threshold: float) -> Ints:
        """Positions of the peaks that are events at `threshold`."""
        return events_from_peaks(self.index, self.score, threshold, self.refractory)


def track_peaks(scores: NDArray, truth: Truth, window: HitWindow, timing: EventTiming) -> Peaks:
    """Peaks of raw `scores (n,)` of one word on one track, each with the word that it would hit.

    Where the windows of two words overlap, the earlier one ends where the later one begins, so that an event belongs
    to one word at every threshold. A word's window wins over an ignored region.

    Raises DataError for scores that are not finite.
    """
    values = np.asarray(scores, dtype=np.float64)
    if not np.all(np.isfinite(values)):
        raise DataError("scores hold NaN or infinity: the model or its input is broken, events cannot be counted")
    smoothed = smooth(values, timing.window) if len(values) else values
    index = find_peaks(smoothed, timing.hold)
    owner, latency = _owners(index, truth, window, timing.step_s)
    return Peaks(
        index=index,
        score=smoothed[index],
        owner=owner,
        latency_s=latency,
        track=np.zeros(len(index), dtype=np.int64),
        time_s=(index + 1).astype(np.float64) * timing.step_s,
        words=len(truth.word_end_s),
        refractory=timing.refractory,
    )


def _owners(index: Ints, truth: Truth, window: HitWindow, step_s: float) -> tuple[Ints, Floats]:
    owner = np.full(len(index), OUTSIDE, dtype=np.int64)
    latency = np.full(len(index), np.nan)
    # Bounds in score numbers; the small term keeps exact multiples of the step inside, whatever their last bit.
    for start_s, end_s in truth.ignored_s:
        owner[(index >= _first(start_s, step_s)) & (index <= _last(end_s, step_s))] = IGNORED
    if len(truth.word_end_s):
        first = np.asarray([_first(end - window.before_s, step_s) for end in truth.word_end_s])
        last = np.asarray([_last(end + window.after_s, step_s) for end in truth.word_end_s])
        word = np.searchsorted(first, index, side="right") - 1
        inside = (word >= 0) & (index <= last[np.maximum(word, 0)])
        owner[inside] = word[inside]
        latency[inside] = (index[inside] + 1) * step_s - truth.word_end_s[word[inside]]
    return owner, latency


def _first(time_s: float, step_s: float) -> int:
    return int(np.ceil(time_s / step_s - 1e-6)) - 1


def _last(time_s: float, step_s: float) -> int:
    return int(np.floor(time_s / step_s + 1e-6)) - 1


def join_peaks(parts: Sequence[Peaks], refractory: int | None = None) -> Peaks:
    """Several tracks as one, set apart by more than the refractory time; word numbers run on."""
    if not parts:
        empty, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
        return Peaks(empty, nothing, empty, nothing, empty, nothing, 0, refractory or 0)
    reach = max(part.refractory for part in parts) + 1
    index, owner, track, words, tracks = [], [], [], 0, 0
    offset = 0
    for part in parts:
        index.append(part.index + offset)
        owner.append(np.where(part.owner >= 0, part.owner + words, part.owner))
        track.append(part.track + tracks)
        words += part.words
        tracks = int(track[-1][-1]) + 1 if len(part.index) else tracks + 1
        offset = (int(index[-1][-1]) if len(part.index) else offset) + reach
    return Peaks(
        index=np.concatenate(index),
        score=np.concatenate([part.score for part in parts]),
        owner=np.concatenate(owner),
        latency_s=np.concatenate([part.latency_s for part in parts]),
        track=np.concatenate(track),
        time_s=np.concatenate([part.time_s for part in parts]),
        words=words,
        refractory=parts[0].refractory,
    )


@dataclass(frozen=True)
class Curve:
    """Counts as exact step functions of the threshold.

    `threshold (k,)` rises and holds every distinct peak score; `hits`, `false_alarms (k,)` count at that threshold and
    down to (not including) the one before. Above the last one there is no event. `words` is the number of words.
    """

    threshold: Floats
    hits: Ints
    false_alarms: Ints
    words: int

    def at(self, threshold: float | NDArray) -> tuple[Ints, Ints]:
        """`(hits, false alarms)` at any thresholds, of the same shape."""
        place = np.searchsorted(self.threshold, np.asarray(threshold, dtype=np.float64), side="left")
        return np.append(self.hits, 0)[place], np.append(self.false_alarms, 0)[place]

    def frr(self, threshold: float | NDArray) -> Floats:
        """Share of the words that are missed; NaN without words."""
        hits, _ = self.at(threshold)
        return (self.words - hits) / self.words if self.words else np.full(np.shape(hits), np.nan)


def add_curves(curves: Iterable[Curve]) -> Curve:
    """Counts of several independent sets of tracks together, at the thresholds of them all."""
    parts = list(curves)
    threshold = np.unique(np.concatenate([part.threshold for part in parts])) if parts else np.zeros(0)
    hits = np.zeros(len(threshold), dtype=np.int64)
    false_alarms = np.zeros(len(threshold), dtype=np.int64)
    for part in parts:
        more_hits, more_alarms = part.at(threshold)
        hits += more_hits
        false_alarms += more_alarms
    return Curve(threshold, hits, false_alarms, sum(part.words for part in parts))


def sweep(peaks: Peaks) -> Curve:
    """Hits and false alarms at every distinct threshold.

    Each word is hit once; every other event is a false alarm, also a second one in the same word's window. Events in
    ignored regions count as neither, but hold back later events as they do in the detector.
    """
    if not len(peaks.index):
        return Curve(np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), peaks.words)
    chain = _Chain(peaks)
    order = np.argsort(peaks.score, kind="stable")
    values = peaks.score[order]
    starts = np.flatnonzero(np.append(True, values[1:] > values[:-1]))
    hits = np.zeros(len(starts), dtype=np.int64)
    alarms = np.zeros(len(starts), dtype=np.int64)
    leaving = order.tolist()
    ends = np.append(starts[1:], len(leaving)).tolist()
    for group, (start, end) in enumerate(zip(starts.tolist(), ends, strict=True)):
        hits[group], alarms[group] = chain.hits, chain.events - chain.ignored - chain.hits
        for peak in leaving[start:end]:
            chain.remove(peak)
    return Curve(values[starts], hits, alarms, peaks.words)


class _Chain:
    """The events among the peaks that are left, mended as peaks leave. Plain lists beat arrays at one item a time."""

    def __init__(self, peaks: Peaks) -> None:
        count = len(peaks.index)
        reach = peaks.index + max(peaks.refractory, 1)
        self._after: list[int] = np.searchsorted(peaks.index, reach, side="left").tolist()
        self._left = list(range(count + 1))  # union-find: the next peak at or after this one that is left
        self._owner: list[int] = peaks.owner.tolist()
        self._is_event = [False] * count
        self._before_event = [-1] * (count + 1)
        self._next_event = [count] * (count + 1)  # the last place stands for "before the first"
        self._in_word = [0] * peaks.words
        self._count = count
        self.events = self.hits = self.ignored = 0
        peak, last = 0, -1
        while peak < count:
            self._add(peak)
            self._link(last, peak)
            last, peak = peak, self._after[peak]
        self._link(last, count)

    def _link(self, before: int, after: int) -> None:
        self._next_event[before] = after
        self._before_event[after] = before

    def _find(self, peak: int) -> int:
        left = self._left
        root = peak
        while left[root] != root:
            root = left[root]
        while left[peak] != root:
            left[peak], peak = root, left[peak]
        return root

    def _add(self, peak: int) -> None:
        self._is_event[peak] = True
        self.events += 1
        owner = self._owner[peak]
        if owner >= 0:
            self._in_word[owner] += 1
            self.hits += self._in_word[owner] == 1
        elif owner == IGNORED:
            self.ignored += 1

    def _drop(self, peak: int) -> None:
        self._is_event[peak] = False
        self.events -= 1
        owner = self._owner[peak]
        if owner >= 0:
            self._in_word[owner] -= 1
            self.hits -= self._in_word[owner] == 0
        elif owner == IGNORED:
            self.ignored -= 1

    def remove(self, peak: int) -> None:
        """Take `peak` away and mend the chain."""
        self._left[peak] = peak + 1
        if not self._is_event[peak]:
            return
        self._drop(peak)
        last, old = self._before_event[peak], self._next_event[peak]
        new = self._find(self._after[last] if last >= 0 else 0)
        while new != old:
            self._add(new)
            self._link(last, new)
            last, new = new, self._find(self._after[new])
            while old < new:
                self._drop(old)
                old = self._next_event[old]
        self._link(last, old)


@dataclass(frozen=True)
class Outcome:
    """What one threshold does: event counts, and which words were hit.

    `hit (words,)` bool; `latency_s (words,)` of the first event in the word's window, NaN for missed words;
    `duplicates`: events beyond the first in a window; `false_alarms`: positions of the false peaks, duplicates
    included.
    """

    hit: NDArray[np.bool_]
    latency_s: Floats
    duplicates: int
    false_alarms: Ints


def outcome(peaks: Peaks, threshold: float) -> Outcome:
    """Play the events of one threshold against the truth."""
    events = peaks.events(threshold)
    owner = peaks.owner[events]
    in_word = np.flatnonzero(owner >= 0)
    owners, first = np.unique(owner[in_word], return_index=True)
    hit = np.zeros(peaks.words, dtype=bool)
    latency = np.full(peaks.words, np.nan)
    hit[owners] = True
    latency[owners] = peaks.latency_s[events[in_word[first]]]
    extra = np.setdiff1d(in_word, in_word[first])
    false = np.sort(np.concatenate([np.flatnonzero(owner == OUTSIDE), extra]))
    return Outcome(hit, latency, len(extra), events[false])
