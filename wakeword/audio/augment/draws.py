"""Random draws for each clip from an explicit generator on the CPU, so that they are the same on every device."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wakeword.audio.augment.bank import Bank


def uniform(limits: tuple[float, float], count: int, generator: torch.Generator) -> Tensor:
    """Uniform numbers `(count,)` between the limits."""
    low, high = limits
    return low + (high - low) * torch.rand(count, generator=generator)


def log_uniform(limits: tuple[float, float], count: int, generator: torch.Generator) -> Tensor:
    """Numbers `(count,)` whose logarithm is uniform."""
    low, high = limits
    return uniform((math.log(low), math.log(high)), count, generator).exp()


def chosen(probability: float, count: int, generator: torch.Generator) -> Tensor:
    """Which clips a transform changes: bool `(count,)`."""
    return torch.rand(count, generator=generator) < probability


def below(limit: Tensor, generator: torch.Generator) -> Tensor:
    """A uniform integer in `[0, limit)` for each element of `limit`, on the host."""
    draw = torch.rand(limit.shape, generator=generator, dtype=torch.float64)
    return torch.minimum((draw * limit).long(), limit - 1)


def places(bank: Bank, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random clips of a bank and random start samples in them: int64 `(count,)` each, on the host."""
    index = below(torch.full((count,), len(bank)), generator)
    return index, below(bank.host_length[index], generator)
