"""How far a measured rate may lie from the true one: exact Poisson, Wilson, and two that heed speakers.

Sources: F. Garwood 1936 (Poisson, from gamma quantiles: half those of chi-squared); E. B. Wilson 1927 (binomial);
the cluster bootstrap as in A. C. Davison and D. V. Hinkley 1997, section 3.8: whole speakers are drawn, because one
person's misses come together. It covers too little with few speakers or misses (`benchmarks/interval_coverage.py`);
`speaker_wilson` covers better: Wilson's interval at the effective sample size of E. L. Korn and B. I. Graubard 1998
("Confidence intervals for proportions with small expected number of positive counts estimated from survey data", Survey
Methodology 24), as compared for Wilson by C. Franco, R. J. A. Little, T. A. Louis and E. V. Slud 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

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


def hours_needed(rate_per_hour: float, count: int = 0, confidence: float = 0.95) -> float:
    """Hours in which at most `count` false alarms may come for "the rate is below R" to hold (one-sided).

    Raises ValueError for a rate that is not above 0.
    """
    if rate_per_hour <= 0:
        raise ValueError(f"no number of hours shows a rate of {rate_per_hour} per hour")
    return float(special.gammaincinv(count + 1, confidence) / rate_per_hour)


def wilson(count: int, total: int, confidence: float = 0.95) -> Interval:
    """Wilson score interval of a share `count / total`.

    Raises ValueError when there is nothing to take a share of.
    """
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

    `missed (words,)`, `speakers`: one per word. 1 as well where it cannot be told: one speaker, no miss or no hit.
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
    """Wilson interval of the miss rate at the number of *independent* words that these words are worth.

    `missed`, `speakers`: one per word. The words are divided by the design effect (the variance of the rate between
    speakers over that of independent words, at least 1), and by the square of t over z, since few speakers tell that
    variance poorly. With no miss or no hit no design effect can be told: it is Wilson's interval then. None with fewer
    than two speakers.
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
    """Percentile interval of the miss rate when whole speakers are drawn again; `missed`, `speakers`: one per word.

    None where it says nothing: fewer than two speakers, or no miss or no hit at all (every draw is the same then, and
    an interval of no width would be a lie; Wilson's holds).
    """
    misses = np.asarray(missed, dtype=bool)
    return None if misses.all() or not misses.any() else bootstrap_mean(misses, speakers, confidence, seed)


def bootstrap_mean(
    values: Sequence[float] | np.ndarray, speakers: Sequence[str], confidence: float = 0.95, seed: int = 0
) -> Interval | None:
    """Percentile interval of the mean of `values (words,)` when whole speakers are drawn again, `speakers`: one per
    word. None with fewer than two speakers.
    """
    names, group = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    if len(names) < 2:
        return None
    sum_of = np.bincount(group, weights=np.asarray(values, dtype=np.float64))
    even = np.full(len(names), 1 / len(names))
    draws = np.random.default_rng(seed).multinomial(len(names), even, size=BOOTSTRAP_ROUNDS)
    low, high = np.quantile(
        (draws @ sum_of) / (draws @ np.bincount(group)), [(1 - confidence) / 2, (1 + confidence) / 2]
    )
    return Interval(float(low), float(high))
