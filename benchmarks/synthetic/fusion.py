"""Weights of the verifier's fusion map, chosen by the misses of some words' detectors and judged on other words.

A logistic regression on triggers was tried first and is worse: it separates the many easy triggers, while the threshold
is set by the few highest false ones; and a weight for `clarity` learns that synthetic near misses are clear and real
words are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from benchmarks.synthetic.cascade import Measured
from benchmarks.synthetic.judging import CONDITIONS
from wakeword.config import Config
from wakeword.evaluation.metrics.tail import SCALE, tail_events
from wakeword.runtime.fusion import FusionMap

BY_EYE = FusionMap(weights={"logit": 1.0, "mean": 2.0, "weakest": 1.0}, made="by eye on two words")
GRID = tuple(
    FusionMap(weights={"logit": logit, "mean": 0.5, "weakest": weakest, "inserted": inserted})
    for logit, weakest, inserted in product((0.1, 0.2, 0.3, 0.5), (0.0, 0.15, 0.3), (0.5, 1.0, 2.0, 4.0))
)
_SHRUNK = 10.0
"""Log odds beyond +-11.8 are no scores: the tail is measured on a map that is smaller by this factor."""
EVENTS_AN_HOUR = 7
"""Highest false alarms per hour that the scale is measured on: 30 in four hours, as the tail's fit takes them."""
TARGETS = {
    "free": dict(zip(CONDITIONS, (0.01, 0.03, 0.08), strict=True)),
    "limited": dict(zip(CONDITIONS, (0.02, 0.06, 0.18), strict=True)),
}
"""Share of missed words that is aimed at: without a false alarm, and within the limits on near misses."""

Figures = dict[str, Any]


def scaled(fusion: FusionMap, detectors: Sequence[tuple[Measured, Config]]) -> FusionMap:
    """The same map with log odds like a detector's: false alarms fall off by `SCALE`, and one an hour lies at 0.

    Thresholds take both from there: the prior of the tail's scale, and the lowest threshold that is chosen.
    """
    small = _divided(fusion, _SHRUNK)
    falls, levels = [], []
    for one, judging in detectors:
        events = tail_events(one.judged(one.real(), judging, small.fused))
        used = min(round(EVENTS_AN_HOUR * events.hours), len(events.level) - 1)
        falls.append(_SHRUNK * float(np.mean(events.level[:used] - events.level[used])))
        levels.append(_SHRUNK * float(events.level[min(round(events.hours), used)]))
    by = float(np.mean(falls)) / SCALE
    return _divided(fusion, by).model_copy(update={"offset": round(-float(np.mean(levels)) / by, 2)})


def _divided(fusion: FusionMap, by: float) -> FusionMap:
    weights = {name: round(weight / by, 3) for name, weight in fusion.weights.items() if weight}
    return fusion.model_copy(update={"weights": weights, "offset": fusion.offset / by})


def cost(figures: Figures) -> float:
    """Misses in proportion to their targets, at the free threshold and within the limits on near misses together."""
    total = 0.0
    for rule, targets in TARGETS.items():
        for name, target in targets.items():
            missed, words = figures[rule]["missed"].get(name, (0, 1))
            total += missed / words / target
    return total


def chosen(figures: Sequence[Sequence[Figures]]) -> int:
    """The map of `GRID` with the lowest mean cost; `figures[detector][map]`."""
    return int(np.argmin(np.mean([[cost(one) for one in row] for row in figures], axis=0)))
