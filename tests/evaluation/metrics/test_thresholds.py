"""Thresholds keep the target on val, leave margin, and never run to an extreme without need."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword.evaluation.metrics.threshold_curve import Curve
from wakeword.evaluation.metrics.thresholds import NEVER, choose_threshold


def curve(hits=(), alarms=()) -> Curve:
    """Curve of events at these scores, all far apart."""
    levels = np.unique(np.concatenate([hits, alarms]))
    count = [np.array([np.sum(np.asarray(kind) >= t) for t in levels], dtype=np.int64) for kind in (hits, alarms)]
    return Curve(levels.astype(float), *count, len(hits))


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10_000), target=st.sampled_from([0.1, 1.0, 10.0]))
def test_the_target_is_kept_on_val_and_misses_cost_at_most_the_margin(seed, target) -> None:
    rng = np.random.default_rng(seed)
    words = curve(hits=rng.beta(4, 2, rng.integers(1, 200)))
    alarms = curve(alarms=rng.beta(1, 4, rng.integers(0, 300)))
    hours = float(rng.uniform(0.1, 10))
    choice = choose_threshold(words, alarms, hours, target)
    assert choice.reached
    assert 0 < choice.threshold < 1
    assert alarms.at(choice.threshold)[1] <= target * hours
    levels = np.append(alarms.threshold, 2.0)
    best = next(t for t in levels if all(alarms.at(levels[levels >= t])[1] <= target * hours))
    before = alarms.threshold[alarms.threshold < best]
    lowest = np.nextafter(before[-1], 1) if len(before) and not np.isinf(best) else 0.0
    if words.at(lowest)[0]:
        assert words.frr(choice.threshold) <= words.frr(lowest) + 0.01 + 1e-9


def test_a_clear_gap_is_split_in_the_middle_of_the_log_odds() -> None:
    choice = choose_threshold(curve(hits=[0.9] * 50), curve(alarms=[0.1, 0.05]), 0.5, 0.5)
    assert choice.threshold == pytest.approx(0.5)


def test_where_no_false_alarm_limits_it_the_highest_one_is_the_floor() -> None:
    choice = choose_threshold(curve(hits=[0.9] * 50), curve(alarms=[0.1]), 10.0, 1.0)
    assert choice.threshold == pytest.approx(0.5)
    silent = choose_threshold(curve(hits=[0.99] * 50), curve(alarms=[0.0]), 10.0, 1.0)
    assert 0.1 < silent.threshold < 0.9


def test_saturated_false_alarms_leave_no_threshold() -> None:
    choice = choose_threshold(curve(hits=[1.0] * 5), curve(alarms=[1.0, 0.2]), 1.0, 0.5)
    assert not choice.reached
    assert choice.threshold == NEVER
    assert "every threshold" in choice.reason


def test_words_below_all_false_alarms_are_said() -> None:
    choice = choose_threshold(curve(hits=[0.2] * 5), curve(alarms=[0.9]), 1.0, 0.5)
    assert choice.threshold > 0.9
    assert "no word scores above" in choice.reason
