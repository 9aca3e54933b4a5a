"""Random draws for each clip from an explicit generator."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wakeword.audio.augment.bank import Bank


def uniform(limits: tuple[float, float], count: int, generator: torch.Generator) -> Tensor:
    """Uniform numbers `(count,)` between the limits, on the device of the generator."""
    low, high = limits
    return low + (high - low) * torch.rand(count, generator=generator, device=generator.device)


def log_uniform(limits: tuple[float, float], count: int, generator: torch.Generator) -> Tensor:
    """Numbers `(count,)` whose logarithm is uniform."""
    low, high = limits
    return uniform((math.log(low), math.log(high)), count, generator).exp()


def chosen(probability: float, count: int, generator: torch.Generator) -> Tensor:
    """Which clips a transform changes: bool `(count,)`."""
    return torch.rand(count, generator=generator, device=generator.device) < probability


def below(limit: Tensor, generator: torch.Generator) -> Tensor:
    """A uniform integer in `[0, limit)` for each element of `limit`."""
    draw = torch.rand(limit.shape, generator=generator, device=generator.device, dtype=torch.float64)
    return torch.minimum((draw.to(limit.device) * limit).long(), limit - 1)


def places(bank: Bank, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random clips of a bank and random start samples in them: int64 `(count,)` each."""
    index = below(torch.full((count,), len(bank), device=bank.offset.device), generator)
    return index, below(bank.length[index], generator)


def crops(bank: Bank, count: int, samples: int, generator: torch.Generator) -> Tensor:
    """Random crops `(count, samples)` of the clips of a bank; short clips repeat."""
    return bank.take(*places(bank, count, generator), samples)
