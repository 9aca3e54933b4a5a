"""Where long audio sounds most like a phrase: the text-defined score along what a recogniser heard.

Two passes. The first one scores every frame as the end of a path without a bound on its duration, for all pieces of the
audio at once. The second one measures the windows of the highest frames alone with `PhraseScorer`, whose path lies
within the window: in long audio, a path with a free start would borrow its first sound from earlier speech.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeword.runtime.phoneme_path import NOTHING, PathFeatures, PhraseScorer

Float = NDArray[np.float32]

MEAN_WEIGHT, WEAKEST_WEIGHT = 2.0, 1.0
"""Weights of the verifier's first map (`../shared/notes/accuracy.md`), without the detector's logit."""
BEFORE_S, AFTER_S = 1.8, 0.3
"""Window around the frame in which a path of the first pass ends."""
PHONEME_S = 0.15
"""Additional bound: the window before the end holds this much for each phoneme, for phrases of several words."""
APART_S = 1.0
"""Least distance of two spots."""
PIECE_S = 20.0
"""Pieces of the first pass; each begins with the window of the piece before it."""
_BATCH = 64


@dataclass(frozen=True)
class Spot:
    """A stretch that sounds like the phrase, in seconds of its audio; a score of 0 is the phrase itself."""

    score: float
    start_s: float
    end_s: float


def text_score(features: PathFeatures) -> Float:
    """The text-defined score of each window: twice the mean plus the weakest phoneme, at most 0."""
    return (MEAN_WEIGHT * features.mean + WEAKEST_WEIGHT * features.weakest).astype(np.float32)


def window_s(scorer: PhraseScorer) -> float:
    """Seconds before the end of a path that its window holds."""
    return max(BEFORE_S, PHONEME_S * int(scorer.lengths.max()))


def spots(scorer: PhraseScorer, log_probs: Float, rate_hz: float, most: int, ends: NDArray[np.int64]) -> list[Spot]:
    """The `most` highest stretches, the highest first.

    Args:
        scorer: of the phrase.
        log_probs: `(frames, tokens)`, what the recogniser heard in one or more recordings, one after another.
        rate_hz: frames per second.
        most: largest number of spots.
        ends: frame after the last one of each recording; no window reaches into another recording.
    """
    frames = len(log_probs)
    if not frames:
        return []
    before, after = round(window_s(scorer) * rate_hz), round(AFTER_S * rate_hz)
    curve = _ending_here(scorer, log_probs, round(PIECE_S * rate_hz), before)
    # Several peaks of the first pass may be one stretch in the second: more are measured than asked for.
    peaks = _highest(curve, round(APART_S * rate_hz), 2 * most)
    recording = np.searchsorted(ends, peaks, side="right")
    first = np.maximum(peaks - before, np.concatenate([[0], ends[:-1]])[recording])
    last = np.minimum(peaks + after + 1, ends[recording])
    found = []
    for at in range(0, len(peaks), _BATCH):
        group = slice(at, at + _BATCH)
        windows = _cut(log_probs, first[group], last[group], before + after + 1, scorer.blank)
        features = scorer(windows)
        for start, score, low, high in zip(
            first[group], text_score(features), features.start, features.end, strict=True
        ):
            found.append(Spot(float(score), float(start + low) / rate_hz, float(start + high + 1) / rate_hz))
    return _apart(found, most)


def _apart(found: list[Spot], most: int) -> list[Spot]:
    """The highest spots whose ends lie `APART_S` from each other."""
    kept: list[Spot] = []
    ends = np.empty(0)
    for spot in sorted(found, key=lambda one: (-one.score, one.end_s)):
        if not len(ends) or np.abs(ends - spot.end_s).min() >= APART_S:
            kept.append(spot)
            ends = np.append(ends, spot.end_s)
        if len(kept) == most:
            break
    return kept


def _highest(curve: Float, apart: int, most: int) -> NDArray[np.int64]:
    """The `most` highest frames of `curve (frames,)` that are the highest within `apart` frames, in order of time."""
    blocks = -(-len(curve) // apart)
    padded = np.pad(curve, (0, blocks * apart - len(curve)), constant_values=-np.inf).reshape(blocks, apart)
    places = padded.argmax(axis=1) + apart * np.arange(blocks)
    heights = padded.max(axis=1)
    # The peak of a block beside a higher one closer than `apart` is its flank.
    beside = np.zeros(blocks, dtype=bool)
    close = np.diff(places) < apart
    beside[1:] |= close & (heights[1:] <= heights[:-1])
    beside[:-1] |= close & (heights[:-1] < heights[1:])
    able = np.flatnonzero(~beside & np.isfinite(heights))
    kept = able[np.argsort(-heights[able], kind="stable")[:most]]
    return np.sort(places[kept]).astype(np.int64)


def _cut(log_probs: Float, first: NDArray[np.int64], last: NDArray[np.int64], size: int, blank: int) -> Float:
    """Windows `(windows, size, tokens)` of the frames `first` to `last`; frames after a recording are blank."""
    windows = np.full((len(first), size, log_probs.shape[1]), NOTHING, dtype=np.float32)
    windows[:, :, blank] = 0.0
    for row, (low, high) in enumerate(zip(first, last, strict=True)):
        windows[row, : high - low] = log_probs[low:high]
    return windows


def _ending_here(scorer: PhraseScorer, log_probs: Float, piece: int, overlap: int) -> Float:
    """Mean score of the best path that ends at each frame `(frames,)`, over all pronunciations."""
    frames = len(log_probs)
    heard, places, skips = _states(scorer, log_probs)
    pieces = -(-frames // piece)
    starts = piece * np.arange(pieces) - overlap
    rows, width = len(places), places.shape[1]
    score = np.full((pieces, rows, width + 2), -np.inf, dtype=np.float32)
    # Two states before the first phoneme: entering it is free at every frame.
    last = 2 * scorer.lengths
    result = np.full((pieces, overlap + piece), -np.inf, dtype=np.float32)
    for step in range(overlap + piece):
        score[:, :, 1] = 0.0
        from_here = np.maximum(score[:, :, 2:], score[:, :, 1:-1])
        np.maximum(from_here, score[:, :, :-2] + skips, out=from_here)
        frame = starts + step
        inside = (frame >= 0) & (frame < frames)
        values = heard[np.clip(frame, 0, frames - 1)]
        score[:, :, 2:] = from_here + values[:, places]
        score[~inside] = -np.inf
        ended = np.take_along_axis(score, last[None, :, None], axis=2)[:, :, 0] / scorer.lengths
        result[:, step] = ended.max(axis=1)
    return result[:, overlap:].reshape(-1)[:frames]


def _states(scorer: PhraseScorer, log_probs: Float) -> tuple[Float, NDArray[np.int64], Float]:
    """Scores of each different phoneme and of the blank `(frames, phonemes + 1)`, the column of each state, the skips.

    States are `(pronunciations, 2 * longest - 1)`: phonemes at even places, the blanks between them at odd ones.
    """
    merged = log_probs
    if scorer.boundary is not None:
        merged = log_probs.copy()
        merged[:, scorer.blank] = np.logaddexp(log_probs[:, scorer.blank], log_probs[:, scorer.boundary])
        merged[:, scorer.boundary] = NOTHING
    relative = np.maximum(merged - merged.max(axis=1, keepdims=True), NOTHING)
    different: dict[tuple[tuple[int, ...], tuple[float, ...]], int] = {}
    longest = int(scorer.lengths.max())
    places = np.zeros((len(scorer.lengths), 2 * longest - 1), dtype=np.int64)
    skips = np.full(places.shape, -np.inf, dtype=np.float32)
    for row, one in enumerate(scorer.pronunciations):
        for number, key in enumerate(zip(one.tokens, one.costs, strict=True)):
            places[row, 2 * number] = different.setdefault(key, len(different)) + 1
            if number and not set(one.tokens[number]) & set(one.tokens[number - 1]):
                skips[row, 2 * number] = 0.0
    heard = np.empty((len(relative), len(different) + 1), dtype=np.float32)
    heard[:, 0] = relative[:, scorer.blank]
    for (tokens, costs), column in different.items():
        heard[:, column + 1] = (relative[:, list(tokens)] - np.asarray(costs, dtype=np.float32)).max(axis=1)
    return heard, places, skips
