"""The average follows parameters and BatchNorm statistics, and leaves nothing of the start behind."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from wakeword.training.ema import ModelAverage


def _model(value: float) -> nn.Sequential:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.fill_(value)
    return model


def test_parameters_and_buffers_move_by_the_same_share() -> None:
    average = ModelAverage(_model(0.0), decay=0.995)
    average.update(_model(1.0))
    state = average.model.state_dict()
    expected = 1 - 2 / 11
    assert state["0.weight"].flatten()[0].item() == pytest.approx(expected)
    assert state["1.running_mean"][0].item() == pytest.approx(expected)
    assert state["1.num_batches_tracked"].item() == 1
    assert not average.model.training


def test_decay_bounds_how_fast_the_average_follows() -> None:
    slow, fast = ModelAverage(_model(0.0), 0.99), ModelAverage(_model(0.0), 0.1)
    for average in (slow, fast):
        average.updates = 10_000
        average.update(_model(1.0))
    assert slow.model.state_dict()["0.bias"][0].item() == pytest.approx(0.01)
    assert fast.model.state_dict()["0.bias"][0].item() == pytest.approx(0.9)


def test_equal_weights_stay_bitwise_equal() -> None:
    model = nn.Linear(3, 3)
    average = ModelAverage(model, 0.995)
    for _ in range(20):
        average.update(model)
    assert torch.equal(average.model.weight, model.weight)
