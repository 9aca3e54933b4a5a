"""Levels: active power, SNR scaling, clipping."""

from __future__ import annotations

import torch
from torch import Tensor

ACTIVE_FRAME = 320
ACTIVE_RANGE_DB = 25.0
SILENT_DBFS = -50.0
"""Least level of a clip when noise is added, so that silence gets noise too."""
QUIETEST_NOISE = 1e-7
"""Least power (-70 dBFS) of a noise crop in the SNR, so that quantisation noise is not amplified to full level."""


def active_power(audio: Tensor) -> Tensor:
    """Mean power `(batch,)` of the loud frames of each clip: those within 25 dB of the loudest 20 ms."""
    frames = audio[:, : audio.shape[1] // ACTIVE_FRAME * ACTIVE_FRAME].unflatten(1, (-1, ACTIVE_FRAME))
    # Three times faster than the mean of squares, which stores the squares.
    power = torch.linalg.vector_norm(frames, dim=2).square() / ACTIVE_FRAME
    loud = power >= power.amax(dim=1, keepdim=True) * 10 ** (-ACTIVE_RANGE_DB / 10)
    return (power * loud).sum(dim=1) / loud.sum(dim=1)


def decibel(level_db: Tensor) -> Tensor:
    """Convert decibels to an amplitude factor."""
    return 10.0 ** (level_db / 20.0)


def as_loud_as(level: Tensor, changed: Tensor) -> Tensor:
    """Scale `changed` `(batch, samples)` in place to the `active_power` `level` `(batch,)`."""
    return changed.mul_((level / active_power(changed).clamp(min=1e-12)).sqrt()[:, None])


def mean_power(audio: Tensor) -> Tensor:
    """Mean power of each clip: `(batch,)`."""
    return torch.linalg.vector_norm(audio, dim=1).square() / audio.shape[1]


def noise_scale(level: Tensor, noise_power: Tensor, snr_db: Tensor) -> Tensor:
    """Factor `(batch,)` that scales noise of this power to `snr_db` below a clip of `active_power` `level`."""
    wanted = level.clamp(min=10 ** (SILENT_DBFS / 10)) * 10 ** (-snr_db / 10)
    return (wanted / noise_power.clamp(min=QUIETEST_NOISE)).sqrt()


def clipped(audio: Tensor, overdrive_db: Tensor) -> Tensor:
    """Clip each row of `(batch, samples)` at `overdrive_db` `(batch,)` below its peak; the level is not restored."""
    limit = (audio.abs().amax(dim=1) * decibel(-overdrive_db))[:, None]
    return audio.clamp(-limit, limit)
