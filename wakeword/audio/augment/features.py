"""Augmentation of features: vocal tract length perturbation and masks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wakeword.audio.augment.draws import below, chosen, uniform
from wakeword.audio.frontend import SLANEY_HZ, SLANEY_LOG_STEP, SLANEY_MEL, hz_to_mel, mel_to_hz
from wakeword.config.augmentation import AugmentationConfig
from wakeword.config.frontend import FrontendConfig


@dataclass(frozen=True)
class FeaturePlan:
    """What happens to the features of a batch, drawn on the host.

    Attributes:
        rows: int64, the clips that are warped.
        place: `(rows, mels)` fractional mel of the input for each of the output.
        masked: bool `(batch,)`, the clips that are masked.
        over_time, over_mels: first cell and width `(batch,)` of each stripe.
    """

    rows: Tensor
    place: Tensor
    masked: Tensor
    over_time: tuple[tuple[Tensor, Tensor], ...]
    over_mels: tuple[tuple[Tensor, Tensor], ...]


def draw_features(
    config: AugmentationConfig, frontend: FrontendConfig, shape: torch.Size, generator: torch.Generator
) -> FeaturePlan:
    """Draw a plan for features `(batch, frames, mels)`; `generator` is on the CPU."""
    count, frames, mels = shape
    factor = uniform(config.vtlp, count, generator)
    rows = chosen(config.vtlp_probability, count, generator).nonzero()[:, 0]
    masked = chosen(config.spec_probability, count, generator)
    over_time, over_mels = [], []
    for _ in range(config.masks):
        over_time.append(_stripe(count, frames, config.time_mask_frames, generator))
        over_mels.append(_stripe(count, mels, config.frequency_mask_mels, generator))
    return FeaturePlan(rows, warped_mels(frontend, mels, factor[rows]), masked, tuple(over_time), tuple(over_mels))


def _stripe(count: int, size: int, widest: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """First cell and width of a random stripe of 0 to `widest` cells for each row."""
    width = below(torch.full((count,), min(widest, size) + 1), generator)
    return below(size - width + 1, generator), width


def changed_features(features: Tensor, plan: FeaturePlan) -> Tensor:
    """Warp and mask features `(batch, frames, mels)` by a plan on their device."""
    return _masked(_warped(features, plan), plan)


def _warped(features: Tensor, plan: FeaturePlan) -> Tensor:
    """Vocal tract length perturbation (Jaitly and Hinton 2013): a piecewise linear map of the frequency axis."""
    if not len(plan.rows):
        return features
    left = plan.place.floor().long().clamp(0, features.shape[2] - 2)
    part = (plan.place - left)[:, None, :].to(features.dtype)
    source = features[plan.rows]
    left = left[:, None, :].expand(-1, source.shape[1], -1)
    warped = torch.lerp(source.gather(2, left), source.gather(2, left + 1), part)
    return features.index_copy(0, plan.rows, warped)


def _masked(features: Tensor, plan: FeaturePlan) -> Tensor:
    """SpecAugment (Park et al. 2019) with separate masks for each clip, filled with its mean."""
    count, frames, mels = features.shape
    hidden = torch.zeros(count, frames, mels, dtype=torch.bool, device=features.device)
    for over_time, over_mels in zip(plan.over_time, plan.over_mels, strict=True):
        hidden |= _cells(frames, *over_time)[:, :, None] | _cells(mels, *over_mels)[:, None, :]
    hidden &= plan.masked[:, None, None]
    return torch.where(hidden, features.mean(dim=(1, 2), keepdim=True), features)


def _cells(size: int, start: Tensor, width: Tensor) -> Tensor:
    """The cells of stripes: bool `(count, size)`."""
    cell = torch.arange(size, device=start.device)
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
    """`frontend.hz_to_mel` of a tensor."""
    if scale == "htk":
        return 2595.0 * torch.log10(1.0 + frequency_hz / 700.0)
    above = SLANEY_MEL + torch.log(frequency_hz.clamp(min=SLANEY_HZ) / SLANEY_HZ) / SLANEY_LOG_STEP
    return torch.where(frequency_hz < SLANEY_HZ, frequency_hz * (SLANEY_MEL / SLANEY_HZ), above)
