"""Parts of the benchmark of the phrase forecast that need no training."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import phrase_forecast
from benchmarks.phrase_detectors import training_config


def test_the_rank_correlation_and_its_interval() -> None:
    truth = np.arange(20.0)
    rank, low, high = phrase_forecast.rank_correlation(truth**2, truth, 0)
    assert (rank, low, high) == pytest.approx((1.0, 1.0, 1.0))
    noisy = truth + np.random.default_rng(0).normal(0, 8, 20)
    rank, low, high = phrase_forecast.rank_correlation(noisy, truth, 0)
    assert low < rank < high
    assert low < 0.9


def test_ten_common_and_ten_rare_phrases_have_a_recipe(tmp_path) -> None:
    phrases = (*phrase_forecast.COMMON, *phrase_forecast.RARE)
    assert len(set(phrases)) == 20
    config = training_config(phrases, tmp_path, 60, 0)
    assert [word.text for word in config.words] == list(phrases)
    assert training_config(["hey nova"], tmp_path, 60, 3).training.seed == 3
