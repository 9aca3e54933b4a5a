"""Convert scores to events, for evaluation, command line, server and dashboard.

Raw scores are rounded to 2**-16 and smoothed by a causal moving average. Local peaks are independent of the threshold.
Events are the peaks at or above the threshold that are at least the refractory time after the last event of the word.
`EventDetector` is the streaming form for many streams; its events do not depend on the chunking.

Lengths are in scores; `EventTiming.from_seconds` converts seconds to scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

RISE_LIMIT_S = 1.5
"""Largest difference between `end_s` and `start_s`."""
SCORE_LEVELS = 1 << 16
"""Number of levels to which scores are rounded first (`quantise`)."""
_LONG_AGO = -(1 << 62)


@dataclass(frozen=True, slots=True)
class Detection:
    """One event. `score` is the smoothed score of the peak; `end_s` is the time of that score.

    `start_s` is the time of the first score of the unbroken run up to the peak that is at least half the threshold, at
    most `RISE_LIMIT_S` back. It is usually inside the word, because a network responds near the end of a word. Times
    are seconds of audio since the start of the stream.

    `probability` is the calibrated probability of the word (`ProbabilityMap`); None if the bundle has no map. It does
    not affect detection.
    """

    word: str
    score: float
    start_s: float
    end_s: float
    stream: int = 0
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class EventTiming:
    """The detector times in scores: `window` >= 1, `hold`, `refractory` and `rise` >= 0."""

    step_s: float
    window: int
    hold: int
    refractory: int
    rise: int

    @classmethod
    def from_seconds(cls, step_s: float, smoothing_s: float, nms_window_s: float, refractory_s: float) -> EventTiming:
        """Round smoothing and NMS window to the nearest number of scores, and the refractory time up."""
        return cls(
            step_s=step_s,
            window=max(1, round(smoothing_s / step_s)),
            hold=round(nms_window_s / step_s),
            # The small term compensates the rounding error of the quotient (50.00000000000001).
            refractory=int(np.ceil(refractory_s / step_s - 1e-6)),
            rise=round(RISE_LIMIT_S / step_s),
        )


def quantise(scores: ArrayLike) -> Array:
    """Round scores to multiples of 2**-16 (float64, same shape).

    Rounding errors of the network (about 1e-7, dependent on batch size, chunk and runtime) must not decide which of the
    equal scores of a plateau is the peak. Sums of rounded scores are exact in any order.
    """
    return np.rint(np.asarray(scores, dtype=np.float64) * SCORE_LEVELS) / SCORE_LEVELS


def smooth(scores: ArrayLike, window: int) -> Array:
    """Causal moving average of quantised scores along the first axis: `(n, ...)` -> float64 `(n, ...)`.

    Score `i` is the mean of the existing scores of `i - window + 1 ... i`. Raises ValueError if `window` is below 1.
    """
    values = quantise(scores)
    if window < 1:
        raise ValueError(f"a smoothing window must hold at least one score, got {window}")
    before = np.zeros((window - 1, *values.shape[1:]))
    total = _windowed_sum(before, values)
    # Division by a scalar is several times faster than by an array of counts.
    start, rest = total[: window - 1], total[window - 1 :]
    start /= np.arange(1, len(start) + 1).reshape(-1, *([1] * (values.ndim - 1)))
    rest /= window
    return total


def _windowed_sum(before: Array, values: Array) -> Array:
    """Sum of each of `values (n, ...)` and the `len(before)` values before it."""
    if not len(before):
        return values
    joined = np.concatenate([before, values])
    total = joined[: len(values)].copy()
    for first in range(1, len(before) + 1):
        total += joined[first : first + len(values)]
    return total


def _trailing_max(values: Array, width: int) -> Array:
    """Maximum of `width` neighbours along axis 0: `(n, ...)` -> `(n - width + 1, ...)`, in log2(width) passes."""
    covered = 1
    result = values
    while covered < width:
        shift = min(covered, width - covered)
        result = np.maximum(result[: len(result) - shift], result[shift:])
        covered += shift
    return result


def _is_peak(values: Array, hold: int) -> Array:
    """Which of the middle `n` of `(hold + n + hold, ...)` values are peaks: `(n, ...)` bool."""
    count = len(values) - 2 * hold
    if hold == 0:
        return np.ones(values.shape, dtype=bool)
    middle = values[hold : hold + count]
    highest = _trailing_max(values, hold)
    return (middle > highest[:count]) & (middle >= highest[hold + 1 : hold + 1 + count])


def find_peaks(scores: ArrayLike, hold: int) -> NDArray[np.int64]:
    """Indices `(peaks,)` of the local peaks of `scores (n,)`, in time order.

    A peak is greater than the `hold` scores before it and not less than the `hold` scores after it, as far as these
    exist. With `hold` 0 every score is a peak.

    Raises ValueError for scores that are not one-dimensional or a negative `hold`.
    """
    values = np.asarray(scores)
    if values.ndim != 1 or hold < 0:
        raise ValueError(f"find_peaks takes scores (n,) and hold >= 0, got shape {values.shape} and hold {hold}")
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    edge = np.full(hold, -np.inf, dtype=values.dtype if values.dtype.kind == "f" else np.float64)
    return np.flatnonzero(_is_peak(np.concatenate([edge, values, edge]), hold)).astype(np.int64)


def events_from_peaks(
    peak_index: ArrayLike, peak_score: ArrayLike, threshold: float, refractory: int
) -> NDArray[np.int64]:
    """Positions in the sorted `peak_index (peaks,)` of the peaks that are events.

    In time order, each peak at or above `threshold` that is at least `refractory` scores after the last event.
    """
    index, score = np.asarray(peak_index, dtype=np.int64), np.asarray(peak_score)
    candidates = np.flatnonzero(score >= threshold)
    times = index[candidates]
    after = np.searchsorted(times, times + refractory, side="left")
    following = np.maximum(after, np.arange(1, len(times) + 1)).tolist()
    taken: list[int] = []
    position = 0
    while position < len(times):
        taken.append(position)
        position = following[position]
    return candidates[np.asarray(taken, dtype=np.int64)]


def rise_start(smoothed: Array, peak: int, threshold: float, rise: int) -> int:
    """Start of the unbroken run of scores of at least `threshold / 2` up to `peak`, at most `rise` scores back."""
    first = max(0, peak - rise)
    low = np.flatnonzero(smoothed[first:peak] < threshold / 2)
    return first if not len(low) else first + int(low[-1]) + 1


def score_time_s(index: int | NDArray[np.int64], step_s: float) -> Any:
    """Seconds of audio up to the end of score `index` (from 0)."""
    return (index + 1) * step_s


def find_events(
    scores: ArrayLike, words: Sequence[str], timing: EventTiming, thresholds: ArrayLike, stream: int = 0
) -> list[Detection]:
    """All events of raw `scores (n, words)`, ordered by time and then by word."""
    smoothed = smooth(scores, timing.window)
    limits = np.broadcast_to(np.asarray(thresholds, dtype=np.float64), (len(words),))
    found: list[tuple[int, int]] = []
    for word in range(len(words)):
        peaks = find_peaks(smoothed[:, word], timing.hold)
        taken = events_from_peaks(peaks, smoothed[peaks, word], float(limits[word]), timing.refractory)
        found += [(int(peaks[i]), word) for i in taken]
    events = []
    for peak, word in sorted(found):
        limit = float(limits[word])
        start = rise_start(smoothed[:, word], peak, limit, timing.rise)
        events.append(_detection(words[word], float(smoothed[peak, word]), start, peak, timing.step_s, stream))
    return events


def _detection(word: str, score: float, start: int, peak: int, step_s: float, stream: int) -> Detection:
    return Detection(word, score, float(score_time_s(start, step_s)), float(score_time_s(peak, step_s)), stream)


class EventDetector:
    """Streaming form of `find_events` for `streams` streams with chunks of any size.

    An event is reported `hold` scores after its `end_s`.
    """

    def __init__(
        self,
        words: Sequence[str],
        step_s: float,
        smoothing_s: float,
        nms_window_s: float,
        refractory_s: float,
        thresholds: ArrayLike,
        streams: int = 1,
        probabilities: Sequence[Callable[[float], float] | None] | None = None,
    ) -> None:
        """Raises ValueError for a wrong number of thresholds or probabilities.

        `thresholds`: one for all, one per word, or `(streams, words)`. `probabilities`: for each word, the map from
        score to probability, or None.
        """
        self.words = list(words)
        self._probabilities = list(probabilities or [None] * len(self.words))
        if len(self._probabilities) != len(self.words):
            raise ValueError(f"{len(self.words)} words need as many probability maps, got {len(self._probabilities)}")
        self.timing = EventTiming.from_seconds(step_s, smoothing_s, nms_window_s, refractory_s)
        shape = (streams, len(self.words))
        self.thresholds = np.broadcast_to(np.asarray(thresholds, dtype=np.float64), shape).copy()
        """Thresholds `(streams, words)`; `reset` does not change them."""
        self.streams = streams
        self._kept = 2 * self.timing.hold + self.timing.rise
        self._raw = np.zeros((self.timing.window - 1, streams, len(self.words)))
        self._smoothed = np.full((self._kept, streams, len(self.words)), -np.inf)
        self._position = np.zeros(streams, dtype=np.int64)
        self._last_event = np.full((streams, len(self.words)), _LONG_AGO, dtype=np.int64)

    def push(self, scores: ArrayLike, streams: Sequence[int] | Array | None = None) -> list[Detection]:
        """Process raw `scores (streams, n, words)`; returns the events that became certain, in time order per stream.

        `streams`: the distinct streams of the rows; None means all. Raises ValueError for a wrong shape.
        """
        rows = np.arange(self.streams) if streams is None else np.asarray(streams, dtype=np.int64)
        values = quantise(scores)
        if values.ndim != 3 or values.shape[0] != len(rows) or values.shape[2] != len(self.words):
            raise ValueError(f"scores must be ({len(rows)}, n, {len(self.words)}), got {values.shape}")
        count = values.shape[1]
        if not count or not len(rows):
            return []
        values = values.transpose(1, 0, 2)
        before = self._raw[:, rows]
        filled = self._position[rows] + np.arange(1, count + 1)[:, None]
        smoothed = _windowed_sum(before, values) / np.minimum(filled, self.timing.window)[:, :, None]
        history = np.concatenate([self._smoothed[:, rows], smoothed])
        self._raw[:, rows] = np.concatenate([before, values])[count:]
        self._smoothed[:, rows] = history[count:]
        self._position[rows] += count
        return self._decide(history, rows, count)

    def _decide(self, history: Array, rows: Array, count: int) -> list[Detection]:
        """Events among the `count` scores before the last `hold` of `history (kept + count, rows, words)`."""
        hold = self.timing.hold
        window = history[self._kept - 2 * hold :]
        middle = window[hold : hold + count]
        hits = np.argwhere(_is_peak(window, hold) & (middle >= self.thresholds[rows]))
        events = []
        for offset, row, word in hits[np.lexsort((hits[:, 2], hits[:, 0], hits[:, 1]))] if len(hits) else hits:
            stream = int(rows[row])
            # `history` ends at position - 1, the candidates `hold` scores earlier.
            peak = int(self._position[stream]) - hold - count + int(offset)
            if peak - self._last_event[stream, word] < self.timing.refractory:
                continue
            self._last_event[stream, word] = peak
            place = self._kept - hold + int(offset)
            limit = float(self.thresholds[stream, word])
            back = place - rise_start(history[:, row, word], place, limit, self.timing.rise)
            score = float(history[place, row, word])
            event = _detection(self.words[word], score, peak - back, peak, self.timing.step_s, stream)
            probability = self._probabilities[word]
            events.append(replace(event, probability=probability(score)) if probability else event)
        return events

    def flush(self, stream: int | None = None) -> list[Detection]:
        """End one stream or all: return the remaining events and restart at time 0."""
        rows = np.arange(self.streams) if stream is None else np.asarray([stream])
        hold = self.timing.hold
        events: list[Detection] = []
        if hold:
            ending = np.full((hold, len(rows), len(self.words)), -np.inf)
            history = np.concatenate([self._smoothed[:, rows], ending])
            self._position[rows] += hold
            events = self._decide(history, rows, hold)
        for row in rows:
            self.reset(int(row))
        return events

    def reset(self, stream: int | None = None) -> None:
        """Restart one stream or all streams at time 0."""
        rows = slice(None) if stream is None else slice(stream, stream + 1)
        self._raw[:, rows] = 0.0
        self._smoothed[:, rows] = -np.inf
        self._position[rows] = 0
        self._last_event[rows] = _LONG_AGO
