"""Thresholds keep the target on val with certainty, cost few words, and never run to an extreme without need."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from tests.evaluation.metrics.test_tail import exponential_events
from wakeword.evaluation.metrics.tail import Tail, TailEvents, certainty, fit_tail, log_odds
from wakeword.evaluation.metrics.threshold_curve import Curve
from wakeword.evaluation.metrics.thresholds import CAUTION_FRR, LEAST, NEVER, Choice, choose_threshold


def curve(hits=(), alarms=()) -> Curve:
    """Curve of events at these scores, all far apart."""
    levels = np.unique(np.concatenate([hits, alarms]))
    count = [np.array([np.sum(np.asarray(kind) >= t) for t in levels], dtype=np.int64) for kind in (hits, alarms)]
    return Curve(levels.astype(float), *count, len(hits))


def tail_of(alarms, hours: float) -> Tail:
    """The tail of false alarms with these scores, each from a recording of its own."""
    level = np.sort(log_odds(np.asarray(alarms, dtype=float)))[::-1]
    clusters = max(4, len(level))
    return fit_tail(TailEvents(level, np.arange(len(level)), np.full(clusters, hours / clusters)))


def choose(hits, alarms, hours: float, target: float) -> Choice:
    return choose_threshold(curve(hits=hits), curve(alarms=alarms), tail_of(alarms, hours), target)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), target=st.sampled_from([0.1, 1.0, 10.0]))
def test_the_target_is_kept_on_val_and_caution_costs_at_most_its_share(seed, target) -> None:
    rng = np.random.default_rng(seed)
    words, scores = curve(hits=rng.beta(4, 2, rng.integers(1, 200))), rng.beta(1, 4, rng.integers(0, 300))
    alarms, hours = curve(alarms=scores), float(rng.uniform(0.1, 10))
    tail = tail_of(scores, hours)
    choice = choose_threshold(words, alarms, tail, target)
    if not choice.reached:
        assert choice.threshold == NEVER
        assert tail.level_at(target, certainty(target, hours)) >= log_odds(1.0)
        return
    assert LEAST <= choice.threshold < 1
    assert alarms.at(choice.threshold)[1] <= target * hours
    certain = tail.rates(logit(choice.threshold), certainty(target, hours))[0, 0] <= target * 1.01
    estimate = min(1.0, max(float(expit(tail.level_at(target, 0.5))), LEAST))
    lost = words.at(estimate)[0] - words.at(choice.threshold)[0]
    assert certain or "lowered to the words" in choice.reason
    assert lost <= max(CAUTION_FRR * words.words, words.at(estimate)[0] - words.at(1.0)[0]) + 1e-9


def test_more_hours_without_another_alarm_lower_the_threshold() -> None:
    # The rate per hour stays the same, its certainty grows.
    scores = {hours: expit(exponential_events(hours, seed=3).level) for hours in (0.5, 20)}
    few, many = (choose([0.9999] * 50, scores[hours], hours, 0.5) for hours in (0.5, 20))
    assert few.threshold > many.threshold
    assert logit(many.threshold) == pytest.approx(-3 + 1.3 * np.log(25 / 0.5), abs=0.6)


def test_the_bound_is_lowered_to_where_it_costs_few_words() -> None:
    alarms = expit(exponential_events(0.5, seed=1).level)
    free = choose([], alarms, 0.5, 0.5)
    # All words lie between the estimate's threshold and the bound's.
    middle = tail_of(alarms, 0.5).level_at(0.5, 0.5)
    hits = expit(np.linspace(middle, logit(free.threshold), 102)[1:-1])
    bound = choose(hits, alarms, 0.5, 0.5)
    assert "lowered to the words" in bound.reason
    assert np.mean(hits < bound.threshold) == pytest.approx(CAUTION_FRR, abs=0.011)
    assert bound.threshold < free.threshold


def test_audio_without_any_score_leaves_the_lowest_threshold() -> None:
    assert choose([0.99] * 50, [0.0], 10.0, 1.0).threshold == LEAST


def test_saturated_false_alarms_leave_no_threshold() -> None:
    choice = choose([1.0] * 5, [1.0, 0.2], 1.0, 0.5)
    assert not choice.reached
    assert choice.threshold == NEVER
    assert "every threshold" in choice.reason


def test_words_below_all_false_alarms_are_reported() -> None:
    choice = choose([0.2] * 5, [0.9], 1.0, 0.5)
    assert choice.threshold > 0.9
    assert "no word scores above" in choice.reason


def test_the_reason_names_floor_tail_and_hours() -> None:
    choice = choose([0.999] * 50, expit(exponential_events(4.0, seed=2).level), 4.0, 0.5)
    assert "30 highest events in 4.0 h of val" in choice.reason
    assert "upper bound" in choice.reason
    assert "too many false alarms up to" in choice.reason
