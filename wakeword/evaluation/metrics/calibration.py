"""Probability calibration: a map from score to probability fitted on val, and its calibration error on test.

The map is fitted on the highest smoothed score of each word's window, in every condition, and of each clip of speech
and noise. Events are detected on the scores, so the map changes no miss and no false alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit

from wakeword import ranking
from wakeword.errors import DataError
from wakeword.evaluation.metrics.threshold_curve import Peaks
from wakeword.evaluation.results import CalibrationFigures, CalibrationResult, ReliabilityBin
from wakeword.evaluation.tracks.plan import TruthRow
from wakeword.runtime.events import SCORE_LEVELS
from wakeword.runtime.manifest import ProbabilityMap

LEAST_CLIPS = 20
"""Minimum number of clips of each class to fit a map."""
BINS, LEAST_IN_BIN = 10, 20
"""Bins of the reliability table and minimum number of clips in a bin; bins have about equal numbers of clips."""
EDGE = 0.5 / SCORE_LEVELS
"""Scores are clipped to [EDGE, 1 - EDGE]: half a level of the detector's rounding."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScoredClips:
    """Highest smoothed score of each clip with the word, `positive (p,)`, and without it, `negative (n,)`.

    Raises DataError for scores outside [0, 1].
    """

    positive: Floats
    negative: Floats

    def __post_init__(self) -> None:
        if not all(np.all((part >= 0) & (part <= 1)) for part in (self.positive, self.negative)):
            raise DataError("clip scores must lie in [0, 1]: the bundle's model is broken; train and export it again")


def word_scores(peaks: Peaks, without: float = 0.0) -> Floats:
    """Highest smoothed peak in each word's window, `(words,)`; `without` for windows without a peak."""
    best = np.full(peaks.words, without)
    inside = peaks.owner >= 0
    np.maximum.at(best, peaks.owner[inside], peaks.score[inside])
    return best


def stretch_scores(peaks: Peaks, rows: Sequence[TruthRow]) -> Floats:
    """Highest smoothed peak in each row of *one* track (not of joined ones), `(rows,)`; 0 without a peak."""
    spans = np.searchsorted(peaks.time_s, [(row.start_s, row.end_s) for row in rows], side="left").reshape(-1, 2)
    return np.asarray([peaks.score[first:last].max(initial=0.0) for first, last in spans], dtype=np.float64)


def calibrate(val: ScoredClips, test: ScoredClips) -> CalibrationResult:
    """Fit the map on val and measure the calibration on test."""
    found, reason = fit_probability_map(val.positive, val.negative)
    after = None
    if found is not None:
        after = _figures(found.probability(test.positive), found.probability(test.negative))
    before = _figures(test.positive, test.negative)
    return CalibrationResult(probability_map=found, reason=reason, test_before=before, test_after=after)


def fit_probability_map(positive: ArrayLike, negative: ArrayLike) -> tuple[ProbabilityMap | None, str]:
    """Fit a map and describe its data; or return None and the reason why there is no map.

    `positive (p,)`, `negative (n,)`: scores in [0, 1] of clips with and without the word. The map is Platt scaling of
    the log odds (J. C. Platt 1999), that is, temperature scaling with an offset. Platt's targets (p + 1) / (p + 2) and
    1 / (n + 2) give a finite slope for classes that do not overlap.
    """
    from sklearn.linear_model import LogisticRegression

    yes, no = (np.asarray(part, dtype=np.float64) for part in (positive, negative))
    counts = f"{len(yes)} clips of the word and {len(no)} others"
    if min(len(yes), len(no)) < LEAST_CLIPS:
        return None, f"no probability map: val has {counts}, {LEAST_CLIPS} of each are needed"
    odds = logit(np.clip(np.concatenate([yes, no]), EDGE, 1 - EDGE))
    target = np.repeat([(len(yes) + 1) / (len(yes) + 2), 1 / (len(no) + 2)], [len(yes), len(no)])
    # Targets between 0 and 1: each clip is in both classes, weighted by its target.
    model = LogisticRegression(C=1e12, tol=1e-8, max_iter=1000)
    model.fit(np.tile(odds, 2)[:, None], np.repeat([1, 0], len(odds)), np.concatenate([target, 1 - target]))
    slope, offset = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:
        return None, f"no probability map: on val, {counts} are not separated by their scores"
    prior = len(yes) / len(odds)
    return ProbabilityMap(slope=slope, offset=offset, prior=prior), f"fitted on {counts} of val"


def _figures(positive: Floats, negative: Floats) -> CalibrationFigures | None:
    """Calibration of the probabilities of clips with (`positive`) and without (`negative`) the word; None if empty.

    Bins have equal numbers of clips (K. Nguyen and B. O'Connor 2015), because few scores of a good detector lie between
    0 and 1; equal probabilities share a bin.
    """
    probability = np.concatenate([positive, negative])
    if not len(probability):
        return None
    bins = int(np.clip(len(probability) // LEAST_IN_BIN, 1, BINS))
    edges = np.unique(np.quantile(probability, np.arange(1, bins) / bins, method="inverted_cdf"))
    place = np.searchsorted(edges, probability, side="left")
    count = np.bincount(place)
    mean = np.bincount(place, weights=probability) / count
    share = np.bincount(place[: len(positive)], minlength=len(count)) / count
    inside = [np.clip(part, EDGE, 1 - EDGE) for part in (positive, negative)]
    return CalibrationFigures(
        clips=len(probability),
        positives=len(positive),
        ece=float(np.average(np.abs(mean - share), weights=count)),
        brier=ranking.brier_score(positive, negative),
        log_loss=ranking.log_loss(*inside),
        reliability=tuple(
            ReliabilityBin(mean=m, share=s, clips=c) for m, s, c in zip(mean, share, count.tolist(), strict=True)
        ),
    )
