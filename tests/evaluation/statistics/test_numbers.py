"""Numbers as people read them."""

from __future__ import annotations

import pytest

from wakeword.evaluation.statistics import numbers
from wakeword.evaluation.statistics.records import Rate


@pytest.mark.parametrize(("share", "text"), [(0.0, "0 %"), (0.0314, "3.1 %"), (0.1, "10 %"), (1.0, "100 %")])
def test_percent_has_a_decimal_below_ten(share, text) -> None:
    assert numbers.percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.054, "0.05"), (2.04, "2.0"), (12.4, "12"), (12345.6, "12,346")]
)
def test_number_never_has_an_exponent(value, text) -> None:
    assert numbers.number(value) == text


def test_seconds_whole_and_intervals() -> None:
    assert numbers.seconds(-0.001) == "0.00"
    assert numbers.whole(0.95) == "95 %"
    assert numbers.share_with_interval(0.0314, (0.012, 0.0751)) == "3.1 % (1.2-7.5)"


def test_a_rate_without_hours_is_named() -> None:
    rate = Rate(false_alarms=1, hours=2.0, fah=0.5, low=0.0127, high=2.786)
    assert numbers.rate_with_interval(rate) == "0.50 (0.01-2.8) in 2.0 h"
    absent = rate.model_copy(update={"fah": None, "low": None, "high": None})
    assert numbers.rate_with_interval(absent) == "no negatives"
