"""Sentences on whether the hours of a test prove a target."""

from __future__ import annotations

import pytest

from wakeword.evaluation.report.wording import evidence
from wakeword.evaluation.results import SplitResult, TargetResult
from wakeword.evaluation.statistics.intervals import alarm_rate, hours_needed


def target(hours: float, fah_target: float = 0.5) -> TargetResult:
    """Nothing fired in `hours` of negatives."""
    test = SplitResult(alarms=alarm_rate(0, hours, 0.95), by_kind={}, conditions=(), near_misses=None)
    return TargetResult(
        fah_target=fah_target,
        threshold=0.5,
        reached=True,
        reason="",
        ready=True,
        verdict="",
        hours_needed=hours_needed(fah_target, 0, 0.95),
        val=None,
        test=test,
        oracle=None,
    )


@pytest.mark.parametrize(("fah_target", "needed"), [(0.05, "60"), (0.5, "6.0"), (1.0, "3.0")])
def test_too_few_hours_do_not_prove_the_target(fah_target, needed) -> None:
    few, enough = (target(hours, fah_target) for hours in (0.9 * 3 / fah_target, 1.1 * 3 / fah_target))
    start = f"{needed} h without a false alarm prove {fah_target:g} per hour (95 %); test has "
    assert evidence(few, 0.95).startswith(start + "only ")
    assert evidence(few, 0.95).endswith(" h, so the target is not proven")
    assert evidence(enough, 0.95).startswith(start)
    assert "only" not in evidence(enough, 0.95)
    assert "proven" not in evidence(enough, 0.95)


def test_without_negatives_nothing_is_proven() -> None:
    assert evidence(target(0.0), 0.95) == "0.5 false alarms per hour cannot be tested without negative audio"
    absent = target(1.0).model_copy(update={"test": None})
    assert evidence(absent, 0.95) == "0.5 false alarms per hour cannot be tested without negative audio"
