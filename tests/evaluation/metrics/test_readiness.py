"""The three states: hours without a false alarm decide, and synthetic audio proves nothing about people."""

from __future__ import annotations

import pytest

from wakeword.config.evaluation import EvaluationConfig
from wakeword.evaluation.metrics.readiness import readiness_of
from wakeword.evaluation.metrics.thresholds import Choice
from wakeword.evaluation.results import ConditionResult, SplitResult
from wakeword.evaluation.statistics.intervals import alarm_rate, rate_bound, wilson

CONFIG = EvaluationConfig(operating_fah=0.5, operating_frr=0.1)
CHOICE = Choice(0.5, 0.7, True, "chosen")


def result(hours: float, alarms: int = 0, missed: int = 0) -> SplitResult:
    """A test of 100 clean words."""
    clean = ConditionResult(
        condition="clean", words=100, missed=missed, speakers=1, frr=missed / 100, wilson=wilson(missed, 100),
        bootstrap=None, by_speaker=None, latency_p50_s=None, latency_p95_s=None, duplicates=0, false_alarms=0,
    )  # fmt: skip
    return SplitResult(alarms=alarm_rate(alarms, hours), by_kind={}, conditions=(clean,), near_misses=None)


@pytest.mark.parametrize(("hours", "state"), [(0.1, "not ready"), (2.0, "promising"), (10.0, "proven")])
def test_hours_without_an_alarm_give_the_three_states(hours, state) -> None:
    found = readiness_of(CHOICE, result(hours), (), CONFIG)
    assert found.state == state
    assert found.verdict.startswith(state)


def test_the_verdict_says_the_hours_that_are_missing() -> None:
    # 6.0 h without an alarm prove 0.5 per hour, 9.5 h with one.
    assert (
        "4.0 h more without a false alarm would prove 0.5 per hour, or 7.5 h with one more"
        in readiness_of(CHOICE, result(2.0), (), CONFIG).verdict
    )
    assert (
        "too few to estimate 0.5 false alarms per hour: 1.0 h are needed"
        in readiness_of(CHOICE, result(0.1), (), CONFIG).verdict
    )


@pytest.mark.parametrize("alarms", [0, 1, 3])
def test_proven_begins_where_the_bound_keeps_the_target(alarms) -> None:
    hours = rate_bound(alarms, 1.0) / 0.5
    assert readiness_of(CHOICE, result(1.001 * hours, alarms), (), CONFIG).state == "proven"
    assert readiness_of(CHOICE, result(0.999 * hours, alarms), (), CONFIG).state == "promising"


@pytest.mark.parametrize("synthetic", [("words",), ("negatives",), ("words", "negatives")])
def test_synthetic_audio_is_promising_at_best(synthetic) -> None:
    found = readiness_of(CHOICE, result(100.0), synthetic, CONFIG)
    assert found.state == "promising"
    assert f"the {' and '.join(synthetic)} of test are synthetic only" in found.verdict
    assert "would prove" not in found.verdict


@pytest.mark.parametrize(
    ("choice", "test", "why"),
    [
        (CHOICE, result(10.0, alarms=8), "0.80 false alarms per hour on test, the limit is 0.5"),
        (CHOICE, result(10.0, missed=20), "20 % of clean words missed on test, the limit is 10 %"),
        (Choice(0.5, 1.001, False, "no threshold keeps it"), result(10.0), "no threshold keeps it"),
        (CHOICE, result(0.0), "no negative audio"),
        (CHOICE, None, "no negative audio"),
        (CHOICE, result(10.0).model_copy(update={"conditions": ()}), "no clips of the word"),
    ],
)
def test_faults_are_named(choice, test, why) -> None:
    found = readiness_of(choice, test, (), CONFIG)
    assert found.state == "not ready"
    assert why in found.verdict
