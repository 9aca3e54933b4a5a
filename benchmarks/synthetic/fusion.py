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

from benchmarks.synthetic.judging import CONDITIONS
from wakeword.runtime.fusion import FusionMap

BY_EYE = FusionMap(weights={"logit": 1.0, "mean": 2.0, "weakest": 1.0}, made="by eye on two words")
GRID = tuple(
    FusionMap(weights={"logit": 1.0, "mean": mean, "weakest": weakest, "inserted": inserted})
    for mean, weakest, inserted in product((1.0, 2.0, 3.0), (0.0, 0.5, 1.0), (0.0, 2.0))
)
IMPORTANCE = dict(zip(CONDITIONS, (3.0, 2.0, 1.0), strict=True))
"""Weight of a condition's misses: clean speech misses least, so that equal weights would leave it to chance."""

Figures = dict[str, Any]


def cost(figures: Figures) -> float:
    """Weighted share of missed words, at the free threshold and within the limits on near misses together."""
    total = 0.0
    for rule in ("free", "limited"):
        for name, weight in IMPORTANCE.items():
            missed, words = figures[rule]["missed"].get(name, (0, 1))
            total += weight * missed / words
    return total


def chosen(figures: Sequence[Sequence[Figures]]) -> int:
    """The map of `GRID` with the lowest mean cost; `figures[detector][map]`."""
    return int(np.argmin(np.mean([[cost(one) for one in row] for row in figures], axis=0)))
