"""The sounds of a pronunciation as outputs of a recogniser: each with its alternatives, and what these cost.

A cost is in units of log-probability: it is taken off the score of a frame where the alternative is heard. For English
and the recogniser of `costs.json`, costs are learnt from transcribed speech (`benchmarks/phoneme_costs.py`); elsewhere
the rules of `accents` name the alternatives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import resources

from wakeword.errors import ConfigError
from wakeword.phonetics import accents
from wakeword.phonetics.articulation import FAR, distance, point_of
from wakeword.phonetics.recogniser import Recogniser
from wakeword.runtime.phoneme_path import Pronunciation

Place = tuple[tuple[int, ...], tuple[float, ...]]
"""Outputs of one sound, and their costs."""

COSTS = "costs.json"
RULE_COST, CONTEXT_COST = 3.0, 1.5
"""Of a sound that an accent says instead, and of one that its neighbours bring about, beside learnt costs.

Lower ones let in more other speech than they find people: `docs/explanation/phonetics.md`.
"""
LEARNT_SCALE, LEARNT_MOST = 2.5, 5.0
"""Factor on learnt costs, and the highest one of an alternative."""
DROP_COST = 3.0
"""Of a sound that an accent leaves out, taken off the sound beside it."""
FARTHEST = 3.0
"""Steps of the chart beyond which one sound does not stand for another."""
_VARIANT = 0.3
"""Steps of a fine detail, such as aspiration."""


class Inventory:
    """The outputs of a recogniser as sounds."""

    def __init__(
        self,
        name: str,
        tokens: tuple[str, ...],
        special: tuple[int | None, ...] = (),
        learnt: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        """`special`: outputs that are no sounds; `learnt`: per English sound what each output costs."""
        self.name = name
        self.sounds = {
            number: token
            for number, token in enumerate(tokens)
            if number not in special and point_of(token) is not None
        }
        self._learnt = {sound: self._affordable(costs) for sound, costs in (learnt or {}).items()}
        self._known: dict[str, tuple[tuple[int, ...], str | None]] = {}

    def place(self, sounds: tuple[str, ...], at: int, english: bool) -> Place:
        """Outputs for the sound at a place, the sound itself first."""
        costs: dict[int, float] = {}
        outputs, _ = self._nearest(sounds[at])
        for output in outputs:
            further = distance(sounds[at], self.sounds[output]) - distance(sounds[at], self.sounds[outputs[0]])
            costs[output] = round(further, 2)
        learnt = self._learnt.get(sounds[at], {}) if english else {}
        others = accents.in_context(sounds, at, english) if learnt else accents.others(sounds, at, english)
        by_rule = CONTEXT_COST if learnt else RULE_COST
        for output, cost in [*learnt.items(), *((o, by_rule) for other in others for o in self._exact(other))]:
            costs[output] = min(costs.get(output, cost), cost)
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

    def _affordable(self, costs: Mapping[str, float]) -> dict[int, float]:
        outputs = {token: output for output, token in self.sounds.items()}
        scaled = {outputs[token]: round(LEARNT_SCALE * cost, 2) for token, cost in costs.items() if token in outputs}
        return {output: cost for output, cost in scaled.items() if cost <= LEARNT_MOST}

    def _parts(self, sound: str) -> tuple[str, ...]:
        if len(sound) == 2 and not self._exact(sound) and all(self._exact(letter) for letter in sound):
            return tuple(sound)
        return (sound,)

    def _exact(self, sound: str) -> tuple[int, ...]:
        return tuple(number for number, token in self.sounds.items() if distance(sound, token) == 0.0)

    def _nearest(self, sound: str) -> tuple[tuple[int, ...], str | None]:
        """Outputs that are the sound or fine variants of it, else the nearest ones and the symbol of the first."""
        if sound not in self._known:
            self._known[sound] = self._search(sound)
        return self._known[sound]

    def _search(self, sound: str) -> tuple[tuple[int, ...], str | None]:
        ranked = sorted((distance(sound, token), number) for number, token in self.sounds.items())
        least, first = ranked[0] if ranked else (FAR, -1)
        if least > FARTHEST:
            nearest = f"the nearest is {self.sounds[first]!r}" if least < FAR else "it is no letter of the IPA"
            raise ConfigError(
                f"the phoneme recogniser {self.name} has no sound near {sound!r} ({nearest}): "
                "give the phrase's `phonemes` with another sound in its place"
            )
        if least == 0.0:
            return tuple(number for far, number in ranked if far <= _VARIANT), None
        return tuple(number for far, number in ranked if far == least), self.sounds[first]


@cache
def learnt_costs() -> dict[str, object]:
    """The shipped costs: `recogniser` (a fingerprint), `made`, `counted`, `dropped`, `costs`."""
    found: dict[str, object] = json.loads(resources.files(__package__).joinpath(COSTS).read_text(encoding="utf-8"))
    return found


@lru_cache(maxsize=8)
def _inventory(name: str, tokens: tuple[str, ...], special: tuple[int | None, ...], fingerprint: str) -> Inventory:
    shipped = learnt_costs()
    learnt = shipped["costs"] if shipped["recogniser"] == fingerprint else None
    return Inventory(name, tokens, special, learnt)  # type: ignore[arg-type]


def inventory_of(recogniser: Recogniser) -> Inventory:
    """The recogniser's inventory, with its learnt costs; made once."""
    special = (recogniser.blank, recogniser.boundary)
    return _inventory(recogniser.name, recogniser.tokens, special, recogniser.fingerprint)


def as_pronunciation(
    sounds: tuple[str, ...], inventory: Inventory, english: bool, dropped: tuple[int, ...] = ()
) -> Pronunciation:
    """A pronunciation as outputs of the recogniser, without the sounds at the places `dropped`.

    Each of these costs `DROP_COST` at the sound after it, at its end at the one before.
    """
    spelled = inventory.spelled(sounds)
    places, owed = [], 0.0
    for at in range(len(spelled)):
        if at in dropped:
            owed += DROP_COST
            continue
        tokens, costs = inventory.place(spelled, at, english)
        places.append((tokens, tuple(cost + owed for cost in costs)))
        owed = 0.0
    if owed:
        tokens, costs = places[-1]
        places[-1] = (tokens, tuple(cost + owed for cost in costs))
    return Pronunciation(tuple(tokens for tokens, _ in places), tuple(costs for _, costs in places))
