"""The learning rate is a pure function of the step."""

from __future__ import annotations

import math

import pytest

from wakeword.training.schedule import learning_rate


def test_warms_up_linearly_then_falls_along_a_cosine() -> None:
    rates = [learning_rate(step, 100, 0.2, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.02)
    assert rates[4] == pytest.approx(0.10)
    assert rates[9] == pytest.approx(0.2)
    assert rates[10] == pytest.approx(0.2)
    assert rates[55] == pytest.approx(0.1, rel=1e-6)
    assert rates[99] == pytest.approx(0.2 * 0.5 * (1 + math.cos(math.pi * 89 / 90)))
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_without_warm_up_the_first_step_has_the_peak() -> None:
    assert learning_rate(0, 10, 1.0, 0.0) == 1.0
    assert learning_rate(10, 10, 1.0, 0.0) == pytest.approx(0.0, abs=1e-12)
