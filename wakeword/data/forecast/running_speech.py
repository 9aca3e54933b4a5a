"""The built-in sentences of a language as phonemes, and the stretches of them that sound like a phrase."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from wakeword.config.synthesis import ENGLISH
from wakeword.data.forecast.distance import best_matches
from wakeword.data.synthesis.pronunciation import Phonemes, split_ipa
from wakeword.data.synthesis.sentences import sentences
from wakeword.data.words import spoken

PHONEMES_PER_S = 12.0
"""Of running speech; 10 to 15 in read and spontaneous English."""

COST_DECAY = 1.5
"""How fast the resemblance falls with the cost of a match; of 1 to 3, the ranks hardly change."""


@dataclass(frozen=True)
class RunningSpeech:
    """Sentences one after another; `word_of[i]` is the place in `words` of phoneme `i`."""

    phonemes: Phonemes
    words: tuple[str, ...]
    word_of: NDArray[np.int64]

    @property
    def hours(self) -> float:
        """How long it takes to say."""
        return len(self.phonemes) / PHONEMES_PER_S / 3600


@dataclass(frozen=True)
class Stretch:
    """Words of running speech that hold a match, its cost and its sounds."""

    text: str
    cost: float
    sounds: str


@cache
def running_speech(language: str = ENGLISH) -> RunningSpeech:
    """The built-in sentences of a language; empty where there are none.

    Raises:
        ImportError: espeakng-loader is not installed.
    """
    from wakeword.data.synthesis.espeak import phonemes

    words = [word for sentence in sentences(language) for word in spoken(sentence)]
    different = sorted(set(words))
    known = dict(zip(different, (split_ipa(ipa, language) for ipa in phonemes(different, language)), strict=True))
    joined = [(sound, number) for number, word in enumerate(words) for sound in known[word]]
    return RunningSpeech(
        tuple(sound for sound, _ in joined), tuple(words), np.asarray([number for _, number in joined], dtype=np.int64)
    )


def match_costs(sounds: set[Phonemes], speech: RunningSpeech) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Lowest cost over pronunciations of a match that ends at each phoneme, and where it begins."""
    found = [best_matches(one, speech.phonemes) for one in sorted(sounds)]
    costs, starts = (np.stack(part) for part in zip(*found, strict=True))
    best = costs.argmin(axis=0)
    every = np.arange(costs.shape[1])
    return costs[best, every], starts[best, every]


def nearest_stretches(sounds: set[Phonemes], speech: RunningSpeech, most: int) -> list[Stretch]:
    """The `most` different stretches of running speech that sound most like any pronunciation."""
    if not speech.phonemes:
        return []
    costs, starts = match_costs(sounds, speech)
    found: list[Stretch] = []
    taken: set[int] = set()
    texts: set[str] = set()
    for end in np.argsort(costs, kind="stable").tolist():
        start = int(starts[end])
        if start > end or taken & set(range(start, end + 1)):
            continue
        taken.update(range(start, end + 1))
        text = " ".join(speech.words[speech.word_of[start] : speech.word_of[end] + 1])
        if text not in texts:
            texts.add(text)
            found.append(Stretch(text, float(costs[end]), "".join(speech.phonemes[start : end + 1])))
        if len(found) == most:
            break
    return found


def resemblance(sounds: set[Phonemes], language: str = ENGLISH) -> float | None:
    """How much running speech resembles a phrase: log10 of the sum of exp(-1.5 cost) over an hour of it.

    None where the language has no built-in sentences or the phrase no phonemes.
    """
    speech = running_speech(language)
    if not speech.phonemes or not sounds:
        return None
    costs, _ = match_costs(sounds, speech)
    return float(np.log10(np.exp(-COST_DECAY * costs.astype(np.float64)).sum() / speech.hours))
