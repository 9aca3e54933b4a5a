"""Choice of the threshold of an operating point, on val."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from wakeword.evaluation.metrics.det import lowest_threshold
from wakeword.evaluation.metrics.near_misses import NearMissFloor
from wakeword.evaluation.metrics.tail import Tail, certainty, log_odds
from wakeword.evaluation.metrics.threshold_curve import Curve
from wakeword.evaluation.statistics.numbers import number, percent

MARGIN_FRR = 0.01
"""Share of val's words by which detector times must be better than the bundle's to replace them."""
CAUTION_FRR = 0.05
"""Share of val's words that may be missed in addition because the hours of negatives leave the rate uncertain."""
LEAST = 0.1
"""The lowest threshold that is chosen, where false alarms would allow any."""
NEVER = 1.001
"""A threshold that no score reaches; bundles read it as `never`."""
_MIDDLE = 0.5


@dataclass(frozen=True)
class Choice:
    """A threshold and how it was chosen; `reached` is False if no threshold keeps the target on val."""

    fah_target: float
    threshold: float
    reached: bool
    reason: str


def choose_threshold(words: Curve, alarms: Curve, tail: Tail, target: float) -> Choice:
    """Threshold for at most `target` false alarms per hour, from val's curves and the tail of its false alarms.

    1. The floor is the lowest threshold from which on val has at most `target` false alarms per hour, and not below
       `LEAST`.
    2. The threshold is the lowest one above the floor at which the upper bound of the tail's rate keeps the target
       (`tail.certainty`).
    3. If that misses more than `CAUTION_FRR` of the words in addition to those that are missed where the tail's
       estimate keeps the target, it is lowered to the highest threshold that does not.
    """
    bound, blocked = lowest_threshold(alarms, np.floor(target * tail.hours + 1e-9))
    if bound >= 1 and blocked:
        return Choice(target, NEVER, False, f"on val every threshold has more than {target:g} per hour")
    floor = max(float(np.nextafter(bound, np.inf)) if blocked else 0.0, LEAST)
    least = max(floor, _threshold(tail, target, _MIDDLE))
    sure = certainty(target, tail.hours)
    threshold = max(floor, _threshold(tail, target, sure))
    about = _counted(tail, floor, blocked, bound)
    if words.words and not int(words.at(min(least, 1.0))[0]):
        about += "; on val no word scores above the lowest threshold for this target"
    elif words.words:
        kept = int(words.at(least)[0]) - np.floor(CAUTION_FRR * words.words)
        enough = words.threshold[words.hits >= kept]
        ceiling = float(enough[-1]) if len(enough) else least
        if threshold > max(least, ceiling):
            threshold = max(least, ceiling)
            about += f"; lowered to the words, of which the bound would cost more than {percent(CAUTION_FRR)}"
    if threshold >= expit(log_odds(1.0)):
        reason = f"no score below 1 keeps {target:g} false alarms per hour with certainty {percent(sure)}: {about}"
        return Choice(target, NEVER, False, reason)
    middle, upper = tail.rates(log_odds(threshold), (_MIDDLE, sure))[:, 0]
    reason = f"estimate {number(middle)} and upper bound ({percent(sure)}) {number(upper)} per hour from {about}"
    return Choice(target, threshold, True, reason)


def _threshold(tail: Tail, target: float, quantile: float) -> float:
    return float(expit(tail.level_at(target, quantile)))


def _counted(tail: Tail, floor: float, blocked: bool, bound: float) -> str:
    """The data behind a choice: floor, events and hours."""
    last = f"too many false alarms up to {bound:.3f}" if blocked else f"no floor from counts, at least {floor:g}"
    return f"the tail of the {tail.used} highest events in {number(tail.hours)} h of val ({last})"


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
