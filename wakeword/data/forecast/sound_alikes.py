"""Words and pairs of words of the CMU dictionary that sound most like a phrase."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from wakeword.data.forecast.distance import GAP, phoneme_distance
from wakeword.data.synthesis.pronunciation import Phonemes, dictionary

SHORTLIST = 150
"""Words of each part that are compared by their sounds, the nearest by number of different phonemes."""
_PER_PART = 12
_LEAST_PART = 2
"""Phonemes of the shorter word of a pair."""
USUAL = 1e-6
"""Least probability of a usual word: some 19,000 words, of more than 100,000 in the dictionary."""


@dataclass(frozen=True)
class SoundAlike:
    """A text, its distance in costs of `phoneme_distance`, and the same for each phoneme of the phrase."""

    text: str
    cost: float
    share: float


def sound_alikes(sounds: Iterable[Phonemes], own: Sequence[str], most: int) -> list[SoundAlike]:
    """The `most` texts of usual words that sound most like any pronunciation, without the phrase itself.

    Args:
        sounds: pronunciations of the phrase.
        own: its words, whose texts are no sound-alikes.
        most: largest number of texts.

    Raises:
        ConfigError: pocketsphinx, which contains the dictionary, is not installed.
    """
    words = _Words(_usual_words())
    costs: dict[str, tuple[float, float, float]] = {}
    for target in sorted(sounds):
        found = {word: (cost, chance) for word, cost, chance in words.near(target, SHORTLIST)}
        for cut in range(_LEAST_PART, len(target) - _LEAST_PART + 1):
            for first, first_cost, first_chance in words.near(target[:cut], SHORTLIST)[:_PER_PART]:
                for second, second_cost, second_chance in words.near(target[cut:], SHORTLIST)[:_PER_PART]:
                    pair = (first_cost + second_cost, first_chance * second_chance)
                    text = f"{first} {second}"
                    found[text] = min(pair, found.get(text, pair))
        for text, (cost, chance) in found.items():
            if cost < costs.get(text, (np.inf, 0.0, 0.0))[0]:
                costs[text] = (cost, cost / len(target), chance)
    for text in (" ".join(own), "".join(own)):
        costs.pop(text, None)
    order = sorted(costs, key=lambda text: (round(2 * costs[text][0]), -costs[text][2], text))
    return [SoundAlike(text, *costs[text][:2]) for text in order[:most]]


def _usual_words() -> dict[str, tuple[Phonemes, float]]:
    """Pronunciation and probability of the dictionary's words that its language model knows well.

    Raises:
        ConfigError: pocketsphinx is not installed.
    """
    known = dictionary()
    package = import_module("pocketsphinx")
    logarithms = package.LogMath()
    path = Path(package.get_model_path()) / "en-us" / "en-us.lm.bin"
    model = package.NGramModel(package.Config(), logarithms, str(path))
    chances = {word: float(logarithms.exp(model.prob([word]))) for word in known}
    return {word: (known[word][0], chance) for word, chance in chances.items() if chance >= USUAL}


def distance(one: Phonemes, other: Phonemes) -> float:
    """Edit distance with the costs of `phoneme_distance`."""
    row = [GAP * place for place in range(len(other) + 1)]
    for sound in one:
        before, row = row, [row[0] + GAP]
        for place, its in enumerate(other, start=1):
            replaced = before[place - 1] + phoneme_distance(sound, its)
            row.append(min(replaced, before[place] + GAP, row[-1] + GAP))
    return row[-1]


class _Words:
    """Words with a letter for each phoneme, as the fast distance needs it."""

    def __init__(self, words: dict[str, tuple[Phonemes, float]]) -> None:
        self._words = [(word, sounds, chance) for word, (sounds, chance) in words.items()]
        self._letters: dict[str, str] = {}
        self._texts = [self._written(sounds) for _, sounds, _ in self._words]
        self._found: dict[Phonemes, list[tuple[str, float, float]]] = {}

    def _written(self, sounds: Phonemes) -> str:
        return "".join(self._letters.setdefault(sound, chr(0x100 + len(self._letters))) for sound in sounds)

    def near(self, target: Phonemes, shortlist: int) -> list[tuple[str, float, float]]:
        """Words by their distance from some phonemes, those with the higher probability first."""
        if target not in self._found:
            written = self._written(target)
            close = process.extract(
                written, self._texts, scorer=Levenshtein.distance, limit=shortlist, score_cutoff=len(target)
            )
            places = [self._words[place] for _, _, place in close]
            rows = [(word, distance(sounds, target), chance) for word, sounds, chance in places]
            self._found[target] = sorted(rows, key=lambda row: (round(2 * row[1]), -row[2], row[0]))
        return self._found[target]
