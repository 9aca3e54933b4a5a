"""How well probabilities hold: calibration error, Brier score, log loss, and the table of a reliability diagram."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wakeword.evaluation.metrics.calibration_results import EDGE, CalibrationFigures, ReliabilityBin
from wakeword.evaluation.statistics.intervals import Interval, wilson

BINS = 10
LEAST_IN_BIN = 20
"""With fewer clips to a bin, there are fewer bins: the share of a handful tells nothing."""
ROUNDS = 500
"""Draws of each bootstrap."""
_AT_ONCE = 100

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def log_loss(probabilities: ArrayLike, positive: ArrayLike) -> float:
    """Mean negative log likelihood in nats. `probabilities (n,)`, `positive (n,)` bool."""
    sure = np.clip(np.asarray(probabilities, dtype=np.float64), EDGE, 1 - EDGE)
    return float(-np.mean(np.where(np.asarray(positive, dtype=bool), np.log(sure), np.log1p(-sure))))


def brier_score(probabilities: ArrayLike, positive: ArrayLike) -> float:
    """Mean squared distance of probability and truth (G. W. Brier 1950, of the one event)."""
    return float(np.mean((np.asarray(probabilities, dtype=np.float64) - np.asarray(positive, dtype=np.float64)) ** 2))


def equal_mass_bins(probabilities: Floats, bins: int = BINS) -> Ints:
    """Number of each one's bin, from 0 on and all in use, with about as many in each; equal ones share a bin.

    Equal mass after K. Nguyen and B. O'Connor 2015 ("Posterior calibration and exploratory analysis for natural
    language processing models"): bins of equal width would be all but empty in the middle of a good detector's scores.
    """
    bins = int(np.clip(len(probabilities) // LEAST_IN_BIN, 1, bins))
    edges = np.quantile(probabilities, np.arange(1, bins) / bins, method="inverted_cdf")
    place = np.searchsorted(np.unique(edges), probabilities, side="left")
    return np.unique(place, return_inverse=True)[1]


def figures(
    probabilities: ArrayLike,
    positive: ArrayLike,
    speakers: Sequence[str],
    confidence: float = 0.95,
    seed: int = 0,
) -> CalibrationFigures:
    """Everything about the probabilities of some clips.

    `probabilities (n,)`, `positive (n,)` bool, `speakers`: one per clip, empty where nobody speaks. Raises ValueError
    without clips or where the lengths differ.
    """
    said, true = np.asarray(probabilities, dtype=np.float64), np.asarray(positive, dtype=bool)
    if not len(said) or not len(said) == len(true) == len(speakers):
        raise ValueError(f"each clip needs a probability, a truth and a speaker: {len(said)}, {len(true)} of them")
    place = equal_mass_bins(said)
    count = np.bincount(place)
    mean = np.bincount(place, weights=said) / count
    found = np.bincount(place, weights=true)
    table = tuple(
        ReliabilityBin(
            low=float(said[place == number].min()),
            high=float(said[place == number].max()),
            mean=min(1.0, float(mean[number])),
            clips=int(count[number]),
            positives=int(found[number]),
            share=float(found[number] / count[number]),
            wilson=wilson(int(found[number]), int(count[number]), confidence),
        )
        for number in range(len(count))
    )
    error = float(np.sum(np.abs(mean * count - found)) / len(said))
    rng = np.random.default_rng(seed)
    return CalibrationFigures(
        clips=len(said),
        positives=int(true.sum()),
        ece=error,
        ece_interval=_error_interval(said - true, place, speakers, error, confidence, rng),
        ece_by_chance=_error_by_chance(said, place, confidence, rng),
        brier=brier_score(said, true),
        log_loss=log_loss(said, true),
        reliability=table,
    )


def groups_of(speakers: Sequence[str]) -> Ints:
    """Number of each clip's speaker; a clip without a speaker stands for itself."""
    numbers: dict[str | int, int] = {}
    return np.asarray([numbers.setdefault(speaker or place, len(numbers)) for place, speaker in enumerate(speakers)])


def _error_interval(
    beyond: Floats, place: Ints, speakers: Sequence[str], error: float, confidence: float, rng: np.random.Generator
) -> Interval | None:
    """Basic bootstrap interval over whole speakers (A. C. Davison and D. V. Hinkley 1997, section 5.2).

    The error is a mean of absolute values, so chance adds to it, and again in each draw: the percentile interval of a
    well calibrated score would lie above its error. Mirrored at the error, what chance adds is taken off.
    """
    group = groups_of(speakers)
    people, bins = int(group.max()) + 1, int(place.max()) + 1
    if people < 2:
        return None
    cell = group * bins + place
    beyond_of = np.bincount(cell, weights=beyond, minlength=people * bins).reshape(people, bins)
    clips_of = np.bincount(group, minlength=people)
    errors: list[Floats] = []
    for _ in range(0, ROUNDS, _AT_ONCE):
        draws = rng.multinomial(people, np.full(people, 1 / people), size=_AT_ONCE).astype(np.float64)
        errors.append(np.abs(draws @ beyond_of).sum(axis=1) / (draws @ clips_of))
    low, high = np.quantile(np.concatenate(errors), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(max(0.0, float(2 * error - high)), max(0.0, float(2 * error - low)))


def _error_by_chance(said: Floats, place: Ints, confidence: float, rng: np.random.Generator) -> float:
    """Error that a perfectly calibrated score stays below, by drawing the truth from the probabilities themselves.

    Consistency resampling, after J. Bröcker and L. A. Smith 2007 ("Increasing the reliability of reliability
    diagrams").
    """
    bins = int(place.max()) + 1
    errors = [
        np.abs(np.bincount(place, weights=said - (rng.random(len(said)) < said), minlength=bins)).sum() / len(said)
        for _ in range(ROUNDS)
    ]
    return float(np.quantile(errors, confidence))
