"""Significance tests of a part against the rest: misses, false alarms, and the correction for multiple tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special
from scipy.stats import binomtest, fisher_exact

from wakeword.evaluation.statistics.intervals import design_effect


def effective_counts(missed: ArrayLike, speakers: Sequence[str], confidence: float = 0.95) -> tuple[int, int]:
    """`(misses, words)` over the design effect of the speakers, rounded, at least one word.

    Source: J. N. K. Rao and A. J. Scott 1992, Biometrics 48. An effect above 1 is enlarged by the square of t over z as
    in `intervals.speaker_wilson`.
    """
    misses = np.asarray(missed, dtype=bool)
    effect = design_effect(misses, speakers)
    if effect > 1:
        tail = (1 + confidence) / 2
        effect *= (special.stdtrit(len(set(speakers)) - 1, tail) / special.ndtri(tail)) ** 2
    words = max(1, round(len(misses) / effect))
    return round(float(misses.mean()) * words), words


def misses_more(part: tuple[int, int], rest: tuple[int, int]) -> float:
    """One-sided p value of Fisher's exact test that `part` misses more than `rest`; each `(misses, words)`."""
    table = [[missed, words - missed] for missed, words in (part, rest)]
    return float(fisher_exact(table, alternative="greater").pvalue)


def alarms_more(part: tuple[int, float], rest: tuple[int, float]) -> float:
    """One-sided p value that the rate in `part` is above that in `rest`; each `(false alarms, hours)`.

    Given their sum, the count of the first of two Poisson rates is binomial (J. Przyborowski and H. Wilenski 1940).
    """
    total = part[0] + rest[0]
    if not total:
        return 1.0
    return float(binomtest(part[0], total, part[1] / (part[1] + rest[1]), alternative="greater").pvalue)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """P values corrected for multiple tests (S. Holm 1979, step-down), in the given order."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    corrected = np.empty(len(values))
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected
