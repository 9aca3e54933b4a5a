"""Levels: what counts as loud, decibels, the limits of a converter."""

from __future__ import annotations

import torch
from torch import Tensor

ACTIVE_FRAME = 320
ACTIVE_RANGE_DB = 25.0
SILENT_DBFS = -50.0
"""A clip quieter than this counts as this loud when noise is added, so that silence gets noise too."""
QUIETEST_NOISE = 1e-7
"""Power (-70 dBFS) that a noise crop counts with at least: quantisation noise is not pulled up to full level."""


def active_power(audio: Tensor) -> Tensor:
    """Mean power of the loud frames of each clip, `(batch,)`: those within 25 dB of the loudest 20 ms."""
    frames = audio[:, : audio.shape[1] // ACTIVE_FRAME * ACTIVE_FRAME].unflatten(1, (-1, ACTIVE_FRAME))
    # One pass; the mean of squares would write the squares first, which takes three times as long.
    power = torch.linalg.vector_norm(frames, dim=2).square() / ACTIVE_FRAME
    loud = power >= power.amax(dim=1, keepdim=True) * 10 ** (-ACTIVE_RANGE_DB / 10)
    return (power * loud).sum(dim=1) / loud.sum(dim=1)


def decibel(level_db: Tensor) -> Tensor:
    """Factor on amplitudes."""
    return 10.0 ** (level_db / 20.0)


def as_loud_as(level: Tensor, changed: Tensor) -> Tensor:
    """`changed` `(batch, samples)` at the `active_power` `level` `(batch,)`; in place."""
    return changed.mul_((level / active_power(changed).clamp(min=1e-12)).sqrt()[:, None])


def mean_power(audio: Tensor) -> Tensor:
    """Mean power of each clip: `(batch,)`."""
    return torch.linalg.vector_norm(audio, dim=1).square() / audio.shape[1]


def noise_scale(level: Tensor, noise_power: Tensor, snr_db: Tensor) -> Tensor:
    """Factor `(batch,)` that brings noise of this power to `snr_db` below a clip of `active_power` `level`."""
    wanted = level.clamp(min=10 ** (SILENT_DBFS / 10)) * 10 ** (-snr_db / 10)
    return (wanted / noise_power.clamp(min=QUIETEST_NOISE)).sqrt()


def clipped(audio: Tensor, overdrive_db: Tensor) -> Tensor:
    """Cut each clip `(batch, samples)` off at `overdrive_db` `(batch,)` below its own peak, as a full converter does.

    The level that is lost stays lost: `gain_db` follows and draws the level anyway.
    """
    limit = (audio.abs().amax(dim=1) * decibel(-overdrive_db))[:, None]
    return audio.clamp(-limit, limit)
