"""Augmentation of features: vocal tract length perturbation and masks."""

from __future__ import annotations

import torch
from torch import Tensor

from wakeword.audio.augment.draws import below, chosen, uniform
from wakeword.audio.frontend import SLANEY_HZ, SLANEY_LOG_STEP, SLANEY_MEL, hz_to_mel, mel_to_hz
from wakeword.config.augmentation import AugmentationConfig
from wakeword.config.frontend import FrontendConfig


def warp(features: Tensor, config: AugmentationConfig, frontend: FrontendConfig, generator: torch.Generator) -> Tensor:
    """Vocal tract length perturbation (Jaitly and Hinton 2013): a piecewise linear map of the frequency axis."""
    count, _, mels = features.shape
    factor = uniform(config.vtlp, count, generator).to(features.device)
    rows = chosen(config.vtlp_probability, count, generator).to(features.device).nonzero()[:, 0]
    if not len(rows):
        return features
    place = warped_mels(frontend, mels, factor[rows])
    left = place.floor().long().clamp(0, mels - 2)
    part = (place - left)[:, None, :].to(features.dtype)
    source = features[rows]
    left = left[:, None, :].expand(-1, source.shape[1], -1)
    warped = torch.lerp(source.gather(2, left), source.gather(2, left + 1), part)
    return features.index_copy(0, rows, warped)


def mask(features: Tensor, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    """SpecAugment (Park et al. 2019) with separate masks for each clip, filled with its mean."""
    count, frames, mels = features.shape
    taken = chosen(config.spec_probability, count, generator)
    hidden = torch.zeros(count, frames, mels, dtype=torch.bool, device=features.device)
    for _ in range(config.masks):
        over_time = _stripe(count, frames, config.time_mask_frames, generator).to(features.device)
        over_mels = _stripe(count, mels, config.frequency_mask_mels, generator).to(features.device)
        hidden |= over_time[:, :, None] | over_mels[:, None, :]
    hidden &= taken.to(features.device)[:, None, None]
    return torch.where(hidden, features.mean(dim=(1, 2), keepdim=True), features)


def _stripe(count: int, size: int, widest: int, generator: torch.Generator) -> Tensor:
    """A random stripe of 0 to `widest` cells in each row: bool `(count, size)`."""
    width = below(torch.full((count,), min(widest, size) + 1, device=generator.device), generator)
    start = below(size - width + 1, generator)
    cell = torch.arange(size, device=generator.device)
    return (cell >= start[:, None]) & (cell < (start + width)[:, None])


def warped_mels(frontend: FrontendConfig, mels: int, factor: Tensor) -> Tensor:
    """Fractional mel index of the input for each mel of the output, `(batch, mels)`, monotone.

    The output at frequency f reads f / factor up to 4/5 of the range, then a straight line to the end of the range.
    """
    scale_name = frontend.mel_scale
    low, high = (float(hz_to_mel(edge, scale_name)) for edge in (frontend.f_min_hz, frontend.f_max_hz))
    step = (high - low) / (mels + 1)
    centres = mel_to_hz(low + step * torch.arange(1, mels + 1).numpy(), scale_name)
    centre_hz = torch.tensor(centres, device=factor.device)
    top = float(frontend.f_max_hz)
    knee = 0.8 * top * factor.clamp(max=1.0)[:, None].double()
    scale = factor[:, None].double()
    beyond = knee / scale + (centre_hz - knee) * (top - knee / scale) / (top - knee)
    source_hz = torch.where(centre_hz <= knee, centre_hz / scale, beyond)
    return ((_mel_of(source_hz, scale_name) - low) / step - 1.0).clamp(0.0, mels - 1.0).float()


def _mel_of(frequency_hz: Tensor, scale: str) -> Tensor:
    """`frontend.hz_to_mel` on the device of the tensor, which avoids a synchronisation per batch."""
    if scale == "htk":
        return 2595.0 * torch.log10(1.0 + frequency_hz / 700.0)
    above = SLANEY_MEL + torch.log(frequency_hz.clamp(min=SLANEY_HZ) / SLANEY_HZ) / SLANEY_LOG_STEP
    return torch.where(frequency_hz < SLANEY_HZ, frequency_hz * (SLANEY_MEL / SLANEY_HZ), above)
