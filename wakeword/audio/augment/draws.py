"""Random draws, one a clip, from an explicit generator."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wakeword.audio.augment.bank import Bank


def uniform(limits: tuple[float, float], count: int, generator: torch.Generator) -> Tensor:
    """Uniform numbers between the limits: `(count,)` on the generator's device."""
    low, high = limits
    return low + (high - low) * torch.rand(count, generator=generator, device=generator.device)


def log_uniform(limits: tuple[float, float], count: int, generator: torch.Generator) -> Tensor:
    """Numbers whose logarithm is uniform, as the ear counts frequencies: `(count,)`."""
    low, high = limits
    return uniform((math.log(low), math.log(high)), count, generator).exp()


def chosen(probability: float, count: int, generator: torch.Generator) -> Tensor:
    """Which clips a transform takes: bool `(count,)`."""
    return torch.rand(count, generator=generator, device=generator.device) < probability


def below(limit: Tensor, generator: torch.Generator) -> Tensor:
    """A whole number from 0 to below `limit`, for each."""
    draw = torch.rand(limit.shape, generator=generator, device=generator.device, dtype=torch.float64)
    return torch.minimum((draw.to(limit.device) * limit).long(), limit - 1)


def places(bank: Bank, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which clip of a bank, and from which of its samples on: int64 `(count,)` each."""
    index = below(torch.full((count,), len(bank), device=bank.offset.device), generator)
    return index, below(bank.length[index], generator)


def crops(bank: Bank, count: int, samples: int, generator: torch.Generator) -> Tensor:
    """`(count, samples)`: any clip of the bank from any place on; short clips repeat."""
    return bank.take(*places(bank, count, generator), samples)
