"""Exact numbers of hits and false alarms at every distinct threshold, for the events of the detector.

Peaks do not depend on the threshold (`wakeword.runtime.events`), so a track is swept from its peaks. One pass over the
peaks covers all thresholds: its state is the time of the next possible event, as a step function of the threshold. A
peak is an event at the thresholds up to its score at which the refractory time has passed, and it changes these steps.
Only events within the refractory time make steps (about fifteen in pure noise), so the sweep is nearly linear in the
number of peaks. Nothing is rounded to a grid.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeword.errors import DataError
from wakeword.runtime.events import EventTiming, events_from_peaks, find_peaks, smooth

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CHUNK = 1 << 16
"""Number of peaks that are converted to Python numbers at a time, which take five times the memory of NumPy's."""
OUTSIDE = -1
"""Owner of a peak outside all word windows: an event there is a false alarm."""
IGNORED = -2
"""Owner of a peak in an ignored region (a clip that contains the word at an unknown time)."""


@dataclass(frozen=True)
class Truth:
    """The truth of one word on one track, in seconds of the track.

    `word_start_s`, `word_end_s (words,)`: every utterance of the word, in time order. `ignored_s (regions, 2)`: regions
    in which events count neither as hits nor as false alarms; they may overlap.

    Raises DataError for words that overlap or do not end after their start, and for times that are not finite.
    """

    word_start_s: Floats
    word_end_s: Floats
    ignored_s: Floats

    def __post_init__(self) -> None:
        if len(self.word_start_s) != len(self.word_end_s):
            raise DataError("truth needs one start for each end")
        if not all(np.all(np.isfinite(times)) for times in (self.word_start_s, self.word_end_s, self.ignored_s)):
            raise DataError("truth holds a time that is NaN or infinite: give seconds of the track")
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
    """All peaks of one word over one or several consecutive tracks.

    `index (peaks,)`: score numbers, rising, with a gap of more than the refractory time between tracks.
    `score (peaks,)`: smoothed scores. `owner (peaks,)`: number of the word whose window contains the peak, `OUTSIDE` or
    `IGNORED`. `latency_s (peaks,)`: peak time minus the end of the owning word, NaN without one. `track (peaks,)`,
    `time_s (peaks,)`: track number and time in that track. `words`: number of words.
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
    """Peaks of raw `scores (n,)` of one word on one track, each with the word that an event there hits.

    Of two overlapping windows the earlier one ends where the later one begins, so that an event belongs to one word at
    every threshold. Windows take precedence over ignored regions.

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
    # Bounds in score numbers; the tolerance includes exact multiples of the step in spite of rounding.
    if len(truth.ignored_s):
        low = np.searchsorted(index, _first(truth.ignored_s[:, 0], step_s), side="left")
        high = np.searchsorted(index, _last(truth.ignored_s[:, 1], step_s), side="right")
        changes = np.zeros(len(index) + 1, dtype=np.int64)
        _count(changes, np.stack([low, np.maximum(low, high)], axis=1))
        owner[np.cumsum(changes[:-1]) > 0] = IGNORED
    if len(truth.word_end_s):
        first = _first(truth.word_end_s - window.before_s, step_s)
        last = _last(truth.word_end_s + window.after_s, step_s)
        word = np.searchsorted(first, index, side="right") - 1
        inside = (word >= 0) & (index <= last[np.maximum(word, 0)])
        owner[inside] = word[inside]
        latency[inside] = (index[inside] + 1) * step_s - truth.word_end_s[word[inside]]
    return owner, latency


def _first(time_s: Floats, step_s: float) -> Ints:
    return np.ceil(time_s / step_s - 1e-6).astype(np.int64) - 1


def _last(time_s: Floats, step_s: float) -> Ints:
    return np.floor(time_s / step_s + 1e-6).astype(np.int64) - 1


def join_peaks(parts: Sequence[Peaks]) -> Peaks:
    """Join tracks with a gap of more than the refractory time; word and track numbers continue."""
    gap = max(part.refractory for part in parts) + 1
    index, owner, track, words, tracks = [], [], [], 0, 0
    offset = 0
    for part in parts:
        index.append(part.index + offset)
        owner.append(np.where(part.owner >= 0, part.owner + words, part.owner))
        track.append(part.track + tracks)
        words += part.words
        tracks = int(track[-1][-1]) + 1 if len(part.index) else tracks + 1
        offset = (int(index[-1][-1]) if len(part.index) else offset) + gap
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
    """Numbers of hits and false alarms as exact step functions of the threshold.

    `threshold (k,)` rises and contains every distinct peak score; `hits`, `false_alarms (k,)` hold at that threshold
    and above the one before. Above the last threshold there is no event. `words` is the number of words.
    """

    threshold: Floats
    hits: Ints
    false_alarms: Ints
    words: int

    def at(self, threshold: float | NDArray) -> tuple[Ints, Ints]:
        """`(hits, false alarms)` at each threshold, of the same shape."""
        place = np.searchsorted(self.threshold, np.asarray(threshold, dtype=np.float64), side="left")
        return np.append(self.hits, 0)[place], np.append(self.false_alarms, 0)[place]

    def frr(self, threshold: float | NDArray) -> Floats:
        """Share of the words that are missed; NaN without words."""
        hits, _ = self.at(threshold)
        return (self.words - hits) / self.words if self.words else np.full(np.shape(hits), np.nan)


def add_curves(curves: Iterable[Curve]) -> Curve:
    """Sum of the counts of independent sets of tracks, at the thresholds of all sets."""
    parts = list(curves)
    if not parts:
        return Curve(np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), 0)
    threshold, place = np.unique(np.concatenate([part.threshold for part in parts]), return_inverse=True)

    def total(counts: Sequence[Ints]) -> Ints:
        # Differences between neighbouring thresholds are added up, then summed from the highest threshold down.
        steps = np.concatenate([own - np.append(own, 0)[1:] for own in counts])
        at = np.zeros(len(threshold), dtype=np.int64)
        np.add.at(at, place, steps)
        return np.cumsum(at[::-1])[::-1]

    hits, false_alarms = total([part.hits for part in parts]), total([part.false_alarms for part in parts])
    return Curve(threshold, hits, false_alarms, sum(part.words for part in parts))


def sweep(peaks: Peaks) -> Curve:
    """Hits and false alarms at every distinct threshold.

    Each word is hit once; every other event is a false alarm, including a second one in the same word's window. Events
    in ignored regions count as neither, but start a refractory time as in the detector.
    """
    threshold, rank = np.unique(peaks.score, return_inverse=True)
    width = len(threshold) + 1
    events, hits = np.zeros(width, dtype=np.int64), np.zeros(width, dtype=np.int64)
    in_words = [np.zeros((0, 2), dtype=np.int64)]
    for spans in _event_spans(peaks, rank):
        owner = peaks.owner[spans[:, 0]]
        _count(events, spans[owner != IGNORED, 1:])
        # An offset per word, so that only spans of one word can overlap.
        in_words.append(spans[owner >= 0, 1:] + width * owner[owner >= 0, None])
    _count(hits, _disjoint(np.concatenate(in_words)) % width)
    events, hits = np.cumsum(events[:-1]), np.cumsum(hits[:-1])
    return Curve(threshold, hits, events - hits, peaks.words)


def _count(changes: Ints, spans: Ints) -> None:
    """Add 1 over each half-open span of `spans (n, 2)`; the counts are the running sums of `changes`."""
    for column, sign in ((0, 1), (1, -1)):
        changes += sign * np.bincount(spans[:, column], minlength=len(changes))


def _disjoint(spans: Ints) -> Ints:
    """Spans `(k, 2)` with the union of `spans (n, 2)` and without overlaps."""
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    covered = np.maximum.accumulate(np.append(0, spans[:, 1]))[:-1]
    first = np.maximum(spans[:, 0], covered)
    return np.stack([first, spans[:, 1]], axis=1)[first < spans[:, 1]]


def _event_spans(peaks: Peaks, rank: Ints) -> Iterator[Ints]:
    """Rows `(peak, first, end)`: the peak is an event at the thresholds with numbers in [first, end).

    `rank (peaks,)`: the number of the threshold that equals the peak's score. The rows of a peak rise and do not touch.
    They are yielded in chunks, in the order of the peaks.
    """
    rest = max(peaks.refractory, 1)
    # The step function: at thresholds in [tops[i - 1], tops[i]) the next event is possible from frees[i] on, and at
    # thresholds from the last top on at any time.
    tops: list[int] = []
    frees: list[int] = []
    for start in range(0, len(rank), CHUNK):
        part = slice(start, start + CHUNK)
        rows: list[int] = []
        own = zip(peaks.index[part].tolist(), (rank[part] + 1).tolist(), strict=True)
        for peak, (at, end) in enumerate(own, start):
            while frees and frees[-1] <= at:
                frees.pop()
                tops.pop()
            step = bisect_left(tops, end)
            reached = frees[: step + 1]
            if step == len(tops):
                reached.append(at)
            elif min(reached) > at:
                continue
            first, was_free = 0, False
            new_tops: list[int] = []
            new_frees: list[int] = []
            for top, free in zip([*tops[:step], end], reached, strict=True):
                is_free = free <= at
                if is_free and was_free:
                    rows[-1] = new_tops[-1] = top
                else:
                    new_tops.append(top)
                    new_frees.append(at + rest if is_free else free)
                    if is_free:
                        rows += (peak, first, top)
                first, was_free = top, is_free
            done = step + (step < len(tops) and tops[step] == end)
            tops[:done], frees[:done] = new_tops, new_frees
        yield np.asarray(rows, dtype=np.int64).reshape(-1, 3)


@dataclass(frozen=True)
class Outcome:
    """Events at one threshold: their counts, and the words that were hit.

    `hit (words,)` bool; `latency_s (words,)` of the first event in the word's window, NaN for missed words;
    `duplicates`: events beyond the first in a window; `false_alarms`: positions of the false peaks, duplicates
    included.
    """

    hit: NDArray[np.bool_]
    latency_s: Floats
    duplicates: int
    false_alarms: Ints


def outcome(peaks: Peaks, threshold: float) -> Outcome:
    """Compare the events at one threshold with the truth."""
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
