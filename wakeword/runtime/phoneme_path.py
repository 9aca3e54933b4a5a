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
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

NOTHING = -50.0
"""Score of a path that does not fit into the window."""
_STAY, _STEP, _SKIP, _ENTER = range(4)


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

        Raises ValueError without pronunciations, or for an empty one.
        """
        if not pronunciations or not all(len(one) for one in pronunciations):
            raise ValueError("a phrase needs at least one pronunciation, and each at least one phoneme")
        self.pronunciations = tuple(pronunciations)
        self.blank, self.boundary = blank, boundary
        self.lengths = np.asarray([len(one) for one in self.pronunciations])

    def __call__(self, log_probs: Float) -> PathFeatures:
        """Features of each window of `log_probs (windows, frames, tokens)`."""
        relative, best = self._relative(np.asarray(log_probs, dtype=np.float32))
        windows, frames = relative.shape[:2]
        count, longest = len(self.lengths), int(self.lengths.max())
        # Rows are all pairs of window and pronunciation; even states are phonemes, odd ones the blanks between them.
        states = np.full((windows, count, frames, 2 * longest - 1), NOTHING, dtype=np.float32)
        states[..., 1::2] = relative[:, None, :, self.blank, None]
        for row, one in enumerate(self.pronunciations):
            for place, (tokens, costs) in enumerate(zip(one.tokens, one.costs, strict=True)):
                heard = relative[:, :, list(tokens)] - np.asarray(costs, dtype=np.float32)
                states[:, row, :, 2 * place] = heard.max(axis=-1)
        rows = states.reshape(windows * count, frames, 2 * longest - 1)
        lengths = np.tile(self.lengths, windows)
        found = _trace(rows, lengths, self._repeats(longest), np.repeat(best, count, axis=0))
        mean = found["mean"].reshape(windows, count)
        chosen = mean.argmax(axis=1)
        values = {name: value.reshape(windows, count)[np.arange(windows), chosen] for name, value in found.items()}
        return PathFeatures(**values, pronunciation=chosen)

    def _relative(self, log_probs: Float) -> tuple[Float, Float]:
        """Log-probabilities minus the highest of each frame, and that highest one `(windows, frames)`."""
        merged = log_probs.copy()
        if self.boundary is not None:
            merged[..., self.blank] = np.logaddexp(log_probs[..., self.blank], log_probs[..., self.boundary])
            merged[..., self.boundary] = NOTHING
        best = merged.max(axis=-1)
        return np.maximum(merged - best[..., None], NOTHING), best

    def _repeats(self, longest: int) -> NDArray[np.bool_]:
        """Phonemes `(pronunciations, longest)` that equal the one before, which need a blank between them."""
        repeats = np.zeros((len(self.lengths), longest), dtype=bool)
        for row, one in enumerate(self.pronunciations):
            for place in range(1, len(one)):
                repeats[row, place] = bool(set(one.tokens[place]) & set(one.tokens[place - 1]))
        return repeats


def _trace(states: Float, lengths: NDArray[Any], repeats: NDArray[np.bool_], best: Float) -> dict[str, NDArray[Any]]:
    """Features of the best path of each row of `states (rows, frames, states)`."""
    rows, frames, width = states.shape
    may_skip = np.zeros((rows, width), dtype=bool)
    may_skip[:, 2::2] = ~np.tile(repeats, (rows // len(repeats), 1))[:, 1:]
    score = np.full((rows, width), -np.inf, dtype=np.float32)
    back = np.zeros((frames, rows, width), dtype=np.int8)
    ends = np.full((frames, rows), -np.inf, dtype=np.float32)
    last = 2 * lengths - 2
    every = np.arange(rows)
    options = np.full((4, rows, width), -np.inf, dtype=np.float32)
    options[_ENTER, :, 0] = 0.0
    for frame in range(frames):
        options[_STAY] = score
        options[_STEP, :, 1:] = score[:, :-1]
        options[_SKIP, :, 2:] = np.where(may_skip[:, 2:], score[:, :-2], -np.inf)
        back[frame] = options.argmax(axis=0)
        score = options.max(axis=0) + states[:, frame]
        ends[frame] = score[every, last]
    return _features(states, lengths, back, ends, best)


def _features(
    states: Float, lengths: NDArray[Any], back: NDArray[np.int8], ends: Float, best: Float
) -> dict[str, NDArray[Any]]:
    """Follow the best path of each row backwards and measure it."""
    rows, frames, width = states.shape
    every = np.arange(rows)
    end = ends.argmax(axis=0) if frames else np.zeros(rows, dtype=np.int64)
    total = ends[end, every] if frames else np.full(rows, -np.inf, dtype=np.float32)
    state, inside, start = 2 * lengths - 2, np.zeros(rows, dtype=bool), end.copy()
    spikes = np.full((rows, (width + 1) // 2), -np.inf, dtype=np.float32)
    inserted, clarity = np.zeros(rows, dtype=np.float32), np.zeros(rows, dtype=np.float32)
    for frame in range(frames - 1, -1, -1):
        inside |= (frame == end) & np.isfinite(total)
        own = states[every, frame, state]
        phoneme = inside & (state % 2 == 0)
        place = state // 2
        spikes[every[phoneme], place[phoneme]] = np.maximum(spikes[phoneme, place[phoneme]], own[phoneme])
        inserted += np.where(inside & ~phoneme, own, 0.0)
        clarity += np.where(inside, best[:, frame], 0.0)
        move = back[frame, every, state]
        start = np.where(inside, frame, start)
        inside &= move != _ENTER
        state = np.where(inside, state - np.where(move == _ENTER, 0, move), state)
    used = np.arange(spikes.shape[1]) < lengths[:, None]
    heard = np.where(np.isfinite(spikes), spikes, NOTHING)
    order = np.sort(np.where(used, heard, np.inf), axis=1)
    span = np.maximum(end - start + 1, 1)
    fits = np.isfinite(total)
    second = order[np.arange(rows), np.minimum(1, lengths - 1)]
    return {
        "mean": np.where(fits, total / lengths, NOTHING).astype(np.float32),
        "weakest": order[:, 0].astype(np.float32),
        "second_weakest": second.astype(np.float32),
        "mean_spike": (np.where(used, heard, 0.0).sum(axis=1) / lengths).astype(np.float32),
        "inserted": (inserted / lengths).astype(np.float32),
        "frames_per_phoneme": (span / lengths).astype(np.float32),
        "clarity": np.where(fits, clarity / span, NOTHING).astype(np.float32),
        "start": start.astype(np.int64),
        "end": end.astype(np.int64),
    }
