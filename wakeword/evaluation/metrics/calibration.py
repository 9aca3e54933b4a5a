"""A score that means a probability: temperature, Platt or isotonic regression, fitted on val and told by test.

The clips are stretches of audio of about one word: each word's window with its highest smoothed score, and each
negative clip with its own. A calibration never turns the order of scores round (isotonic regression may make some of
them equal), and events are still found from the scores themselves: misses and false alarms stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import StratifiedGroupKFold

from wakeword.errors import DataError
from wakeword.evaluation.metrics.calibration_results import (
    Calibration,
    CalibrationFigures,
    CalibrationResult,
    Isotonic,
    Platt,
    Temperature,
    Unchanged,
    log_odds,
)
from wakeword.evaluation.metrics.threshold_curve import Peaks
from wakeword.evaluation.statistics.reliability import figures, groups_of, log_loss
from wakeword.evaluation.tracks.plan import TruthRow

FOLDS = 5
LEAST_CLIPS = 20
"""Of each class, to calibrate at all: two numbers that are fitted to fewer say more about those than about scores."""
COLDEST, HOTTEST = 0.02, 50.0
"""Temperatures are looked for in between; beyond, every probability is 0, 1 or a half."""

Floats = NDArray[np.float64]
Fit = Callable[[Floats, NDArray[np.bool_]], Unchanged | Temperature | Platt | Isotonic]


@dataclass(frozen=True)
class ScoredClips:
    """Clips of one word on one split: `score (n,)` in [0, 1], `positive (n,)` bool, and who speaks (empty: nobody)."""

    score: Floats
    positive: NDArray[np.bool_]
    speakers: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.score) == len(self.positive) == len(self.speakers):
            raise DataError("scored clips need one score, one truth and one speaker each")
        if not np.all((self.score >= 0) & (self.score <= 1)):
            raise DataError("clip scores must lie in [0, 1]: the model or its input is broken, nothing is calibrated")

    @classmethod
    def of(
        cls,
        positive: Sequence[float] | Floats,
        negative: Sequence[float] | Floats,
        positive_speakers: Sequence[str],
        negative_speakers: Sequence[str],
    ) -> ScoredClips:
        """From the scores of words and of other stretches, each with its speaker."""
        score = np.concatenate([np.asarray(part, dtype=np.float64) for part in (positive, negative)])
        truth = np.arange(len(score)) < len(positive)
        return cls(score, truth, (*positive_speakers, *negative_speakers))


def word_scores(peaks: Peaks) -> Floats:
    """Highest smoothed peak in each word's window, `(words,)`; 0 where there is none."""
    best = np.zeros(peaks.words)
    inside = peaks.owner >= 0
    np.maximum.at(best, peaks.owner[inside], peaks.score[inside])
    return best


def stretch_scores(peaks: Peaks, rows: Sequence[TruthRow]) -> Floats:
    """Highest smoothed peak in each row of *one* track (not of joined ones), `(rows,)`; 0 where there is none."""
    spans = np.searchsorted(peaks.time_s, [(row.start_s, row.end_s) for row in rows], side="left").reshape(-1, 2)
    return np.asarray([peaks.score[first:last].max(initial=0.0) for first, last in spans], dtype=np.float64)


def fit_unchanged(score: Floats, positive: NDArray[np.bool_]) -> Unchanged:
    """No calibration, to compare with."""
    return Unchanged()


def fit_temperature(score: Floats, positive: NDArray[np.bool_]) -> Temperature:
    """The temperature of the highest likelihood, for targets as in `fit_platt`."""
    odds, target = log_odds(score), _targets(positive)
    found = minimize_scalar(
        lambda log_t: _loss(odds / np.exp(log_t), target),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return Temperature(temperature=float(np.exp(found.x)))


def fit_platt(score: Floats, positive: NDArray[np.bool_]) -> Platt:
    """Slope and offset of the highest likelihood, for Platt's targets.

    The targets are (p + 1) / (p + 2) and 1 / (n + 2) for p positives and n negatives instead of 1 and 0, so that scores
    which part the two classes do not make the slope infinite.
    """
    odds, target = log_odds(score), _targets(positive)

    def loss(line: Floats) -> tuple[float, Floats]:
        value = line[0] * odds + line[1]
        off = 1 / (1 + np.exp(-value)) - target
        return _loss(value, target), np.asarray([np.mean(off * odds), np.mean(off)])

    found = minimize(loss, [1.0, 0.0], jac=True, method="L-BFGS-B", bounds=[(0.0, None), (None, None)])
    return Platt(a=float(found.x[0]), b=float(found.x[1]))


def fit_isotonic(score: Floats, positive: NDArray[np.bool_]) -> Isotonic:
    """The best curve that never falls. It ends where Platt's targets lie: nothing is ever certain."""
    target = _targets(positive)
    curve = IsotonicRegression(y_min=float(target.min()), y_max=float(target.max()), out_of_bounds="clip")
    curve.fit(score, positive.astype(np.float64))
    knots = np.asarray(curve.X_thresholds_, dtype=np.float64)
    heights = np.maximum.accumulate(np.asarray(curve.y_thresholds_, dtype=np.float64))
    return Isotonic(scores=tuple(knots.tolist()), probabilities=tuple(heights.tolist()))


METHODS: dict[str, Fit] = {
    "none": fit_unchanged,
    "temperature": fit_temperature,
    "platt": fit_platt,
    "isotonic": fit_isotonic,
}
"""Simple ones first: of equals, the first is taken."""


def _targets(positive: NDArray[np.bool_]) -> Floats:
    yes, no = int(positive.sum()), int((~positive).sum())
    return np.where(positive, (yes + 1) / (yes + 2), 1 / (no + 2))


def _loss(value: Floats, target: Floats) -> float:
    """Mean cross-entropy of log odds and targets, safe for large values."""
    return float(np.mean(np.logaddexp(0.0, value) - target * value))


def calibrate(
    val: ScoredClips | None, test: ScoredClips | None, confidence: float = 0.95, seed: int = 0
) -> CalibrationResult:
    """Choose and fit on val, tell on test; both may be None.

    The method is the one with the least log loss on val when each speaker's clips are calibrated by what the others'
    gave (`FOLDS` folds). Where that cannot be done it is temperature scaling, which has the fewest numbers to fit.
    """
    missing = _why_not(val)
    if val is None or missing:
        return CalibrationResult(
            calibration=None,
            reason=missing,
            cross_validated={},
            val_before=_figures(val, None, confidence, seed),
            val_after=None,
            test_before=_figures(test, None, confidence, seed),
            test_after=None,
            test_at_own_prior=None,
        )
    held_out = _held_out(val, seed)
    losses = {name: log_loss(found, val.positive) for name, found in held_out.items()}
    chosen = min(losses, key=lambda name: losses[name]) if losses else "temperature"
    prior = float(np.mean(val.positive))
    fitted = Calibration(map=METHODS[chosen](val.score, val.positive), prior=prior)
    return CalibrationResult(
        calibration=fitted,
        reason=_reason(chosen, losses),
        cross_validated=losses,
        val_before=_figures(val, None, confidence, seed),
        val_after=figures(held_out[chosen], val.positive, val.speakers, confidence, seed) if losses else None,
        test_before=_figures(test, None, confidence, seed),
        test_after=_figures(test, fitted, confidence, seed),
        test_at_own_prior=_figures(test, fitted, confidence, seed, own_prior=True),
    )


def _why_not(val: ScoredClips | None) -> str:
    if val is None or not len(val.score):
        return "not calibrated: val holds no clips"
    for name, count in (("words", int(val.positive.sum())), ("negative clips", int((~val.positive).sum()))):
        if count < LEAST_CLIPS:
            return f"not calibrated: val holds {count or 'no'} {name}, {LEAST_CLIPS} are needed"
    return ""


def _held_out(val: ScoredClips, seed: int) -> dict[str, Floats]:
    """Probabilities of every clip, `(n,)` per method, fitted without its speaker; empty where speakers are too few."""
    group = groups_of(val.speakers)
    people = min(len(np.unique(group[val.positive])), len(np.unique(group[~val.positive])))
    if people < 2:
        return {}
    found = {name: np.zeros(len(val.score)) for name in METHODS}
    folds = StratifiedGroupKFold(n_splits=min(FOLDS, people), shuffle=True, random_state=seed)
    for rest, held in folds.split(val.score, val.positive, group):
        if len(np.unique(val.positive[rest])) < 2:
            return {}
        for name, fit in METHODS.items():
            found[name][held] = fit(val.score[rest], val.positive[rest]).probability(val.score[held])
    return found


def _reason(chosen: str, losses: dict[str, float]) -> str:
    if not losses:
        return "temperature, as the fewest numbers to fit: val has too few speakers to compare methods"
    others = ", ".join(f"{name} {loss:.4f}" for name, loss in losses.items() if name != chosen)
    words = "the score as it is" if chosen == "none" else chosen
    return f"{words}: log loss {losses[chosen]:.4f} on speakers of val that the fit had not heard ({others})"


def _figures(
    clips: ScoredClips | None, fitted: Calibration | None, confidence: float, seed: int, own_prior: bool = False
) -> CalibrationFigures | None:
    """None without clips; at their own prior, None as well where all are of one class."""
    if clips is None or not len(clips.score):
        return None
    prior = float(np.mean(clips.positive)) if own_prior else None
    if prior is not None and not 0 < prior < 1:
        return None
    found = clips.score if fitted is None else fitted.probability(clips.score, prior)
    return figures(found, clips.positive, clips.speakers, confidence, seed)
