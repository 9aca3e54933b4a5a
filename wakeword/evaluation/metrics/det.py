"""Figures: clip level (EER, ROC, pAUC) and event level (FRR at a FAH, FAH at a threshold, DET, latency).

Clip-level figures rank clips by their highest score; they say how well the two kinds part, not what a user lives with.
Event-level figures come from a `Curve` of the sweep and are exact at every threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wakeword.evaluation.metrics.threshold_curve import Curve

Floats = NDArray[np.float64]


def roc_curve(positive: ArrayLike, negative: ArrayLike) -> tuple[Floats, Floats]:
    """`(fpr, tpr)`, both `(k,)` and rising from (0, 0) to (1, 1), a point for every distinct score.

    `positive (p,)`, `negative (n,)`: clip scores. Raises ValueError when either is empty or holds NaN.
    """
    good, bad = np.asarray(positive, dtype=np.float64), np.asarray(negative, dtype=np.float64)
    if not len(good) or not len(bad):
        raise ValueError(f"a ROC curve needs clips of both kinds, got {len(good)} positive and {len(bad)} negative")
    both = np.concatenate([good, bad])
    if np.any(np.isnan(both)):
        raise ValueError(f"{np.isnan(both).sum()} of {len(both)} clip scores are NaN: the model or its input is broken")
    levels = np.unique(both)[::-1]
    tpr = 1 - np.searchsorted(np.sort(good), levels, side="left") / len(good)
    fpr = 1 - np.searchsorted(np.sort(bad), levels, side="left") / len(bad)
    return np.append(0.0, fpr), np.append(0.0, tpr)


def roc_auc(positive: ArrayLike, negative: ArrayLike) -> float:
    """Area under the ROC curve: how often a positive clip scores above a negative one, ties half."""
    fpr, tpr = roc_curve(positive, negative)
    return float(np.trapezoid(tpr, fpr))


def partial_auc(positive: ArrayLike, negative: ArrayLike, max_fpr: float = 0.1) -> float:
    """Area under the ROC curve up to `max_fpr`, standardised by McClish 1989: 0.5 is chance, 1 is perfect.

    Raises ValueError when a kind is empty or holds NaN, or `max_fpr` is outside (0, 1].
    """
    if not 0 < max_fpr <= 1:
        raise ValueError(f"max_fpr must lie in (0, 1], got {max_fpr}")
    fpr, tpr = roc_curve(positive, negative)
    stop = int(np.searchsorted(fpr, max_fpr, side="right"))
    if stop < len(fpr):
        edge = np.interp(max_fpr, fpr[stop - 1 : stop + 1], tpr[stop - 1 : stop + 1])
        fpr, tpr = np.append(fpr[:stop], max_fpr), np.append(tpr[:stop], edge)
    area = np.trapezoid(tpr, fpr)
    worst = max_fpr**2 / 2
    return float((1 + (area - worst) / (max_fpr - worst)) / 2)


def equal_error_rate(positive: ArrayLike, negative: ArrayLike) -> float:
    """Error rate where the share of positive clips below and of negative clips above the threshold are the same.

    Between the two points of the ROC curve on either side of the diagonal it runs straight.
    """
    fpr, tpr = roc_curve(positive, negative)
    gap = (1 - tpr) - fpr
    after = int(np.flatnonzero(gap <= 0)[0])
    before = after - 1
    share = gap[before] / (gap[before] - gap[after])
    return float(fpr[before] + share * (fpr[after] - fpr[before]))


@dataclass(frozen=True)
class DetCurve:
    """Detection error trade-off: `threshold`, `fah`, `frr (k,)`, one point per threshold of either curve."""

    threshold: Floats
    fah: Floats
    frr: Floats


def det_curve(words: Curve, alarms: Curve, hours: float) -> DetCurve:
    """FRR of `words` against false alarms per hour of `alarms` over `hours`, at every threshold of both.

    Raises ValueError without words or without hours.
    """
    if not words.words or hours <= 0:
        raise ValueError(f"a DET curve needs words and hours, got {words.words} words and {hours} h")
    levels = np.unique(np.concatenate([words.threshold, alarms.threshold]))
    levels = np.append(levels, np.inf)
    return DetCurve(levels, alarms.at(levels)[1] / hours, np.asarray(words.frr(levels)))


def fah_at(alarms: Curve, threshold: float, hours: float) -> float:
    """False alarms per hour at `threshold`; NaN without hours."""
    return float(alarms.at(threshold)[1]) / hours if hours > 0 else float("nan")


def lowest_threshold(alarms: Curve, allowed: float) -> tuple[float, bool]:
    """`(bound, is_blocked)`: above `bound` no threshold has more than `allowed` false alarms.

    `is_blocked` is True when at `bound` itself there are more; False when no threshold has (bound is 0 then).
    False alarms may rise and fall with the threshold (one event holds back the next), so the last breach counts.
    """
    breaches = np.flatnonzero(alarms.false_alarms > allowed)
    return (float(alarms.threshold[breaches[-1]]), True) if len(breaches) else (0.0, False)


def oracle_threshold(words: Curve, alarms: Curve, allowed: float) -> float:
    """The lowest threshold whose false alarms stay within `allowed` from there up, told by the tested data itself."""
    bound, blocked = lowest_threshold(alarms, allowed)
    return float(np.nextafter(bound, np.inf)) if blocked else 0.0


def frr_at_fah(words: Curve, alarms: Curve, target: float, hours: float) -> float:
    """Miss rate at the oracle threshold of a target in false alarms per hour; NaN without words or hours."""
    if hours <= 0:
        return float("nan")
    return float(words.frr(oracle_threshold(words, alarms, target * hours)))


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
    # The most false alarms at a threshold or anywhere above it, from the top down: it rises.
    worst = np.maximum.accumulate(alarms.false_alarms[::-1])
    breaches = len(worst) - np.searchsorted(worst, allowed, side="right")
    least = np.nextafter(alarms.threshold, np.inf)
    return np.append(0.0, least)[breaches]


@dataclass(frozen=True)
class Latency:
    """Seconds from the end of the word to its event: quantiles over the words that were hit."""

    p50_s: float
    p95_s: float


def latency(latency_s: ArrayLike) -> Latency | None:
    """Median and 95th percentile of `latency_s (words,)`, NaN for missed words; None when none was hit."""
    values = np.asarray(latency_s, dtype=np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    return Latency(*(float(value) for value in np.quantile(values, [0.5, 0.95])))


def det_corners(det: DetCurve, max_fah: float) -> tuple[Floats, Floats]:
    """`(fah, frr)`: the points that matter, FRR falling as FAH rises to `max_fah`."""
    order = np.lexsort((det.frr, det.fah))
    fah, frr = det.fah[order], np.minimum.accumulate(det.frr[order])
    better = np.append(True, frr[1:] < frr[:-1]) & (fah <= max_fah)
    return fah[better], frr[better]
