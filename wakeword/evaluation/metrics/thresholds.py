"""The threshold of an operating point: chosen on val, so that test says what it is worth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from wakeword.evaluation.metrics.det import lowest_threshold
from wakeword.evaluation.metrics.near_misses import NearMissFloor
from wakeword.evaluation.metrics.threshold_curve import Curve

MARGIN_FRR = 0.01
"""A threshold may cost this share of val's words beyond the lowest one that keeps the target: the price of margin."""
NEVER = 1.001
"""A threshold that no score reaches; bundles take it to mean `never`."""
_EDGE = 1e-3
"""Log odds end here: scores nearer to 0 or 1 are told apart by rounding alone."""


@dataclass(frozen=True)
class Choice:
    """A threshold and how it came about; `reached` is False when no threshold keeps the target on val."""

    fah_target: float
    threshold: float
    reached: bool
    reason: str


def choose_threshold(words: Curve, alarms: Curve, hours: float, target: float) -> Choice:
    """Threshold for at most `target` false alarms per hour, from val's curves and its `hours` of negatives.

    1. The floor is the highest threshold whose false alarms break the target (its whole number of allowed alarms is
       `target * hours`, rounded down: none where val is short).
    2. The ceiling is the highest threshold that misses at most `MARGIN_FRR` of the words more than just above the
       floor. Without words it is 1.
    3. The threshold lies half-way between them on the log-odds scale: as far from the false alarms that were heard as
       from the words that would be lost. Where no threshold breaks the target, the highest false alarm below the
       ceiling stands in for the floor, since nothing else tells where negatives end.
    """
    floor, blocked = lowest_threshold(alarms, np.floor(target * hours + 1e-9))
    if floor >= 1 and blocked:
        return Choice(target, NEVER, False, f"on val even the highest score comes with more than {target:g} per hour")
    least = float(np.nextafter(floor, np.inf)) if blocked else 0.0
    kept = int(words.at(least)[0])
    if words.words and not kept:
        reason = f"on val no word scores above what {target:g} false alarms per hour ask for"
        return Choice(target, max(_middle(floor, 1.0), least), True, reason)
    ceiling = 1.0
    if words.words:
        enough = words.hits >= kept - np.floor(MARGIN_FRR * words.words)
        ceiling = float(words.threshold[np.flatnonzero(enough & (words.threshold >= least))[-1]])
    if not blocked:
        heard = alarms.threshold[(alarms.false_alarms > 0) & (alarms.threshold <= ceiling)]
        floor = float(heard[-1]) if len(heard) else 0.0
    threshold = min(max(_middle(floor, ceiling), least), ceiling)
    reason = f"half-way (log odds) between the false alarms up to {floor:.3f} and the words from {ceiling:.3f} on"
    return Choice(target, threshold, True, reason)


def raise_to(choice: Choice, floor: NearMissFloor) -> Choice:
    """The same choice, raised where near misses ask for more; its reason says which limit decided."""
    reason = choice.reason
    if floor.untested:
        kinds = ", ".join(str(distance) for distance in floor.untested)
        reason += f"; val holds no near misses {kinds} phonemes away, so the limit on them is not kept"
    if choice.threshold >= floor.threshold:
        return replace(choice, reason=reason)
    if floor.threshold > 1:
        return replace(choice, threshold=NEVER, reached=False, reason=f"{floor.reason}, and no threshold keeps that")
    return replace(choice, threshold=floor.threshold, reason=f"raised to where {floor.reason}; before: {reason}")


def _middle(low: float, high: float) -> float:
    ends = np.clip([low, high], _EDGE, 1 - _EDGE)
    return float(1 / (1 + np.exp(-np.mean(np.log(ends / (1 - ends))))))
