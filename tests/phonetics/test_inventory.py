"""Sounds as outputs of a recogniser: the sound itself, what it may be heard as, the nearest one, and refusals."""

from __future__ import annotations

import pytest

from wakeword.errors import ConfigError
from wakeword.phonetics.articulation import FAR, distance, point_of
from wakeword.phonetics.inventory import (
    DROP_COST,
    LEARNT_MOST,
    LEARNT_SCALE,
    RULE_COST,
    Inventory,
    as_pronunciation,
    inventory_of,
    learnt_costs,
)
from wakeword.phonetics.recogniser import Recogniser

ENGLISH = [
    "ə",
    "ɪ",
    "ɛ",
    "ɔ",
    "ɑ",
    "æ",
    "ɚ",
    "i",
    "u",
    "ʊ",
    "eɪ",
    "aɪ",
    "aʊ",
    "ɔɪ",
    "oʊ",
    "b",
    "d",
    "ð",
    "f",
    "ɡ",
    "h",
    "tʃ",
    "dʒ",
    "k",
    "l",
    "m",
    "n",
    "ŋ",
    "p",
    "ɹ",
    "s",
    "ʃ",
    "t",
    "θ",
    "v",
    "w",
    "j",
    "z",
    "ʒ",
]


def _small(*tokens: str, **more: object) -> Inventory:
    return Inventory("small", tokens, **more)  # type: ignore[arg-type]


def test_spellings_of_one_sound_are_one() -> None:
    for first, second in (("g", "ɡ"), ("t͡ʃ", "tʃ"), ("ʤ", "dʒ"), ("ɝ", "ɚ"), ("ã", "a\u0303")):
        assert distance(first, second) == 0


def test_near_sounds_are_nearer_than_far_ones() -> None:
    for sound, near, far in (("ɔ", "o", "i"), ("p", "b", "s"), ("n", "m", "k"), ("ɾ", "ɹ", "f"), ("i", "j", "w")):
        assert 0 < distance(sound, near) < distance(sound, far)
    assert distance("a", "p") > 6
    for symbol in ("<pad>", "˥", "7", "二"):
        assert point_of(symbol) is None
        assert distance("a", symbol) == FAR


def test_hama_has_every_sound_of_english(recogniser: Recogniser) -> None:
    inventory = inventory_of(recogniser)
    assert {sound: inventory.stand_in(sound) for sound in ENGLISH} == dict.fromkeys(ENGLISH)


def test_a_sound_comes_first_and_is_free(recogniser: Recogniser) -> None:
    inventory = inventory_of(recogniser)
    for at, sound in enumerate(ENGLISH):
        tokens, costs = inventory.place(ENGLISH, at, english=True)
        assert distance(recogniser.tokens[tokens[0]], sound) == 0
        assert costs[0] == 0
        assert len(set(tokens)) == len(tokens) == len(costs)


def test_a_missing_sound_gets_the_nearest() -> None:
    inventory = _small("<blank>", "p", "i", "õ", "s")
    assert inventory.stand_in("b") == "p"
    assert inventory.stand_in("ɔ̃") == "õ"
    assert inventory.place(("b",), 0, english=False) == ((1,), (0.0,))


def test_a_sound_without_a_near_one_is_refused_by_name() -> None:
    inventory = _small("<blank>", "t", "a")
    with pytest.raises(ConfigError, match=r"no sound near 'ǃ' \(the nearest is 't'\).*`phonemes`"):
        inventory.stand_in("ǃ")
    with pytest.raises(ConfigError, match=r"no sound near '7' \(it is no letter of the IPA\)"):
        inventory.stand_in("7")


def test_diphthongs_and_affricates_fall_into_parts_where_only_these_are_there() -> None:
    assert _small("a", "ɪ", "t", "s").spelled(("aɪ", "ts")) == ("a", "ɪ", "t", "s")
    assert _small("aɪ", "a", "ɪ").spelled(("aɪ",)) == ("aɪ",)


def test_learnt_costs_count_for_english_alone() -> None:
    learnt = {"i": {"i": 0.0, "ɛ": 1.0, "u": 100.0}}
    inventory = _small("i", "ɛ", "u", "ɪ", learnt=learnt)
    assert inventory.place(("i",), 0, english=True) == ((0, 1), (0.0, LEARNT_SCALE))
    assert inventory.place(("i",), 0, english=False) == ((0, 3), (0.0, RULE_COST))


def test_the_shipped_costs_are_those_of_the_installed_recogniser(recogniser: Recogniser) -> None:
    shipped = learnt_costs()
    assert shipped["recogniser"] == recogniser.fingerprint
    costs = shipped["costs"]
    assert isinstance(costs, dict)
    assert set(costs) == set(ENGLISH)
    for sound, tokens in costs.items():
        assert min(tokens.values()) == 0
        assert set(tokens) <= set(recogniser.tokens)
        # What is heard most is the sound itself.
        assert distance(min(tokens, key=tokens.get), sound) == 0
    z = dict(zip(*inventory_of(recogniser).place(("z",), 0, english=True), strict=True))
    assert 0 < z[recogniser.tokens.index("s")] <= LEARNT_MOST


def test_a_dropped_sound_costs_at_its_neighbour() -> None:
    inventory = _small("t", "k", "s")
    whole = as_pronunciation(("t", "k", "s"), inventory, english=False)
    assert whole.costs == ((0.0,), (0.0,), (0.0,))
    assert as_pronunciation(("t", "k", "s"), inventory, False, (1,)).costs == ((0.0,), (DROP_COST,))
    last = as_pronunciation(("t", "k", "s"), inventory, False, (2,))
    assert (last.tokens, last.costs) == (((0,), (1,)), ((0.0,), (DROP_COST,)))
