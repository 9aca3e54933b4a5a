"""How far a measured rate may lie from the true one: exact Poisson, Wilson, and a bootstrap over speakers.

Sources: F. Garwood 1936 (Poisson, from gamma quantiles: half those of chi-squared); E. B. Wilson 1927 (binomial);
the cluster bootstrap as in A. C. Davison and D. V. Hinkley 1997, section 3.8: whole speakers are drawn, because one
person's misses come together.
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


def garwood(count: int, hours: float, confidence: float = 0.95) -> Interval:
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
    z = special.ndtri((1 + confidence) / 2)
    share = count / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * np.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    low = 0.0 if count == 0 else float(middle - half)
    high = 1.0 if count == total else float(middle + half)
    return Interval(low, high)


def speaker_bootstrap(
    missed: Sequence[bool] | np.ndarray, speakers: Sequence[str], confidence: float = 0.95, seed: int = 0
) -> Interval | None:
    """Percentile interval of the miss rate when whole speakers are drawn again; `missed`, `speakers`: one per word.

    None where it says nothing: fewer than two speakers, or no miss or no hit at all (every draw is the same then, and
    an interval of no width would be a lie; Wilson's holds).
    """
    misses = np.asarray(missed, dtype=bool)
    names, group = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    if len(names) < 2 or misses.all() or not misses.any():
        return None
    missed_of = np.bincount(group, weights=misses, minlength=len(names))
    words_of = np.bincount(group, minlength=len(names))
    draws = np.random.default_rng(seed).multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=BOOTSTRAP_ROUNDS
    )
    rates = (draws @ missed_of) / (draws @ words_of)
    low, high = np.quantile(rates, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))
