"""The counter of weights and multiplications."""

from __future__ import annotations

import pytest

from tests.models.test_registry import FAMILIES, config_of, mels_of
from wakeword.config.model import ModelConfig
from wakeword.models.cost import model_cost
from wakeword.models.families import build_model


@pytest.mark.parametrize(("tau", "millions"), [(1, 2.48), (2, 7.32), (8, 85.9)])
def test_bc_resnet_needs_the_published_multiplications(tau: float, millions: float) -> None:
    """Of the convolutions of Qualcomm's network for 101 frames, which pad both sides of the time."""
    network = build_model(ModelConfig(family="bc_resnet", width=tau, frame_stride=1), 40, 12)
    assert model_cost(network, 0.01).macs_per_s / 1e6 == pytest.approx(millions, rel=0.05)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_counted(family: str) -> None:
    network = build_model(config_of(family), mels_of(family), 2).train()
    cost = model_cost(network, 0.01)
    assert network.training
    assert cost.weights == sum(value.numel() for value in network.parameters())
    assert 0 < cost.trained_weights <= cost.weights
    assert (cost.trained_weights < cost.weights) == network.FROZEN_BODY
    assert cost.state_size == network.state_size
    # Each weight is used in each step at least once, norms and biases aside.
    assert cost.macs_per_s > 0.8 * cost.weights / (network.frame_stride * 0.01)


def test_a_score_less_often_costs_less() -> None:
    costs = [
        model_cost(build_model(ModelConfig(family="tc_resnet", frame_stride=stride), 40, 1), 0.01).macs_per_s
        for stride in (1, 2, 4)
    ]
    assert costs[0] > 1.5 * costs[1] > 2 * costs[2]
