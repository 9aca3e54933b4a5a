"""BC-ResNet against the published network."""

from __future__ import annotations

import pytest
import torch

from wakeword.config.model import ModelConfig
from wakeword.errors import ConfigError
from wakeword.models.bc_resnet import BroadcastBlock
from wakeword.models.families import build_model


@pytest.mark.parametrize(
    ("tau", "parameters"), [(1, 9_232), (1.5, 17_154), (2, 27_284), (3, 54_168), (6, 187_812), (8, 321_068)]
)
def test_parameter_counts_are_the_published_ones(tau: float, parameters: int) -> None:
    network = build_model(ModelConfig(family="bc_resnet", width=tau), 40, 12)
    assert sum(value.numel() for value in network.parameters()) == parameters


def test_receptive_field_in_seconds_is_the_same_at_any_stride() -> None:
    lookbacks = [
        build_model(ModelConfig(family="bc_resnet", frame_stride=stride, pool_frames=1), 40, 1).lookback_frames
        for stride in (1, 2)
    ]
    assert abs(lookbacks[0] - lookbacks[1]) <= 20


@pytest.mark.parametrize("mels", [8, 16, 64, 80])
def test_other_multiples_of_8_mels_work(mels: int) -> None:
    network = build_model(ModelConfig(family="bc_resnet", width=1), mels, 2).eval()
    assert network(torch.randn(1, network.context_frames, mels)).shape == (1, 1, 2)


def test_other_mels_are_refused() -> None:
    with pytest.raises(ConfigError, match="multiple of 8"):
        build_model(ModelConfig(family="bc_resnet"), 42, 1)


@torch.no_grad()
def test_time_mixing_is_broadcast_over_mels() -> None:
    """What the block adds over time is the same for each mel."""
    torch.manual_seed(0)
    block = BroadcastBlock(8, 8, mel_stride=1, bands=5, dilation=2, dropout=0.0).eval()
    value = 5.0 + torch.rand(1, 8, 20, 12)
    planes = block.over_mels(value)[..., 4:]
    added = block(value) - planes - value[..., 4:]
    kept = (block(value) > 0).all(dim=2, keepdim=True).expand_as(added)
    spread = (added - added.mean(dim=2, keepdim=True))[kept]
    assert spread.numel() > 0
    assert float(spread.abs().max()) < 1e-5
