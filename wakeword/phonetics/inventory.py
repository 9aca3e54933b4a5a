"""The sounds of a pronunciation as outputs of a recogniser: each with its alternatives, and what these cost.

A cost is in units of log-probability: it is taken off the score of a frame where the alternative is heard. Where the
recogniser has learnt costs (`costs.json`), these count; elsewhere the rules of `accents`.
"""

from __future__ import annotations

from functools import lru_cache

from wakeword.errors import ConfigError
from wakeword.phonetics import accents
from wakeword.phonetics.articulation import FAR, distance, point_of
from wakeword.phonetics.recogniser import Recogniser
from wakeword.runtime.phoneme_path import Pronunciation

Place = tuple[tuple[int, ...], tuple[float, ...]]
"""Outputs of one sound, and their costs."""

RULE_COST = 0.3
"""Of a sound that an accent says instead."""
FARTHEST = 3.0
"""Steps of the chart beyond which one sound does not stand for another."""
_VARIANT = 0.3
"""Steps of a fine detail, such as aspiration."""


class Inventory:
    """The outputs of a recogniser as sounds."""

    def __init__(self, name: str, tokens: tuple[str, ...], special: tuple[int | None, ...] = ()) -> None:
        self.name = name
        self._sounds = {
            number: token
            for number, token in enumerate(tokens)
            if number not in special and point_of(token) is not None
        }
        self._known: dict[str, tuple[tuple[int, ...], str | None]] = {}

    def place(self, sounds: tuple[str, ...], at: int, english: bool) -> Place:
        """Outputs for the sound at a place, the sound itself first."""
        costs: dict[int, float] = {}
        outputs, _ = self._nearest(sounds[at])
        for output in outputs:
            further = distance(sounds[at], self._sounds[output]) - distance(sounds[at], self._sounds[outputs[0]])
            costs[output] = round(further, 2)
        for other in accents.others(sounds, at, english):
            for output in self._exact(other):
                costs.setdefault(output, RULE_COST)
        return tuple(costs), tuple(costs.values())

    def spelled(self, sounds: tuple[str, ...]) -> tuple[str, ...]:
        """The pronunciation with diphthongs and affricates in two where the recogniser has only their parts."""
        return tuple(part for sound in sounds for part in self._parts(sound))

    def stand_in(self, sound: str) -> str | None:
        """The sound that stands for one that the recogniser lacks; None for one that it has.

        Raises:
            ConfigError: none of its sounds is near enough.
        """
        return self._nearest(sound)[1]

    def _parts(self, sound: str) -> tuple[str, ...]:
        if len(sound) == 2 and not self._exact(sound) and all(self._exact(letter) for letter in sound):
            return tuple(sound)
        return (sound,)

    def _exact(self, sound: str) -> tuple[int, ...]:
        return tuple(number for number, token in self._sounds.items() if distance(sound, token) == 0.0)

    def _nearest(self, sound: str) -> tuple[tuple[int, ...], str | None]:
        """Outputs that are the sound or fine variants of it, else the nearest ones and the symbol of the first."""
        if sound not in self._known:
            self._known[sound] = self._search(sound)
        return self._known[sound]

    def _search(self, sound: str) -> tuple[tuple[int, ...], str | None]:
        ranked = sorted((distance(sound, token), number) for number, token in self._sounds.items())
        least, first = ranked[0] if ranked else (FAR, -1)
        if least > FARTHEST:
            nearest = f"the nearest is {self._sounds[first]!r}" if least < FAR else "it is no letter of the IPA"
            raise ConfigError(
                f"the phoneme recogniser {self.name} has no sound near {sound!r} ({nearest}): "
                "give the phrase's `phonemes` with another sound in its place"
            )
        if least == 0.0:
            return tuple(number for far, number in ranked if far <= _VARIANT), None
        return tuple(number for far, number in ranked if far == least), self._sounds[first]


@lru_cache(maxsize=8)
def _inventory(name: str, tokens: tuple[str, ...], special: tuple[int | None, ...]) -> Inventory:
    return Inventory(name, tokens, special)


def inventory_of(recogniser: Recogniser) -> Inventory:
    """The recogniser's inventory; made once."""
    return _inventory(recogniser.name, recogniser.tokens, (recogniser.blank, recogniser.boundary))


def as_pronunciation(sounds: tuple[str, ...], inventory: Inventory, english: bool) -> Pronunciation:
    """One form of a pronunciation as outputs of the recogniser."""
    spelled = inventory.spelled(sounds)
    places = [inventory.place(spelled, at, english) for at in range(len(spelled))]
    return Pronunciation(tuple(tokens for tokens, _ in places), tuple(costs for _, costs in places))
