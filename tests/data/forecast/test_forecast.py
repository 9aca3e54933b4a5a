"""The rate in the tail of scores, and the bar of a few clips."""

from __future__ import annotations

import itertools

import numpy as np

from wakeword.data.forecast.forecast import USUAL_BAR, bar_of, tail_rate


def test_the_tail_of_exponential_scores_is_extrapolated() -> None:
    chance = np.random.default_rng(0)
    # 400 peaks an hour above -20, a factor of e fewer per 2 points of score.
    scores = -20 + chance.exponential(2.0, 4000)
    for bar in (-8.0, -4.0, -2.0):
        expected = 400 * np.exp(-(bar + 20) / 2.0)
        assert abs(np.log(tail_rate(scores, bar, 10.0, tail=200) / expected)) < np.log(2)


def test_within_the_scores_it_is_a_count() -> None:
    scores = np.arange(-100.0, 0.0)
    assert tail_rate(scores, -50.0, 2.0, tail=10) == 25.0


def test_without_scores_or_hours_there_is_no_rate() -> None:
    assert tail_rate([], -5.0, 1.0) == 0.0
    assert tail_rate([-1.0, -2.0, -3.0], -5.0, 0.0) == 0.0


def test_a_higher_bar_never_gives_a_higher_rate() -> None:
    scores = np.random.default_rng(1).normal(-12, 3, 120)
    rates = [tail_rate(scores, bar, 0.5) for bar in np.arange(-14.0, 0.0, 0.5)]
    assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(rates))


def test_the_bar_of_few_clips_is_near_the_usual_one() -> None:
    assert bar_of([]) == USUAL_BAR
    assert USUAL_BAR < bar_of([-0.5] * 5) < bar_of([-0.5] * 100) < -0.5
    assert bar_of([-20.0] * 10) < USUAL_BAR
