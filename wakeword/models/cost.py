"""What a network costs: weights, multiplications and state."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from wakeword.models.registry import KeywordModel


@dataclass(frozen=True)
class ModelCost:
    """Cost of a network without its front end."""

    weights: int
    """Numbers that the model file holds as weights, frozen ones included."""
    trained_weights: int
    """Those that training changes."""
    macs_per_s: float
    """Multiplications with an addition per second of audio of one stream that is scored step by step: of convolutions
    and matrix products alone."""
    state_size: int
    """Numbers that each stream keeps from step to step."""


@torch.no_grad()
def model_cost(network: KeywordModel, hop_s: float) -> ModelCost:
    """Count the weights, and the multiplications of one step of one stream.

    Args:
        network: any family, in any mode; the mode is kept.
        hop_s: seconds from one feature frame to the next.
    """
    was_training = network.training
    network.eval()
    try:
        step = next(network.parameters()).new_zeros(1, network.frame_stride, network.n_mels)
        counter = FlopCounterMode(display=False)
        with counter:
            network.stream(step, network.initial_state(1))
    finally:
        network.train(was_training)
    weights = list(network.parameters())
    return ModelCost(
        weights=sum(value.numel() for value in weights),
        trained_weights=sum(value.numel() for value in weights if value.requires_grad),
        # The counter counts multiplications and additions.
        macs_per_s=counter.get_total_flops() / 2 / (network.frame_stride * hop_s),
        state_size=network.state_size,
    )
