"""Number formats of reports: shares, seconds and rates with their intervals."""

from __future__ import annotations

from wakeword.evaluation.statistics.records import Rate


def percent(share: float) -> str:
    """`3.1 %`; whole numbers from 10 on."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.1f} %"


def whole(share: float) -> str:
    """`95 %`."""
    return f"{100 * share:g} %"


def seconds(value: float) -> str:
    """Two decimals, never a negative zero."""
    return f"{round(value, 2) + 0.0:.2f}"


def number(value: float) -> str:
    """Two significant digits without an exponent."""
    if value == 0:
        return "0"
    return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def share_with_interval(share: float, interval: tuple[float, float]) -> str:
    """`3.1 % (1.2-7.5)`."""
    low, high = (f"{100 * bound:.1f}" for bound in interval)
    return f"{percent(share)} ({low}-{high})"


def rate_with_interval(rate: Rate) -> str:
    """`0.5 (0.01-2.8) in 2.0 h`, or `no negatives`."""
    if rate.fah is None or rate.low is None or rate.high is None:
        return "no negatives"
    return f"{number(rate.fah)} ({number(rate.low)}-{number(rate.high)}) in {number(rate.hours)} h"
