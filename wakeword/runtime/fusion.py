"""Fuse the detector's score of a peak with what the phoneme recogniser hears there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field

from wakeword.runtime.events import SCORE_LEVELS
from wakeword.runtime.phoneme_path import PathFeatures

FeatureName = Literal[
    "logit", "mean", "weakest", "second_weakest", "mean_spike", "inserted", "frames_per_phoneme", "clarity"
]
"""`logit`: log odds of the detector's smoothed score; the others are fields of `PathFeatures`."""
LARGEST_LOGIT = 30.0
"""Fused log odds are limited to this size, so that a fused score is never exactly 0 or 1."""


def score_logit(score: ArrayLike) -> NDArray[np.float64]:
    """Log odds of scores in [0, 1]; 0 and 1 count as half a rounding level inside."""
    edge = 0.5 / SCORE_LEVELS
    inside = np.clip(np.asarray(score, dtype=np.float64), edge, 1 - edge)
    return np.log(inside / (1 - inside))


class FusionMap(BaseModel):
    """A logistic map from the detector's score and the phoneme path of a peak to one score.

    `logit(fused) = offset + sum(weights[f] * f) + clarity * sum(clarity_weights[f] * f)`. The features do not depend on
    the phrase, so one map serves all. `clarity` is near 0 in clear speech and falls with the noise: the products let
    the weights know the noise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    weights: dict[FeatureName, float] = Field(min_length=1)
    clarity_weights: dict[FeatureName, float] = {}
    offset: float = 0.0
    made: str = ""
    """How the map was made: data, words, date."""

    def logit(self, score: ArrayLike, features: PathFeatures) -> NDArray[np.float64]:
        """Fused log odds `(n,)` of the smoothed detector scores `(n,)` in [0, 1] and the paths of their windows."""
        values = feature_values(score, features)
        total = np.full(np.shape(values["logit"]), self.offset)
        for name, weight in self.weights.items():
            total += weight * values[name]
        for name, weight in self.clarity_weights.items():
            total += weight * values[name] * values["clarity"]
        return np.clip(total, -LARGEST_LOGIT, LARGEST_LOGIT)

    def fused(self, score: ArrayLike, features: PathFeatures) -> NDArray[np.float64]:
        """Fused scores `(n,)` in (0, 1): the sigmoid of `logit`."""
        found: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-self.logit(score, features)))
        return found


def feature_values(score: ArrayLike, features: PathFeatures) -> Mapping[str, NDArray[Any]]:
    """The features of a `FusionMap` as float64 `(n,)`, by their names."""
    path = ("mean", "weakest", "second_weakest", "mean_spike", "inserted", "frames_per_phoneme", "clarity")
    values = {name: np.asarray(getattr(features, name), dtype=np.float64) for name in path}
    return {"logit": score_logit(score), **values}
