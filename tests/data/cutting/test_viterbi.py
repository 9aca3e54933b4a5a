"""The best path is the best of all: against every path that there is."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword.data.cutting.viterbi import best_path

BLANK = 0


def collapsed(symbols: tuple[int, ...]) -> list[int]:
    """The tokens of a path, without repeats and blanks."""
    kept = [s for i, s in enumerate(symbols) if i == 0 or s != symbols[i - 1]]
    return [s for s in kept if s != BLANK]


def brute_force(log_probs: np.ndarray, tokens: list[int]) -> float:
    """Score of the best path that spells the tokens, -inf where none does."""
    frames, symbols = log_probs.shape
    scores = [
        sum(log_probs[frame, symbol] for frame, symbol in enumerate(path))
        for path in product(range(symbols), repeat=frames)
        if collapsed(path) == tokens
    ]
    return max(scores, default=-np.inf)


@settings(max_examples=60, deadline=None)
@given(
    frames=st.integers(1, 6),
    tokens=st.lists(st.integers(1, 2), min_size=1, max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_path_is_better(frames: int, tokens: list[int], seed: int) -> None:
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(3), size=frames)
    log_probs = np.log(probabilities + 1e-9)
    best = brute_force(log_probs, tokens)
    path = best_path(log_probs, np.array(tokens), BLANK)
    if path is None:
        assert best == -np.inf
        return
    symbols = np.where(path < 0, BLANK, np.array(tokens)[path])
    assert collapsed(tuple(symbols)) == tokens
    assert np.isclose(log_probs[np.arange(frames), symbols].sum(), best)
    places = path[path >= 0]
    assert (np.diff(places) >= 0).all()
    assert set(places) == set(range(len(tokens)))


def test_equal_neighbours_need_a_blank_and_impossible_texts_have_no_path() -> None:
    flat = np.log(np.full((3, 3), 1 / 3))
    assert best_path(flat, np.array([1, 1]), BLANK) is not None
    assert best_path(flat[:2], np.array([1, 1]), BLANK) is None
    assert best_path(flat[:2], np.array([1, 2]), BLANK).tolist() == [0, 1]
    never = flat.copy()
    never[:, 2] = -np.inf
    assert best_path(never, np.array([1, 2]), BLANK) is None
