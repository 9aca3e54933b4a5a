"""Exponential moving average of a model, which is validated and exported."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


class ModelAverage(Generic[M]):
    """Average of parameters *and* buffers (BatchNorm statistics belong to the weights they were computed with).

    The decay is `min(decay, (1 + n) / (10 + n))` after `n` updates, so that the random initial weights lose their
    influence within the first steps.
    """

    def __init__(self, model: M, decay: float) -> None:
        self.model: M = copy.deepcopy(model).eval()
        self.model.requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards `model`; whole numbers (BatchNorm's step counter) are copied.

        All tensors move in a few calls of the device, not in one for each.
        """
        self.updates += 1
        weight = 1.0 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        source = model.state_dict()
        kept: list[Tensor] = []
        newest: list[Tensor] = []
        for name, value in self.model.state_dict().items():
            if value.dtype.is_floating_point:
                kept.append(value)
                newest.append(source[name].to(value.dtype))
            else:
                value.copy_(source[name])
        if kept:
            torch._foreach_lerp_(kept, newest, weight)
