"""How well a window of audio says a phrase: the best CTC path of its phonemes, relative to the best token per frame.

The path may start and end at any frame of the window. A frame inside it is a phoneme of the phrase or a blank, and
scores the log-probability of that token minus the highest of the frame, so that a path of the recogniser's own choices
scores 0 and any other one less. Frames outside the path score 0. A phoneme may have alternatives, each with a cost;
of several pronunciations the one with the best mean score counts. (Viterbi search over the CTC topology of Graves et
al. 2006, with free ends.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Ids = NDArray[np.int64]

NOTHING = -50.0
"""Score of a path that does not fit into the window."""


@dataclass(frozen=True)
class Pronunciation:
    """Phonemes of a phrase; `tokens[i]` are the recogniser's tokens for phoneme `i` and `costs[i]` what each costs."""

    tokens: tuple[tuple[int, ...], ...]
    costs: tuple[tuple[float, ...], ...]

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class PathFeatures:
    """Measures of the best path of each window; every array is `(windows,)` float32.

    A *spike* is the highest relative score of a phoneme on its frames of the path; 0 means that the recogniser heard
    exactly that phoneme.
    """

    mean: Float
    """Score of the path per phoneme."""
    weakest: Float
    """Lowest spike: a near miss differs in one phoneme, which a mean dilutes."""
    second_weakest: Float
    mean_spike: Float
    inserted: Float
    """Score of the blanks on the path per phoneme: below 0 where other sounds lie between the phonemes."""
    frames_per_phoneme: Float
    clarity: Float
    """Mean log-probability of the best token on the path: near 0 in clear speech, lower in noise."""
    start: NDArray[np.int64]
    """First frame of the path."""
    end: NDArray[np.int64]
    """Last frame of the path."""
    pronunciation: NDArray[np.int64]
    """Number of the best pronunciation."""


class PhraseScorer:
    """Scores windows of log-probabilities against the pronunciations of one phrase."""

    def __init__(self, pronunciations: Sequence[Pronunciation], blank: int, boundary: int | None = None) -> None:
        """`blank`: the CTC blank's token; `boundary`: a token between words, which counts as blank.

        Raises ValueError without pronunciations, for an empty one, or for a phoneme without tokens.
        """
        if not pronunciations or not all(len(one) and all(one.tokens) for one in pronunciations):
            raise ValueError("a phrase needs a pronunciation, each pronunciation a phoneme, and each phoneme a token")
        self.pronunciations = tuple(pronunciations)
        self.blank, self.boundary = blank, boundary
        self.lengths = np.asarray([len(one) for one in self.pronunciations])
        # Pronunciations share most of their phonemes: each different one is looked up once.
        places = [list(zip(one.tokens, one.costs, strict=True)) for one in self.pronunciations]
        different = {place: number for number, place in enumerate(dict.fromkeys(p for one in places for p in one))}
        self._tokens = np.asarray([token for tokens, _ in different for token in tokens])
        self._costs = np.asarray([cost for _, costs in different for cost in costs], dtype=np.float32)
        self._first = np.cumsum([0, *(len(tokens) for tokens, _ in different)])[:-1]
        width = 2 * int(self.lengths.max()) - 1
        # Even states are phonemes, odd ones the blanks between them; shorter pronunciations end in states of no use.
        self._lookup = np.full((len(places), width), len(different))
        self._skip = np.full((len(places), width), -np.inf, dtype=np.float32)
        for row, one in enumerate(places):
            self._lookup[row, : 2 * len(one) : 2] = [different[place] for place in one]
            for number in range(1, len(one)):
                # A phoneme that may repeat the token before it needs a blank between the two.
                if not set(one[number][0]) & set(one[number - 1][0]):
                    self._skip[row, 2 * number] = 0.0

    def __call__(self, log_probs: Float, first_end: int = 0) -> PathFeatures:
        """Features of each window of `log_probs (windows, frames, tokens)`; a path ends at frame `first_end` or later.

        Without such a bound, the best path may be that of earlier speech in the window.
        """
        relative, best = self._relative(np.asarray(log_probs, dtype=np.float32))
        windows, frames = relative.shape[:2]
        heard = np.maximum.reduceat(relative[..., self._tokens] - self._costs, self._first, axis=-1)
        heard = np.concatenate([heard, relative[..., self.blank, None]], axis=-1)
        states = heard[:, :, self._lookup].transpose(1, 0, 2, 3)
        scores = self._forward(states)
        every = np.arange(windows)
        totals = scores[1:, :, np.arange(len(self.lengths)), 2 * self.lengths]
        totals[:first_end] = -np.inf
        # Of equal scores the earliest end counts, as does the first pronunciation.
        ends = totals.argmax(axis=0) if frames else np.zeros((windows, len(self.lengths)), dtype=np.int64)
        highest = totals.max(axis=0, initial=-np.inf)
        chosen = (highest / self.lengths).argmax(axis=1)
        return self._measure(
            scores[:, every, chosen],
            states[:, every, chosen],
            best,
            chosen,
            ends[every, chosen],
            highest[every, chosen],
        )

    def _relative(self, log_probs: Float) -> tuple[Float, Float]:
        """Log-probabilities minus the highest of each frame, and that highest one `(windows, frames)`."""
        merged = log_probs.copy()
        if self.boundary is not None:
            merged[..., self.blank] = np.logaddexp(log_probs[..., self.blank], log_probs[..., self.boundary])
            merged[..., self.boundary] = NOTHING
        best = merged.max(axis=-1)
        merged -= best[..., None]
        return np.maximum(merged, NOTHING, out=merged), best

    def _forward(self, states: Float) -> Float:
        """Best score of a path that is in each state after each frame.

        `states (frames, windows, pronunciations, states)`; returns `(1 + frames, windows, pronunciations, 2 + states)`.
        The first two columns stand for the time before the phrase: 0 in the second one lets a path enter at any frame.
        """
        frames, windows, count, width = states.shape
        scores = np.full((1 + frames, windows, count, 2 + width), -np.inf, dtype=np.float32)
        scores[..., 1] = 0.0
        skipped = np.empty(states.shape[1:], dtype=np.float32)
        for frame in range(frames):
            before, now = scores[frame], scores[frame + 1, ..., 2:]
            np.maximum(before[..., 2:], before[..., 1:-1], out=now)
            np.add(before[..., :-2], self._skip, out=skipped)
            np.maximum(now, skipped, out=now)
            now += states[frame]
        return scores

    def _measure(self, scores: Float, states: Float, best: Float, chosen: Ids, end: Ids, total: Float) -> PathFeatures:
        """Measures of the best path of each window.

        `scores (1 + frames, windows, 2 + states)` and `states (frames, windows, states)` of the chosen pronunciation.
        """
        path = self._path(scores, chosen, end, np.isfinite(total))
        inside, windows = path >= 0, len(chosen)
        own = np.take_along_axis(states, np.maximum(path, 0)[..., None], axis=2)[..., 0]
        spikes = np.full((windows, (states.shape[2] + 1) // 2), NOTHING, dtype=np.float32)
        frame, window = np.nonzero(inside & (path % 2 == 0))
        np.maximum.at(spikes, (window, path[frame, window] // 2), own[frame, window])
        lengths, fits = self.lengths[chosen], np.isfinite(total)
        used = np.arange(spikes.shape[1]) < lengths[:, None]
        order = np.sort(np.where(used, spikes, np.inf), axis=1)
        span = np.maximum(inside.sum(axis=0), 1)
        blanks = np.where(inside & (path % 2 == 1), own, 0.0).sum(axis=0)
        clarity = np.where(inside.T, best, 0.0).sum(axis=1) / span
        return PathFeatures(
            mean=np.where(fits, total / lengths, NOTHING).astype(np.float32),
            weakest=order[:, 0].astype(np.float32),
            second_weakest=order[np.arange(windows), np.minimum(1, lengths - 1)].astype(np.float32),
            mean_spike=(np.where(used, spikes, 0.0).sum(axis=1) / lengths).astype(np.float32),
            inserted=(blanks / lengths).astype(np.float32),
            frames_per_phoneme=(span / lengths).astype(np.float32),
            clarity=np.where(fits, clarity, NOTHING).astype(np.float32),
            start=np.where(fits, end - span + 1, end).astype(np.int64),
            end=end.astype(np.int64),
            pronunciation=chosen.astype(np.int64),
        )

    def _path(self, scores: Float, chosen: Ids, end: Ids, fits: NDArray[np.bool_]) -> Ids:
        """State of each frame `(frames, windows)` on the best path, -1 outside it."""
        windows = len(chosen)
        path = np.full((len(scores) - 1, windows), -1)
        every = np.arange(windows)[:, None]
        # In the columns of the scores, where 0 and 1 are the time before the phrase.
        column = np.where(fits, 2 * self.lengths[chosen], 0)
        skip = np.concatenate([np.zeros((windows, 2), dtype=np.float32), self._skip[chosen]], axis=1)
        for frame in range(int(end.max(initial=-1, where=fits)), -1, -1):
            inside = (frame <= end) & (column >= 2)
            path[frame] = np.where(inside, column - 2, -1)
            came = scores[frame, every, column[:, None] - np.arange(3)]
            came[:, 2] += skip[every[:, 0], column]
            column = column - came.argmax(axis=1) * inside
        return path
