"""Confidence intervals of rates: exact Poisson, Wilson, and two that account for speakers.

Sources: F. Garwood 1936 (Poisson); E. B. Wilson 1927 (binomial); the cluster bootstrap of A. C. Davison and D. V.
Hinkley 1997, section 3.8, which draws whole speakers because the misses of one speaker are correlated. With few
speakers or misses the bootstrap interval is too narrow (`benchmarks/interval_coverage.py`). `speaker_wilson` has a
better coverage: Wilson's interval at the effective sample size of E. L. Korn and B. I. Graubard 1998 (Survey
Methodology 24), compared by C. Franco, R. J. A. Little, T. A. Louis and E. V. Slud 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from wakeword.evaluation.statistics.records import Rate

BOOTSTRAP_ROUNDS = 2000


class Interval(NamedTuple):
    """Two-sided bounds."""

    low: float
    high: float


def poisson_interval(count: int, hours: float, confidence: float = 0.95) -> Interval:
    """Exact two-sided interval of a Poisson rate per hour, from `count` events in `hours`.

    Raises ValueError for a negative count or hours that are not above 0.
    """
    if count < 0 or hours <= 0:
        raise ValueError(f"a rate needs a count >= 0 and hours > 0, got {count} in {hours} h")
    tail = (1 - confidence) / 2
    low = special.gammaincinv(count, tail) if count else 0.0
    high = special.gammaincinv(count + 1, 1 - tail)
    return Interval(float(low / hours), float(high / hours))


def alarm_rate(false_alarms: int, hours: float, confidence: float = 0.95) -> Rate:
    """The rate of false alarms with its interval; None values without hours."""
    if hours <= 0:
        return Rate(false_alarms=false_alarms, hours=0.0, fah=None, low=None, high=None)
    low, high = poisson_interval(false_alarms, hours, confidence)
    return Rate(false_alarms=false_alarms, hours=hours, fah=false_alarms / hours, low=low, high=high)


def rate_bound(count: int, hours: float, confidence: float = 0.95) -> float:
    """Upper one-sided bound of a Poisson rate per hour, from `count` events in `hours`.

    Raises ValueError for a negative count or hours that are not above 0.
    """
    if count < 0 or hours <= 0:
        raise ValueError(f"a rate needs a count >= 0 and hours > 0, got {count} in {hours} h")
    return float(special.gammaincinv(count + 1, confidence) / hours)


def hours_needed(rate_per_hour: float, count: int = 0, confidence: float = 0.95) -> float:
    """Hours that prove a rate below `rate_per_hour` (one-sided) with `count` false alarms in them.

    Raises ValueError for a rate that is not above 0.
    """
    if rate_per_hour <= 0:
        raise ValueError(f"the rate to prove must be above 0 per hour, got {rate_per_hour}")
    return float(special.gammaincinv(count + 1, confidence) / rate_per_hour)


def wilson(count: int, total: int, confidence: float = 0.95) -> Interval:
    """Wilson score interval of a share `count / total`. Raises ValueError when `total` is 0."""
    if total <= 0 or not 0 <= count <= total:
        raise ValueError(f"a share needs 0 <= count <= total and total > 0, got {count} of {total}")
    return _wilson(count / total, float(total), special.ndtri((1 + confidence) / 2))


def _wilson(share: float, total: float, z: float) -> Interval:
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    low = 0.0 if share == 0 else float(middle - half)
    high = 1.0 if share == 1 else float(middle + half)
    return Interval(low, high)


def design_effect(missed: Sequence[bool] | np.ndarray, speakers: Sequence[str]) -> float:
    """Variance of the miss rate between speakers over that of independent words, at least 1.

    `missed (words,)`, `speakers`: one per word. It is 1 with one speaker, without a miss and without a hit.
    """
    misses = np.asarray(missed, dtype=np.float64)
    names, group = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    total, people = len(misses), len(names)
    share = float(misses.mean()) if total else 0.0
    if people < 2 or not 0 < share < 1:
        return 1.0
    beyond = np.bincount(group, weights=misses - share)
    return max(1.0, people / (people - 1) * float(np.sum(beyond**2)) / (total * share * (1 - share)))


def speaker_wilson(
    missed: Sequence[bool] | np.ndarray, speakers: Sequence[str], confidence: float = 0.95
) -> Interval | None:
    """Wilson interval of the miss rate at the effective number of independent words.

    `missed`, `speakers`: one per word. That number is the words over the design effect and over the square of t over z,
    because few speakers give a poor estimate of the effect. Without a miss or without a hit it is Wilson's interval.
    None with fewer than two speakers.
    """
    misses = np.asarray(missed, dtype=bool)
    count, total, people = int(misses.sum()), len(misses), len(set(speakers))
    if people < 2:
        return None
    effect = design_effect(misses, speakers)
    if effect <= 1:
        return wilson(count, total, confidence)
    z, t = special.ndtri((1 + confidence) / 2), special.stdtrit(people - 1, (1 + confidence) / 2)
    return _wilson(count / total, total / effect * (z / t) ** 2, z)


def speaker_bootstrap(
    missed: Sequence[bool] | np.ndarray, speakers: Sequence[str], confidence: float = 0.95, seed: int = 0
) -> Interval | None:
    """Percentile interval of the miss rate when whole speakers are resampled; `missed`, `speakers`: one per word.

    None with fewer than two speakers, and without a miss or without a hit: every draw is then the same.
    """
    misses = np.asarray(missed, dtype=bool)
    return None if misses.all() or not misses.any() else bootstrap_mean(misses, speakers, confidence, seed)


def bootstrap_mean(
    values: Sequence[float] | np.ndarray, speakers: Sequence[str], confidence: float = 0.95, seed: int = 0
) -> Interval | None:
    """Percentile interval of the mean of `values (words,)` when whole speakers are resampled; `speakers`: one per word.

    None with fewer than two speakers.
    """
    names, group = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    if len(names) < 2:
        return None
    sum_of = np.bincount(group, weights=np.asarray(values, dtype=np.float64))
    even = np.full(len(names), 1 / len(names))
    draws = np.random.default_rng(seed).multinomial(len(names), even, size=BOOTSTRAP_ROUNDS)
    means = (draws @ sum_of) / (draws @ np.bincount(group))
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))
