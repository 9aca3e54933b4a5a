"""Fit the fusion map of the verifier on the triggers of some words' detectors.

A trigger in the window of a word is a positive (the best one of each word), every other one a negative; near misses of
held-out voices count as negatives too. The map knows nothing of the phrase, so that words which were not fitted judge
it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from benchmarks.synthetic.cascade import TRIGGER_LOGIT, Measured
from wakeword.config import Config
from wakeword.evaluation.cascade.triggers import select_features
from wakeword.evaluation.metrics.threshold_curve import OUTSIDE, HitWindow, Peaks, Truth, track_peaks
from wakeword.evaluation.scoring.store import TrackInfo
from wakeword.runtime.fusion import FusionMap, feature_values

PLAIN = FusionMap(weights={"logit": 1.0, "mean": 2.0, "weakest": 1.0}, made="by eye on two words")
NEAR_MISS_DISTANCE = 2
"""Near misses of this many phonemes and more are negatives: some that differ in one are accents of the phrase."""


@dataclass(frozen=True)
class Triggers:
    """Triggers of one detector: features by name, labels (1: the word) and weights, `(triggers,)` each."""

    features: dict[str, NDArray[Any]]
    label: NDArray[np.int64]
    weight: NDArray[np.float64]


def labelled(found: Measured, config: Config, near_miss_weight: float) -> Triggers:
    """The triggers of a detector that are a word or a false alarm."""
    parts = [part for track in found.tracks.values() for part in _of_track(found, track, config, near_miss_weight)]
    names = parts[0][0]
    return Triggers(
        {name: np.concatenate([features[name] for features, _, _ in parts]) for name in names},
        np.concatenate([np.full(len(features["logit"]), label) for features, label, _ in parts]),
        np.concatenate([np.full(len(features["logit"]), weight) for features, _, weight in parts]),
    )


def _of_track(
    found: Measured, track: TrackInfo, config: Config, near_miss_weight: float
) -> Iterator[tuple[dict[str, NDArray[Any]], int, float]]:
    """Features, label and weight of the triggers of one track."""
    own = track.kind == "positives" and track.word == found.word
    spoken = track.name.startswith("spoken/")
    if (spoken and track.kind != "near_misses") or (
        track.kind == "positives" and not own and track.condition != "clean"
    ):
        return
    rows = sorted((r for r in track.truth if r.role == "word" and r.word == found.word), key=lambda r: r.start_s)
    ignored = [(r.start_s, r.end_s) for r in track.truth if r.role == "ignored" and r.word == found.word]
    window = HitWindow(config.evaluation.hit_before_s, config.evaluation.hit_after_s)
    truth = Truth.of([(row.start_s, row.end_s) for row in rows], ignored)
    peaks = track_peaks(found.scores[track.name], truth, window, found.timing)
    fires = np.flatnonzero(peaks.score >= float(expit(TRIGGER_LOGIT)))
    triggers = found.triggers[track.name]
    place = np.searchsorted(triggers.index, peaks.index[fires])
    values = dict(feature_values(peaks.score[fires], select_features(triggers.features, place)))

    def chosen(places: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return {name: value[places] for name, value in values.items()}

    if track.kind == "near_misses":
        yield chosen(_in_near_misses(peaks, fires, track, found.word)), 0, near_miss_weight
        return
    owner = peaks.owner[fires]
    rank = values["logit"] + 2 * values["mean"] + values["weakest"]
    best = [np.flatnonzero(owner == word)[rank[owner == word].argmax()] for word in np.unique(owner[owner >= 0])]
    yield chosen(np.asarray(best, dtype=np.int64)), 1, 1.0
    if not own or track.condition == "clean":
        yield chosen(np.flatnonzero(owner == OUTSIDE)), 0, 1.0


def _in_near_misses(peaks: Peaks, fires: NDArray[Any], track: TrackInfo, word: str) -> NDArray[Any]:
    inside = np.zeros(len(fires), dtype=bool)
    for row in track.truth:
        if row.role == "near_miss" and row.word in ("", word) and row.phoneme_distance >= NEAR_MISS_DISTANCE:
            inside |= (peaks.time_s[fires] >= row.start_s) & (peaks.time_s[fires] < row.end_s)
    return np.flatnonzero(inside)


def fit_fusion(
    parts: Iterable[Triggers], names: Iterable[str], with_clarity: Iterable[str] = (), made: str = ""
) -> FusionMap:
    """Logistic regression; each detector weighs the same, and so do its positives and its negatives."""
    from sklearn.linear_model import LogisticRegression

    plain, products = list(names), list(with_clarity)
    columns, labels, weights = [], [], []
    for part in parts:
        values = part.features
        columns.append(np.stack([*(values[n] for n in plain), *(values[n] * values["clarity"] for n in products)], 1))
        weight = part.weight.copy()
        for label in (0, 1):
            weight[part.label == label] /= weight[part.label == label].sum()
        labels.append(part.label)
        weights.append(weight)
    inputs = np.concatenate(columns)
    scale = inputs.std(axis=0) + 1e-9
    model = LogisticRegression(C=1.0, max_iter=2000)
    model.fit(inputs / scale, np.concatenate(labels), sample_weight=np.concatenate(weights) * 1000)
    found = model.coef_[0] / scale
    return FusionMap(
        weights={name: float(value) for name, value in zip(plain, found, strict=False)},
        clarity_weights={name: float(value) for name, value in zip(products, found[len(plain) :], strict=True)},
        offset=float(model.intercept_[0]),
        made=made,
    )
