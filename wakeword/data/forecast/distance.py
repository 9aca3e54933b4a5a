"""Distance of a phrase from any stretch of running speech, by the articulation of its sounds."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from wakeword.data.synthesis.pronunciation import Phonemes
from wakeword.phonetics.articulation import distance as steps_between

Float = NDArray[np.float32]

GAP = 0.8
"""Cost of a sound that is left out or put in."""
STEPS = 4.0
"""Steps of the chart between two sounds that nobody takes for one another: a cost of 1."""


@cache
def phoneme_distance(one: str, other: str) -> float:
    """From 0 (the same sound) to 1 (nothing in common)."""
    return min(1.0, steps_between(one, other) / STEPS)


def inventory_of(sequences: list[Phonemes]) -> dict[str, int]:
    """A number for each phoneme."""
    return {sound: number for number, sound in enumerate(sorted({sound for one in sequences for sound in one}))}


def best_matches(phrase: Phonemes, speech: Phonemes) -> tuple[Float, NDArray[np.int64]]:
    """Cost of the best match of a phrase that ends at each phoneme of running speech, and where that match begins.

    Sellers' algorithm (1980): edit distance with a free start and a free end in the speech.

    Args:
        phrase: its phonemes.
        speech: phonemes of running speech.

    Returns:
        cost and first phoneme, both `(len(speech),)`; a match that takes no phoneme of the speech begins after its end.
    """
    numbers = inventory_of([speech])
    codes = np.asarray([numbers[sound] for sound in speech], dtype=np.int64)
    length = len(speech)
    cost = np.zeros(length + 1, dtype=np.float32)
    start = np.arange(length + 1)
    for sound in phrase:
        table = np.asarray([phoneme_distance(sound, other) for other in numbers], dtype=np.float32)
        replaced, left_out = cost[:-1] + table[codes], cost + GAP
        fresh, begun = left_out.copy(), start.copy()
        better = replaced < left_out[1:]
        fresh[1:][better] = replaced[better]
        begun[1:][better] = start[:-1][better]
        # Sounds put in: a running minimum of cost - GAP * place gives every chain of them at once.
        slope = GAP * np.arange(length + 1, dtype=np.float32)
        levelled = fresh - slope
        lowest = np.minimum.accumulate(levelled)
        source = np.maximum.accumulate(np.where(levelled <= lowest, np.arange(length + 1), 0))
        cost, start = lowest + slope, begun[source]
    return cost[1:], start[1:].astype(np.int64)
