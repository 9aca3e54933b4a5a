"""How often a phrase would be heard where nobody says it: a forecast before any training.

By ear: the text-defined score of a phoneme recogniser on a few synthetic clips of the phrase gives a bar that 5 % of
them miss, and the rate of stretches of other audio above that bar is the forecast, read from the tail of their scores.
By text: how much running speech resembles the phrase, from its phonemes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.data.forecast.negatives import Heard
from wakeword.phonetics.listening import Listener, restored
from wakeword.phonetics.spotting import Spot, spots, text_score
from wakeword.runtime.phoneme_path import PhraseScorer

Float = NDArray[np.float64]

MISSES = 0.05
"""Share of the phrase's own clips below the bar."""
USUAL_BAR, USUAL_CLIPS = -5.0, 20.0
"""The bar of a usual phrase, and how many clips that knowledge is worth: a few clips say little about 5 % of them."""
TAIL = 40
"""Highest stretches from which the tail is read."""
MOST_SPOTS = 120
SILENCE_S = 0.5
"""Silence around a clip, as a recogniser of utterances is used to."""


@dataclass(frozen=True)
class ByEar:
    """A forecast from audio.

    `bar`: the text-defined score that `MISSES` of the phrase's clips would miss; `clips`: their scores. `per_hour`:
    expected stretches at or above it in an hour; `above` of them were heard in `hours`. `nearest`: the highest ones.
    """

    bar: float
    clips: tuple[float, ...]
    per_hour: float
    above: int
    hours: float
    nearest: tuple[Spot, ...]


def bar_of(clips: Sequence[float]) -> float:
    """The score that `MISSES` of the clips miss, drawn towards that of a usual phrase; at most 0."""
    if not clips:
        return USUAL_BAR
    own = float(np.quantile(clips, MISSES))
    return (len(clips) * own + USUAL_CLIPS * USUAL_BAR) / (len(clips) + USUAL_CLIPS)


def clip_scores(listener: Listener, scorer: PhraseScorer, clips: Sequence[NDArray[np.float32]]) -> list[float]:
    """The text-defined score of each clip `(samples,)`."""
    import torch

    if not clips:
        return []
    quiet = round(SILENCE_S * SAMPLE_RATE_HZ)
    longest = max(map(len, clips))
    batch = np.stack([np.pad(clip, (quiet, quiet + longest - len(clip))) for clip in clips])
    with torch.inference_mode():
        return text_score(scorer(listener.log_probs(torch.from_numpy(batch)).float().numpy())).tolist()


def tail_rate(scores: Sequence[float], bar: float, hours: float, tail: int = TAIL) -> float:
    """Stretches an hour at or above a bar, from the highest scores of `hours`.

    Below the lowest of the `tail` highest scores it is a count. Above it the rate falls exponentially with the score,
    by the mean excess of the tail (the maximum-likelihood fit), because a count of none says little.
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))[::-1]
    if not len(ordered) or hours <= 0:
        return 0.0
    kept = ordered[: tail + 1]
    least = kept[-1]
    if bar <= least or len(kept) < 3:
        return float((ordered >= bar).sum()) / hours
    excess = max(float((kept[:-1] - least).mean()), 1e-3)
    return float((len(kept) - 1) * np.exp(-(bar - least) / excess)) / hours


def by_ear(scorer: PhraseScorer, heard: Heard, clips: Sequence[float]) -> ByEar:
    """The forecast of a phrase on what was heard, with the scores of its own clips."""
    found = spots(scorer, restored(heard.log_probs), heard.rate_hz, MOST_SPOTS, heard.ends)
    bar = bar_of(clips)
    scores = [spot.score for spot in found]
    above = sum(score >= bar for score in scores)
    rate = tail_rate(scores, bar, heard.hours)
    return ByEar(bar, tuple(clips), rate, above, heard.hours, tuple(found))
