"""Calibrations, as they are stored and applied, and figures on how well a score means a probability."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.special import expit, logit

from wakeword.runtime.events import SCORE_LEVELS

EDGE = 0.5 / SCORE_LEVELS
"""Scores and probabilities nearer to 0 or 1 count as so near: half a level of the detector's own rounding."""

Floats = NDArray[np.float64]
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def log_odds(scores: ArrayLike) -> Floats:
    """Log odds of scores in [0, 1], of the same shape; saturated ones end at those of `EDGE`."""
    return logit(np.clip(np.asarray(scores, dtype=np.float64), EDGE, 1 - EDGE))


def shift_prior(probabilities: ArrayLike, old: float, new: float) -> Floats:
    """Probabilities that hold where a share `old` is positive, as they are where a share `new` is.

    The odds are multiplied by the ratio of the priors' odds, which is right as long as positives and negatives each
    sound as before (M. Saerens, P. Latinne and C. Decaestecker 2002, "Adjusting the outputs of a classifier to new a
    priori probabilities", Neural Computation 14). Raises ValueError for a share that is not inside (0, 1).
    """
    if not (0 < old < 1 and 0 < new < 1):
        raise ValueError(f"shares of positives must lie inside (0, 1), got {old} and {new}")
    given = np.asarray(probabilities, dtype=np.float64)
    more = given * (new / old)
    return more / (more + (1 - given) * ((1 - new) / (1 - old)))


class Unchanged(_Part):
    """The score as it is."""

    method: Literal["none"] = "none"

    def probability(self, scores: ArrayLike) -> Floats:
        """Probabilities of scores, of the same shape."""
        return np.asarray(scores, dtype=np.float64)


class Temperature(_Part):
    """Log odds over a temperature (C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger 2017): above 1 it is less sure."""

    method: Literal["temperature"] = "temperature"
    temperature: float = Field(gt=0)

    def probability(self, scores: ArrayLike) -> Floats:
        """Probabilities of scores, of the same shape."""
        return expit(log_odds(scores) / self.temperature)


class Platt(_Part):
    """`a` times the log odds plus `b` (J. C. Platt 1999); `a` is not negative, so a higher score never means less."""

    method: Literal["platt"] = "platt"
    a: float = Field(ge=0)
    b: float

    def probability(self, scores: ArrayLike) -> Floats:
        """Probabilities of scores, of the same shape."""
        return expit(self.a * log_odds(scores) + self.b)


class Isotonic(_Part):
    """Straight lines between knots, which never fall (B. Zadrozny and C. Elkan 2002); level beyond the last ones."""

    method: Literal["isotonic"] = "isotonic"
    scores: tuple[Share, ...] = Field(min_length=1)
    probabilities: tuple[Share, ...]

    @model_validator(mode="after")
    def _never_falls(self) -> Isotonic:
        if len(self.scores) != len(self.probabilities):
            raise ValueError(f"{len(self.scores)} knots have {len(self.probabilities)} probabilities: one each")
        if np.any(np.diff(self.scores) <= 0) or np.any(np.diff(self.probabilities) < 0):
            raise ValueError("knots must rise, and their probabilities must not fall")
        return self

    def probability(self, scores: ArrayLike) -> Floats:
        """Probabilities of scores, of the same shape."""
        return np.interp(np.asarray(scores, dtype=np.float64), self.scores, self.probabilities)


Method = Annotated[Unchanged | Temperature | Platt | Isotonic, Field(discriminator="method")]


class Calibration(_Part):
    """How a clip's highest smoothed score becomes a probability, where a share `prior` of the clips hold the word.

    The prior is that of val, which says nothing about a kitchen: there, one stretch in thousands holds the word. What
    the probability is at another prior is `probability(scores, prior)`.
    """

    map: Method
    prior: float = Field(gt=0, lt=1)

    def probability(self, scores: ArrayLike, prior: float | None = None) -> Floats:
        """Probabilities of scores in [0, 1], of the same shape, at `prior` (None: the one that it was fitted at)."""
        found = self.map.probability(scores)
        return found if prior is None else shift_prior(found, self.prior, prior)


class ReliabilityBin(_Part):
    """Clips with similar probabilities: what was said (mean) and what came true (share, Wilson's interval)."""

    low: Share
    high: Share
    mean: Share
    clips: int
    positives: int
    share: Share
    wilson: tuple[float, float]


class CalibrationFigures(_Part):
    """How well the probabilities of some clips hold. Smaller is better for all but the counts."""

    clips: int
    positives: int
    ece: float
    """Expected calibration error: mean distance of `mean` and `share` over the bins, by their clips."""
    ece_interval: tuple[float, float] | None
    """Over whole speakers; None with fewer than two."""
    ece_by_chance: float
    """A perfectly calibrated score would show an error up to here on so many clips (at the report's confidence)."""
    brier: float
    log_loss: float
    """In nats; probabilities nearer to 0 or 1 than `EDGE` count as so near."""
    reliability: tuple[ReliabilityBin, ...]

    @property
    def prior(self) -> float:
        """Share of positives."""
        return self.positives / self.clips


class CalibrationResult(_Part):
    """A calibration fitted on val, and what val and test say of it. Without one, `reason` says why."""

    calibration: Calibration | None
    reason: str
    """How the method was chosen, or why there is none."""
    cross_validated: dict[str, float]
    """Log loss on val of each method, each clip by a calibration that was fitted without its speaker."""
    val_before: CalibrationFigures | None
    val_after: CalibrationFigures | None
    """Each clip by a calibration that was fitted without its speaker; None without cross-validation."""
    test_before: CalibrationFigures | None
    test_after: CalibrationFigures | None
    """As fitted, at val's share of positives."""
    test_at_own_prior: CalibrationFigures | None
    """Shifted to test's share of positives: what is left is the error of the shape alone."""
