"""The fusion map: a logistic map over named features, with weights that know the noise."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from pydantic import ValidationError

from wakeword.runtime.events import SCORE_LEVELS
from wakeword.runtime.fusion import LARGEST_LOGIT, FusionMap, feature_values, score_logit
from wakeword.runtime.phoneme_path import PathFeatures

NAMES = ("mean", "weakest", "second_weakest", "mean_spike", "inserted", "frames_per_phoneme", "clarity")
SCORES = np.array([0.2, 0.5, 0.99])


def features(**values: list[float]) -> PathFeatures:
    random = np.random.default_rng(1)
    found = {
        field.name: np.asarray(values.get(field.name, -random.random(3)), np.float32) for field in fields(PathFeatures)
    }
    return PathFeatures(**found)


def logit(score: np.ndarray) -> np.ndarray:
    return np.log(score / (1 - score))


def test_the_starting_map_is_the_sum_that_the_notes_measured() -> None:
    path = features()
    fused = FusionMap(weights={"logit": 1.0, "mean": 2.0, "weakest": 1.0})
    assert fused.logit(SCORES, path) == pytest.approx(logit(SCORES) + 2 * path.mean + path.weakest)
    assert logit(fused.fused(SCORES, path)) == pytest.approx(fused.logit(SCORES, path))


@pytest.mark.parametrize("name", ["logit", *NAMES])
def test_every_feature_has_its_weight_and_its_product_with_clarity(name: str) -> None:
    path = features()
    values = feature_values(SCORES, path)[name]
    plain = FusionMap(weights={name: 0.7}, offset=0.25)
    assert plain.logit(SCORES, path) == pytest.approx(0.25 + 0.7 * values)
    noisy = FusionMap(weights={"logit": 1.0}, clarity_weights={name: -0.5})
    assert noisy.logit(SCORES, path) == pytest.approx(logit(SCORES) - 0.5 * values * path.clarity)


def test_saturated_scores_and_paths_that_do_not_fit_stay_inside() -> None:
    assert score_logit(np.array([0.0, 1.0])) == pytest.approx(
        [-np.log(2 * SCORE_LEVELS - 1), np.log(2 * SCORE_LEVELS - 1)]
    )
    path = features(mean=[-50.0, 50.0, 0.0], weakest=[-50.0, 50.0, 0.0])
    fused = FusionMap(weights={"mean": 2.0, "weakest": 1.0})
    assert fused.logit(SCORES, path) == pytest.approx([-LARGEST_LOGIT, LARGEST_LOGIT, 0.0])
    found = fused.fused(SCORES, path)
    assert ((found > 0) & (found < 1)).all()


@pytest.mark.parametrize(
    "values",
    [
        {"weights": {"volume": 1.0}},
        {"weights": {}},
        {"weights": {"mean": float("nan")}},
        {"weights": {"mean": 1}, "x": 1},
    ],
)
def test_a_map_that_means_nothing_is_refused(values: dict) -> None:
    with pytest.raises(ValidationError):
        FusionMap.model_validate(values)
