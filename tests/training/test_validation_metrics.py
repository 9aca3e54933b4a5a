"""Miss rate, equal error rate and area on hand-made scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wakeword.config import validate_config
from wakeword.data.resident import ResidentClips
from wakeword.training.validation import Validator, equal_error, miss_rate


def test_miss_rate_lets_at_most_the_share_fire() -> None:
    negative = np.arange(200.0)
    assert miss_rate(np.array([197.5, 198.5, 199.5]), negative, 0.005) == pytest.approx(1 / 3)
    assert miss_rate(np.array([197.5, 198.5, 199.5]), negative, 0.0) == pytest.approx(2 / 3)
    assert miss_rate(np.array([198.0]), negative, 0.005) == 1.0, "a tie with the threshold is a miss"


def test_with_few_negatives_none_may_fire() -> None:
    assert miss_rate(np.array([1.0, 3.0]), np.array([0.0, 2.0]), 0.005) == 0.5


def test_equal_error_and_area() -> None:
    eer, auc = equal_error(np.array([3.0, 4.0, 5.0]), np.array([0.0, 1.0, 2.0]))
    assert (eer, auc) == (0.0, 1.0)
    eer, auc = equal_error(np.array([0.0, 3.0]), np.array([1.0, 2.0]))
    assert eer == pytest.approx(0.5)
    assert auc == pytest.approx(0.5)
    assert equal_error(np.array([1.0]), np.array([1.0]))[1] == pytest.approx(0.5)


def test_near_misses_do_not_rank_epochs() -> None:
    kinds = ["wakeword", "speech", "confusable"]
    columns = {"kind": kinds, "label": ["nova", "speech", "near_miss"], "contains": [""] * 3}
    length = torch.full((3,), 16_000)
    clips = ResidentClips(torch.zeros(48_000, dtype=torch.int16), torch.arange(3) * 16_000, length, columns)
    validator = Validator(validate_config({"words": [{"label": "nova"}]}), clips, 8_000)
    assert {kinds[owner] for owner in validator.owner} == {"wakeword", "speech"}
    assert validator.complete
