"""Miss rate on hand-made scores; what the validator scores and reports."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wakeword.config import validate_config
from wakeword.data.resident import ResidentClips
from wakeword.errors import RunError
from wakeword.ranking import equal_error_rate
from wakeword.training.validation import Validator, miss_rate


def test_miss_rate_lets_at_most_the_share_fire() -> None:
    negative = np.arange(200.0)
    assert miss_rate(np.array([197.5, 198.5, 199.5]), negative, 0.005) == pytest.approx(1 / 3)
    assert miss_rate(np.array([197.5, 198.5, 199.5]), negative, 0.0) == pytest.approx(2 / 3)
    assert miss_rate(np.array([198.0]), negative, 0.005) == 1.0, "a tie with the threshold is a miss"


def test_with_few_negatives_none_may_fire() -> None:
    assert miss_rate(np.array([1.0, 3.0]), np.array([0.0, 2.0]), 0.005) == 0.5


class Fixed(torch.nn.Module):
    """A stand-in for a net: the logit of every frame is the loudest sample of its window."""

    def offline(self, audio: torch.Tensor) -> torch.Tensor:
        return audio.abs().amax(1)[:, None, None]


def test_the_equal_error_rate_is_that_of_evaluation() -> None:
    """Positives at 3, 2, 1 and negatives at 2, 0: interpolated it is 2/5; the nearest point would give 5/12."""
    level = [3, 2, 1, 2, 0]
    kinds = ["wakeword"] * 3 + ["speech"] * 2
    columns = {"kind": kinds, "label": ["nova"] * 3 + ["speech"] * 2, "contains": [""] * 5}
    samples = torch.tensor(level, dtype=torch.int16).mul(10_000).repeat_interleave(8000)
    length = torch.full((5,), 8000)
    clips = ResidentClips(samples, torch.arange(5) * 8000, length, columns)
    validator = Validator(validate_config({"words": [{"label": "nova"}]}), clips, 8_000)
    found = validator(Fixed())  # type: ignore[arg-type]
    assert found["val_eer"] == pytest.approx(equal_error_rate([3, 2, 1], [2, 0])) == pytest.approx(0.4)
    assert found["val_auc"] == pytest.approx(4.5 / 6)
    assert found["val_frr"] == found["val_frr_nova"] == pytest.approx(2 / 3), "no negative may fire; a tie misses"


def test_a_model_that_gives_nan_is_an_error_not_a_perfect_epoch() -> None:
    columns = {"kind": ["wakeword", "speech"], "label": ["nova", "speech"], "contains": [""] * 2}
    clips = ResidentClips(
        torch.zeros(32_000, dtype=torch.int16), torch.tensor([0, 16_000]), torch.full((2,), 16_000), columns
    )
    validator = Validator(validate_config({"words": [{"label": "nova"}]}), clips, 8_000)

    class Broken(torch.nn.Module):
        def offline(self, audio: torch.Tensor) -> torch.Tensor:
            return torch.full((len(audio), 3, 1), float("nan"))

    with pytest.raises(RunError, match=r"NaN or infinite.*learning_rate"):
        validator(Broken())  # type: ignore[arg-type]


def test_near_misses_do_not_rank_epochs() -> None:
    kinds = ["wakeword", "speech", "confusable"]
    columns = {"kind": kinds, "label": ["nova", "speech", "near_miss"], "contains": [""] * 3}
    length = torch.full((3,), 16_000)
    clips = ResidentClips(torch.zeros(48_000, dtype=torch.int16), torch.arange(3) * 16_000, length, columns)
    validator = Validator(validate_config({"words": [{"label": "nova"}]}), clips, 8_000)
    assert {kinds[owner] for owner in validator.owner} == {"wakeword", "speech"}
    assert validator.complete
