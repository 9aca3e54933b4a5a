"""Event-level metrics: the oracle threshold of a FAH target, DET curve, area under FRR(FAH), latency.

They are computed from a `Curve` and exact at every threshold. `wakeword.ranking` has the clip-level metrics.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wakeword.evaluation.metrics.threshold_curve import Curve

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DetCurve:
    """Detection error trade-off: `threshold`, `fah`, `frr (k,)`, one point per threshold of either curve."""

    threshold: Floats
    fah: Floats
    frr: Floats


def det_curve(words: Curve, alarms: Curve, hours: float) -> DetCurve:
    """FRR of `words` and false alarms per hour of `alarms` over `hours`, at every threshold of both.

    Raises ValueError without words or without hours.
    """
    if not words.words or hours <= 0:
        raise ValueError(f"a DET curve needs words and hours, got {words.words} words and {hours} h")
    levels = np.unique(np.concatenate([words.threshold, alarms.threshold]))
    levels = np.append(levels, np.inf)
    return DetCurve(levels, alarms.at(levels)[1] / hours, np.asarray(words.frr(levels)))


def lowest_threshold(alarms: Curve, allowed: float) -> tuple[float, bool]:
    """`(bound, is_blocked)`: no threshold above `bound` has more than `allowed` false alarms.

    `is_blocked` is True if `bound` itself has more; False if no threshold has (`bound` is then 0). The last breach
    counts, because the number of false alarms can rise with the threshold (the refractory time of one event suppresses
    the next).
    """
    breaches = np.flatnonzero(alarms.false_alarms > allowed)
    return (float(alarms.threshold[breaches[-1]]), True) if len(breaches) else (0.0, False)


def oracle_threshold(alarms: Curve, allowed: float) -> float:
    """The lowest threshold from which on there are at most `allowed` false alarms, for the tested audio itself."""
    bound, blocked = lowest_threshold(alarms, allowed)
    return float(np.nextafter(bound, np.inf)) if blocked else 0.0


def frr_area(words: Curve, alarms: Curve, hours: float, max_fah: float = 1.0) -> float:
    """Mean FRR over targets of 0 to `max_fah` false alarms per hour: the area under FRR(FAH), divided by `max_fah`.

    NaN without words. Raises ValueError without hours or with a `max_fah` that is not above 0.
    """
    if not (hours > 0 and max_fah > 0):
        raise ValueError(f"an area under FRR needs hours and max_fah above 0, got {hours} h and {max_fah}")
    counts = np.arange(int(np.floor(max_fah * hours)) + 1)
    frr = np.asarray(words.frr(_oracle_thresholds(alarms, counts)))
    width = np.minimum((counts + 1) / hours, max_fah) - counts / hours
    return float(np.sum(frr * width) / max_fah)


def _oracle_thresholds(alarms: Curve, allowed: NDArray[np.int64]) -> Floats:
    """`oracle_threshold` for many counts `(k,)` at once."""
    # Maximum number of false alarms at each threshold or above it, from the highest threshold down.
    worst = np.maximum.accumulate(alarms.false_alarms[::-1])
    breaches = len(worst) - np.searchsorted(worst, allowed, side="right")
    least = np.nextafter(alarms.threshold, np.inf)
    return np.append(0.0, least)[breaches]


def latency(latency_s: ArrayLike) -> tuple[float, float] | None:
    """Median and 95th percentile of `latency_s (words,)` in seconds, ignoring NaN (misses); None without hits."""
    values = np.asarray(latency_s, dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    p50_s, p95_s = np.quantile(values, [0.5, 0.95])
    return float(p50_s), float(p95_s)


def det_corners(det: DetCurve, max_fah: float) -> tuple[Floats, Floats]:
    """`(fah, frr)` of the corners of the curve: FRR falls as FAH rises to `max_fah`."""
    order = np.lexsort((det.frr, det.fah))
    fah, frr = det.fah[order], np.minimum.accumulate(det.frr[order])
    better = np.append(True, frr[1:] < frr[:-1]) & (fah <= max_fah)
    return fah[better], frr[better]
