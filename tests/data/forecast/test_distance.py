"""Matches of a phrase in running speech, against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from wakeword.data.forecast.distance import GAP, best_matches, phoneme_distance

SOUNDS = ("k", "ə", "m", "p", "j", "u", "t", "ɚ", "eɪ", "n", "oʊ", "v", "dʒ", "s")


def brute_force(phrase: tuple[str, ...], speech: tuple[str, ...]) -> np.ndarray:
    table = np.zeros((len(phrase) + 1, len(speech) + 1))
    for i, sound in enumerate(phrase, start=1):
        table[i, 0] = i * GAP
        for j, other in enumerate(speech, start=1):
            replaced = table[i - 1, j - 1] + phoneme_distance(sound, other)
            table[i, j] = min(replaced, table[i - 1, j] + GAP, table[i, j - 1] + GAP)
    return table[-1, 1:]


@pytest.mark.parametrize("length", [1, 3, 8])
def test_costs_are_those_of_brute_force(length: int) -> None:
    chance = np.random.default_rng(length)
    for _ in range(5):
        phrase = tuple(chance.choice(SOUNDS, length).tolist())
        speech = tuple(chance.choice(SOUNDS, 60).tolist())
        costs, starts = best_matches(phrase, speech)
        np.testing.assert_allclose(costs, brute_force(phrase, speech), atol=1e-4)
        # A match costs what its stretch costs alone, from its first sound to its last.
        for end in (10, 59):
            if starts[end] <= end:
                own = brute_force(phrase, speech[starts[end] : end + 1])
                assert own[-1] == pytest.approx(costs[end], abs=1e-4)


def test_a_phrase_that_is_said_costs_nothing_and_begins_where_it_is_said() -> None:
    costs, starts = best_matches(("n", "oʊ", "v"), ("k", "s", "n", "oʊ", "v", "t"))
    assert costs.argmin() == 4
    assert costs[4] == 0.0
    assert starts[4] == 2


def test_like_sounds_cost_less_than_unlike_ones() -> None:
    assert phoneme_distance("t", "t") == 0.0
    assert phoneme_distance("t", "d") < phoneme_distance("t", "m") <= 1.0
    assert phoneme_distance("i", "ɪ") < phoneme_distance("i", "ɑ")
    assert phoneme_distance("i", "k") == 1.0
