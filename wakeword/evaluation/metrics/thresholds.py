"""Choice of the threshold of an operating point, on val."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit

from wakeword.evaluation.metrics.det import lowest_threshold
from wakeword.evaluation.metrics.near_misses import NearMissFloor
from wakeword.evaluation.metrics.threshold_curve import Curve

MARGIN_FRR = 0.01
"""Share of val's words that a threshold may miss in addition to the lowest threshold that keeps the target."""
NEVER = 1.001
"""A threshold that no score reaches; bundles read it as `never`."""
_EDGE = 1e-3
"""Scores are clipped to [_EDGE, 1 - _EDGE] for log odds: closer to 0 or 1 they differ only by rounding."""


@dataclass(frozen=True)
class Choice:
    """A threshold and how it was chosen; `reached` is False if no threshold keeps the target on val."""

    fah_target: float
    threshold: float
    reached: bool
    reason: str


def choose_threshold(words: Curve, alarms: Curve, hours: float, target: float) -> Choice:
    """Threshold for at most `target` false alarms per hour, from val's curves and its `hours` of negatives.

    1. The floor is the highest threshold with more than `target * hours` false alarms, rounded down.
    2. The ceiling is the highest threshold that misses at most `MARGIN_FRR` of the words more than the lowest threshold
       above the floor. Without words it is 1.
    3. The threshold lies half-way between them on the log-odds scale. If no threshold has too many false alarms, the
       highest false alarm up to the ceiling replaces the floor.
    """
    floor, blocked = lowest_threshold(alarms, np.floor(target * hours + 1e-9))
    if floor >= 1 and blocked:
        return Choice(target, NEVER, False, f"on val every threshold has more than {target:g} per hour")
    least = float(np.nextafter(floor, np.inf)) if blocked else 0.0
    kept = int(words.at(least)[0])
    if words.words and not kept:
        reason = f"on val no word scores above the lowest threshold for {target:g} false alarms per hour"
        return Choice(target, max(_middle(floor, 1.0), least), True, reason)
    ceiling = 1.0
    if words.words:
        enough = words.hits >= kept - np.floor(MARGIN_FRR * words.words)
        ceiling = float(words.threshold[np.flatnonzero(enough & (words.threshold >= least))[-1]])
    if not blocked:
        below = alarms.threshold[(alarms.false_alarms > 0) & (alarms.threshold <= ceiling)]
        floor = float(below[-1]) if len(below) else 0.0
    threshold = min(max(_middle(floor, ceiling), least), ceiling)
    reason = f"half-way (log odds) between the false alarms up to {floor:.3f} and the words from {ceiling:.3f} on"
    return Choice(target, threshold, True, reason)


def raise_to(choice: Choice, floor: NearMissFloor) -> Choice:
    """The choice with its threshold raised to the floor of the near-miss limits, if that is higher."""
    reason = choice.reason
    if floor.untested:
        kinds = ", ".join(str(distance) for distance in floor.untested)
        reason += f"; val has no near misses {kinds} phonemes away, so their limit has no effect"
    if choice.threshold >= floor.threshold:
        return replace(choice, reason=reason)
    if floor.threshold > 1:
        return replace(
            choice, threshold=NEVER, reached=False, reason=f"{floor.reason}, and no threshold keeps this limit"
        )
    return replace(choice, threshold=floor.threshold, reason=f"raised to where {floor.reason}; before: {reason}")


def _middle(low: float, high: float) -> float:
    ends = np.clip([low, high], _EDGE, 1 - _EDGE)
    return float(expit(np.mean(logit(ends))))
