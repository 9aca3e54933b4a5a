"""Scores as probabilities: the map that val gives and the bundle holds, and how well it holds on test.

The map is fitted on clips: each word's window, in every condition, with its highest smoothed score, and each clip of
speech and noise with its own. Events are found from the scores themselves, so a map changes no miss and no false alarm.
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
from wakeword.runtime.bundle import ProbabilityMap
from wakeword.runtime.events import SCORE_LEVELS

LEAST_CLIPS = 20
"""Of each class, to fit a map: two numbers that are fitted to fewer clips describe those clips alone."""
BINS, LEAST_IN_BIN = 10, 20
"""Bins of the reliability table, of about as many clips each; fewer bins where one would hold fewer clips."""
EDGE = 0.5 / SCORE_LEVELS
"""Scores nearer to 0 or 1 count as so near: half a level of the detector's rounding."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScoredClips:
    """Highest smoothed score, in [0, 1], of each clip with the word, `positive (p,)`, and of the others,
    `negative (n,)`.

    Raises DataError for other scores.
    """

    positive: Floats
    negative: Floats

    def __post_init__(self) -> None:
        if not all(np.all((part >= 0) & (part <= 1)) for part in (self.positive, self.negative)):
            raise DataError(
                "clip scores must lie in [0, 1]: the bundle's model is broken; train and export it again, or evaluate "
                "another bundle"
            )


def word_scores(peaks: Peaks, without: float = 0.0) -> Floats:
    """Highest smoothed peak in each word's window, `(words,)`; `without` where there is none."""
    best = np.full(peaks.words, without)
    inside = peaks.owner >= 0
    np.maximum.at(best, peaks.owner[inside], peaks.score[inside])
    return best


def stretch_scores(peaks: Peaks, rows: Sequence[TruthRow]) -> Floats:
    """Highest smoothed peak in each row of *one* track (not of joined ones), `(rows,)`; 0 where there is none."""
    spans = np.searchsorted(peaks.time_s, [(row.start_s, row.end_s) for row in rows], side="left").reshape(-1, 2)
    return np.asarray([peaks.score[first:last].max(initial=0.0) for first, last in spans], dtype=np.float64)


def calibrate(val: ScoredClips, test: ScoredClips) -> CalibrationResult:
    """Fit on val, measure on test."""
    found, reason = fit_probability_map(val.positive, val.negative)
    after = None
    if found is not None:
        after = _figures(found.probability(test.positive), found.probability(test.negative))
    before = _figures(test.positive, test.negative)
    return CalibrationResult(probability_map=found, reason=reason, test_before=before, test_after=after)


def fit_probability_map(positive: ArrayLike, negative: ArrayLike) -> tuple[ProbabilityMap | None, str]:
    """The map of the highest likelihood and what it was fitted to; or None and why there is none.

    `positive (p,)`, `negative (n,)`: scores in [0, 1] of clips with and without the word. This is Platt scaling of the
    log odds, which is temperature scaling with an offset: without one, 0.5 would have to be where words begin, and a
    detector's scores are not trained for that. The targets are Platt's, (p + 1) / (p + 2) and 1 / (n + 2), so that
    classes which do not overlap give a finite slope, and no map is surer than so many clips allow (J. C. Platt 1999;
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger 2017).
    """
    from sklearn.linear_model import LogisticRegression

    yes, no = (np.asarray(part, dtype=np.float64) for part in (positive, negative))
    counts = f"{len(yes)} clips of the word and {len(no)} others"
    if min(len(yes), len(no)) < LEAST_CLIPS:
        return None, f"no probability map: val holds {counts}, {LEAST_CLIPS} of each are needed"
    odds = logit(np.clip(np.concatenate([yes, no]), EDGE, 1 - EDGE))
    target = np.repeat([(len(yes) + 1) / (len(yes) + 2), 1 / (len(no) + 2)], [len(yes), len(no)])
    # Each clip stands in both classes, weighted by its target: the likelihood of targets that are not 0 or 1.
    model = LogisticRegression(C=1e12, tol=1e-8, max_iter=1000)
    model.fit(np.tile(odds, 2)[:, None], np.repeat([1, 0], len(odds)), np.concatenate([target, 1 - target]))
    slope, offset = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:
        return None, f"no probability map: val holds {counts}, and the word does not score above the others"
    prior = len(yes) / len(odds)
    return ProbabilityMap(slope=slope, offset=offset, prior=prior), f"fitted on {counts} of val"


def _figures(positive: Floats, negative: Floats) -> CalibrationFigures | None:
    """Figures on probabilities of clips with (`positive`) and without (`negative`) the word; None without clips.

    Bins have equal mass (K. Nguyen and B. O'Connor 2015), because equal widths would leave the middle of a good
    detector's scores all but empty; equal probabilities share a bin.
    """
    said = np.concatenate([positive, negative])
    if not len(said):
        return None
    bins = int(np.clip(len(said) // LEAST_IN_BIN, 1, BINS))
    edges = np.unique(np.quantile(said, np.arange(1, bins) / bins, method="inverted_cdf"))
    place = np.searchsorted(edges, said, side="left")
    count = np.bincount(place)
    mean = np.bincount(place, weights=said) / count
    share = np.bincount(place[: len(positive)], minlength=len(count)) / count
    inside = [np.clip(part, EDGE, 1 - EDGE) for part in (positive, negative)]
    return CalibrationFigures(
        clips=len(said),
        positives=len(positive),
        ece=float(np.average(np.abs(mean - share), weights=count)),
        brier=ranking.brier_score(positive, negative),
        log_loss=ranking.log_loss(*inside),
        reliability=tuple(
            ReliabilityBin(mean=m, share=s, clips=c) for m, s, c in zip(mean, share, count.tolist(), strict=True)
        ),
    )
