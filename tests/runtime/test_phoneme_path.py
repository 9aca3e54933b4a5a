"""The path search against a search over every path, batches against single windows, and its cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword.runtime.phoneme_path import NOTHING, Float, PathFeatures, PhraseScorer, Pronunciation

TOKENS, BLANK, BOUNDARY = 6, 4, 5


def _windows(seed: int, windows: int, frames: int, tokens: int = TOKENS) -> Float:
    logits = 3 * np.random.default_rng(seed).normal(size=(windows, frames, tokens))
    return (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)


def _relative(log_probs: Float) -> tuple[Float, Float]:
    """Log-probabilities `(frames, tokens)` relative to the best token, the boundary merged into the blank; the best."""
    merged = log_probs.astype(np.float64)
    merged[:, BLANK] = np.logaddexp(merged[:, BLANK], merged[:, BOUNDARY])
    merged[:, BOUNDARY] = -np.inf
    best = merged.max(axis=1)
    return np.maximum(merged - best[:, None], NOTHING), best


def _labellings(one: Pronunciation, frames: int) -> Iterator[list[int]]:
    """Every way to cover `frames` frames: even numbers are phonemes, odd ones the blanks behind them."""

    def further(path: list[int]) -> Iterator[list[int]]:
        if len(path) == frames:
            if path[-1] == 2 * len(one) - 2:
                yield path
            return
        state = path[-1]
        for move in (0, 1, 2):
            to = state + move
            if to > 2 * len(one) - 2 or (move == 2 and state % 2):
                continue
            if move == 2 and set(one.tokens[to // 2]) & set(one.tokens[state // 2]):
                continue
            yield from further([*path, to])

    yield from further([0])


def _by_hand(log_probs: Float, pronunciations: list[Pronunciation], first_end: int = 0) -> list[dict[str, float]]:
    """Features of the best of all paths of one window, of several where they score the same."""
    relative, best = _relative(log_probs)
    frames = len(relative)
    found: list[tuple[float, dict[str, float]]] = []
    for number, one in enumerate(pronunciations):
        heard = [
            np.max([relative[:, token] - cost for token, cost in zip(tokens, costs, strict=True)], axis=0)
            for tokens, costs in zip(one.tokens, one.costs, strict=True)
        ]
        for start in range(frames):
            for end in range(max(start, first_end), frames):
                for path in _labellings(one, end - start + 1):
                    scores = [
                        relative[start + at, BLANK] if state % 2 else heard[state // 2][start + at]
                        for at, state in enumerate(path)
                    ]
                    spikes = sorted(
                        max(score for score, state in zip(scores, path, strict=True) if state == 2 * place)
                        for place in range(len(one))
                    )
                    blanks = sum(score for score, state in zip(scores, path, strict=True) if state % 2)
                    features = {
                        "mean": sum(scores) / len(one),
                        "weakest": spikes[0],
                        "second_weakest": spikes[min(1, len(one) - 1)],
                        "mean_spike": float(np.mean(spikes)),
                        "inserted": blanks / len(one),
                        "frames_per_phoneme": len(path) / len(one),
                        "clarity": float(best[start : end + 1].mean()),
                        "start": start,
                        "end": end,
                        "pronunciation": number,
                    }
                    found.append((features["mean"], features))
    highest = max((score for score, _ in found), default=0.0)
    return [features for score, features in found if score > highest - 1e-5]


_place = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.3, 1.0])), min_size=1, max_size=2).map(
    lambda pairs: (tuple(token for token, _ in pairs), tuple(cost for _, cost in pairs))
)
_pronunciation = st.lists(_place, min_size=1, max_size=3).map(
    lambda places: Pronunciation(tuple(tokens for tokens, _ in places), tuple(costs for _, costs in places))
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(_pronunciation, min_size=1, max_size=3), st.integers(0, 10**6), st.integers(1, 6), st.sampled_from([0, 3])
)
def test_the_best_path_is_the_best_of_all(
    pronunciations: list[Pronunciation], seed: int, frames: int, first_end: int
) -> None:
    log_probs = _windows(seed, 1, frames)
    found = PhraseScorer(pronunciations, BLANK, BOUNDARY)(log_probs, first_end)
    expected = _by_hand(log_probs[0], pronunciations, first_end)
    if not expected:
        assert found.mean[0] == NOTHING
        return
    values = {name: getattr(found, name)[0] for name in expected[0]}
    assert any(values == pytest.approx(one, abs=2e-4) for one in expected)


@settings(max_examples=30, deadline=None)
@given(st.lists(_pronunciation, min_size=1, max_size=4), st.integers(0, 10**6), st.integers(0, 9))
def test_a_batch_gives_what_its_windows_give_alone(pronunciations: list[Pronunciation], seed: int, frames: int) -> None:
    log_probs = _windows(seed, 5, frames)
    scorer = PhraseScorer(pronunciations, BLANK, BOUNDARY)
    together = scorer(log_probs)
    for window in range(5):
        alone = scorer(log_probs[window : window + 1])
        for field in fields(PathFeatures):
            assert getattr(together, field.name)[window] == getattr(alone, field.name)[0], field.name


def _one(*tokens: int) -> Pronunciation:
    return Pronunciation(tuple((token,) for token in tokens), tuple((0.0,) for _ in tokens))


def _spoken(*tokens: int) -> Float:
    """A window in which the recogniser is sure of one token per frame."""
    return np.log(np.full((TOKENS,), 0.001) + 0.994 * np.eye(TOKENS)[list(tokens)])[None].astype(np.float32)


def test_what_is_heard_exactly_scores_nothing_less_than_0() -> None:
    found = PhraseScorer([_one(0, 1, 2)], BLANK, BOUNDARY)(_spoken(3, 3, BLANK, 0, BLANK, 1, BOUNDARY, 2, BLANK, 3))
    assert found.mean[0] == pytest.approx(0, abs=1e-3)
    assert found.weakest[0] == pytest.approx(0, abs=1e-3)
    assert (found.start[0], found.end[0]) == (3, 7)


def test_a_repeated_phoneme_needs_a_blank_between() -> None:
    scorer = PhraseScorer([_one(0, 0)], BLANK, BOUNDARY)
    assert scorer(_spoken(0, BLANK, 0)).mean[0] == pytest.approx(0, abs=1e-3)
    assert scorer(_spoken(0, 0, 0)).mean[0] < -3


def test_the_weakest_phoneme_tells_a_near_miss_that_the_mean_dilutes() -> None:
    found = PhraseScorer([_one(0, 1, 2, 0, 1, 2)], BLANK, BOUNDARY)(_spoken(0, 1, 2, 0, 3, 2))
    assert found.weakest[0] < -5
    assert found.mean[0] > -1.5
    assert found.second_weakest[0] == pytest.approx(0, abs=1e-3)


def test_an_alternative_costs_what_it_is_given() -> None:
    one = Pronunciation(((0, 3), (1,)), ((0.0, 0.5), (0.0,)))
    assert PhraseScorer([one], BLANK, BOUNDARY)(_spoken(3, 1)).weakest[0] == pytest.approx(-0.5, abs=1e-3)


def test_windows_that_are_too_short_score_nothing() -> None:
    scorer = PhraseScorer([_one(0, 1, 2)], BLANK, BOUNDARY)
    for frames in (0, 1, 2):
        found = scorer(_windows(0, 3, frames))
        assert (found.mean == NOTHING).all()
        assert (found.weakest == NOTHING).all()
    # The shorter of two pronunciations fits.
    assert PhraseScorer([_one(0, 1, 2), _one(3)], BLANK, BOUNDARY)(_windows(0, 1, 1)).pronunciation[0] == 1


def test_a_phrase_without_phonemes_is_refused() -> None:
    for empty in ([], [_one()], [Pronunciation(((),), ((),))]):
        with pytest.raises(ValueError, match="a phrase needs"):
            PhraseScorer(empty, BLANK)


def test_a_window_is_scored_in_milliseconds() -> None:
    ones = [
        Pronunciation(((0, 1), (2,), (3,), (0,), (1, 2), (3,), (2,)), tuple((0.0,) * n for n in (2, 1, 1, 1, 2, 1, 1)))
    ]
    scorer = PhraseScorer(ones * 8, BLANK, BOUNDARY)
    window = _windows(0, 1, 105, 191)
    scorer(window)
    taken = []
    for _ in range(10):
        begin = time.process_time()
        scorer(window)
        taken.append(time.process_time() - begin)
    assert min(taken) < 0.015
