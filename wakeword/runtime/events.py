"""Scores to events: the same few functions for evaluation, command line, server and dashboard.

Raw scores are rounded to 2**-16 and smoothed by a causal moving average; local peaks are found without regard to
any threshold; events are the peaks at or above a threshold that keep their distance from the last event of their
word. `EventDetector` is the streaming form, for many streams at once; it gives the same events at any chunking.

Lengths here are counted in scores; `EventTiming.from_seconds` is the one place that turns seconds into scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

RISE_LIMIT_S = 1.5
"""`start_s` lies at most this long before `end_s`."""
SCORE_LEVELS = 1 << 16
"""Scores are rounded to this many levels before anything else; see `quantise`."""
_LONG_AGO = -(1 << 62)


@dataclass(frozen=True, slots=True)
class Detection:
    """One event. `score` is the smoothed score of the peak; `end_s` is the time of that score.

    `start_s` is where the score began to rise: the first score of the unbroken run up to the peak that is at least
    half the threshold, at most `RISE_LIMIT_S` back. A net answers near a word's end, so this usually lies inside
    the word, after its first sound. Times are seconds of audio consumed since the stream began.

    `probability` is the chance that audio with this score holds the word, in the mix of clips that the bundle was
    calibrated on (`ProbabilityMap`); None where the bundle has no map. It rises with `score` and decides nothing.
    """

    word: str
    score: float
    start_s: float
    end_s: float
    stream: int = 0
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class EventTiming:
    """The detector's times in scores: `window` >= 1, `hold`, `refractory` and `rise` >= 0."""

    step_s: float
    window: int
    hold: int
    refractory: int
    rise: int

    @classmethod
    def from_seconds(cls, step_s: float, smoothing_s: float, nms_window_s: float, refractory_s: float) -> EventTiming:
        """Round smoothing and hold to the nearest number of scores, and the refractory time up."""
        return cls(
            step_s=step_s,
            window=max(1, round(smoothing_s / step_s)),
            hold=round(nms_window_s / step_s),
            # The small term keeps 1.0 s / 0.02 s at 50 although the quotient may be 50.00000000000001.
            refractory=int(np.ceil(refractory_s / step_s - 1e-6)),
            rise=round(RISE_LIMIT_S / step_s),
        )


def quantise(scores: ArrayLike) -> Array:
    """Round scores to multiples of 2**-16 (float64, same shape).

    The net's float noise (another batch size, chunk or runtime: about 1e-7) must not decide which of the equal scores
    of a saturated plateau is the peak. It also makes every sum of scores exact, whatever its order.
    """
    return np.rint(np.asarray(scores, dtype=np.float64) * SCORE_LEVELS) / SCORE_LEVELS


def smooth(scores: ArrayLike, window: int) -> Array:
    """Causal moving average of quantised scores along the first axis: `(n, ...)` -> float64 `(n, ...)`.

    Score `i` is the mean of scores `i - window + 1 ... i`; near the start, of those that exist.

    Raises ValueError when `window` is below 1.
    """
    values = quantise(scores)
    if window < 1:
        raise ValueError(f"a smoothing window holds at least one score, got {window}")
    before = np.zeros((window - 1, *values.shape[1:]))
    total = _windowed_sum(before, values)
    # A division by one number is several times as fast as one by an array of counts.
    start, rest = total[: window - 1], total[window - 1 :]
    start /= np.arange(1, len(start) + 1).reshape(-1, *([1] * (values.ndim - 1)))
    rest /= window
    return total


def _windowed_sum(before: Array, values: Array) -> Array:
    """Sum of each of the `values (n, ...)` and the `len(before)` values in front of it."""
    if not len(before):
        return values
    joined = np.concatenate([before, values])
    total = joined[: len(values)].copy()
    for first in range(1, len(before) + 1):
        total += joined[first : first + len(values)]
    return total


def _trailing_max(values: Array, width: int) -> Array:
    """Maximum of each `width` neighbours along axis 0: `(n, ...)` -> `(n - width + 1, ...)`, in log2(width) passes."""
    reach = 1
    result = values
    while reach < width:
        # A maximum of maxima may overlap: the last pass covers what is left over from the doubling.
        shift = min(reach, width - reach)
        result = np.maximum(result[: len(result) - shift], result[shift:])
        reach += shift
    return result


def _is_peak(values: Array, hold: int) -> Array:
    """For `(hold + n + hold, ...)` values: whether each of the middle `n` is a peak; `(n, ...)` bool."""
    count = len(values) - 2 * hold
    if hold == 0:
        return np.ones(values.shape, dtype=bool)
    middle = values[hold : hold + count]
    highest = _trailing_max(values, hold)
    return (middle > highest[:count]) & (middle >= highest[hold + 1 : hold + 1 + count])


def find_peaks(scores: ArrayLike, hold: int) -> NDArray[np.int64]:
    """Indices `(peaks,)` of the local peaks of `scores (n,)`, in time order.

    A peak lies strictly above the `hold` scores before it and not below any of the `hold` after it; at both ends,
    above those that exist. It does not depend on a threshold. With `hold` 0 every score is a peak.

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
    """Positions within `peak_index (peaks,)` of the peaks that are events, in time order.

    Taken in time order: each peak at or above `threshold` that comes at least `refractory` scores after the last one
    taken. `peak_index` must rise.
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
    """Index of the first score of the unbroken run up to `peak` at or above `threshold / 2`, at most `rise` back."""
    first = max(0, peak - rise)
    low = np.flatnonzero(smoothed[first:peak] < threshold / 2)
    return first if not len(low) else first + int(low[-1]) + 1


def score_time_s(index: int | NDArray[np.int64], step_s: float) -> Any:
    """Seconds of audio consumed when score `index` (from 0) became available: `time_s`."""
    return (index + 1) * step_s


def find_events(
    scores: ArrayLike, words: Sequence[str], timing: EventTiming, thresholds: ArrayLike, stream: int = 0
) -> list[Detection]:
    """Offline form: all events of raw `scores (n, words)`, ordered by time and then by word."""
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
    """Streaming form of `find_events` for `streams` streams whose scores come in chunks of any size.

    A peak is known only when `hold` more scores have come, so an event is reported that much after its `end_s`.
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
        """`thresholds`: one for all, one per word, or `(streams, words)`. `probabilities`: per word, the map from score
        to probability or None.

        Raises ValueError when their number does not fit.
        """
        self.words = list(words)
        self._probabilities = list(probabilities or [None] * len(self.words))
        if len(self._probabilities) != len(self.words):
            raise ValueError(f"{len(self.words)} words need as many probability maps, got {len(self._probabilities)}")
        self.timing = EventTiming.from_seconds(step_s, smoothing_s, nms_window_s, refractory_s)
        shape = (streams, len(self.words))
        self.thresholds = np.broadcast_to(np.asarray(thresholds, dtype=np.float64), shape).copy()
        """Of each stream and word, `(streams, words)`; `reset` leaves them."""
        self.streams = streams
        self._kept = 2 * self.timing.hold + self.timing.rise
        self._raw = np.zeros((self.timing.window - 1, streams, len(self.words)))
        self._smoothed = np.full((self._kept, streams, len(self.words)), -np.inf)
        self._position = np.zeros(streams, dtype=np.int64)
        self._last_event = np.full((streams, len(self.words)), _LONG_AGO, dtype=np.int64)

    def push(self, scores: ArrayLike, streams: Sequence[int] | Array | None = None) -> list[Detection]:
        """Take raw `scores (streams, n, words)` and return the events that became certain, in time order per stream.

        `streams` names the streams that the rows belong to (each once); None means all of them.

        Raises ValueError for a wrong shape.
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
        """Events among the `count` scores that `hold` scores now follow; `history (kept + count, rows, words)`."""
        hold = self.timing.hold
        window = history[self._kept - 2 * hold :]
        middle = window[hold : hold + count]
        hits = np.argwhere(_is_peak(window, hold) & (middle >= self.thresholds[rows]))
        events = []
        for offset, row, word in hits[np.lexsort((hits[:, 2], hits[:, 0], hits[:, 1]))] if len(hits) else hits:
            stream = int(rows[row])
            # `history` ends at position - 1; the candidates end `hold` scores earlier.
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
        """End the audio of one stream or of all: judge the last scores by what came, and start anew at time 0."""
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
        """Forget what one stream, or every stream, has heard; its time starts at 0."""
        rows = slice(None) if stream is None else slice(stream, stream + 1)
        self._raw[:, rows] = 0.0
        self._smoothed[:, rows] = -np.inf
        self._position[rows] = 0
        self._last_event[rows] = _LONG_AGO
