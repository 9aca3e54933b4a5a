"""Filters as factors on the spectrum: equaliser, microphone, band limit.

All are zero-phase: they have the power response of the usual recursive filters, but no phase, so that nothing moves in
time and the end of a word stays where its label says. Their frequency axis is that of the bilinear transform.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from wakeword.audio.augment.speed import fast_length
from wakeword.config.frontend import SAMPLE_RATE_HZ

GAP = 1024
"""Silence behind a clip, so that a filter's ringing at its end does not come out at its beginning."""


def padded_length(samples: int) -> int:
    """Length of the transform that `filtered` takes for clips of so many samples."""
    return fast_length(samples + GAP)


def bins(length: int, device: torch.device) -> Tensor:
    """tan(pi f / rate) of the bins of a transform of this length: `(bins,)`."""
    turn = torch.arange(length // 2 + 1, device=device, dtype=torch.float32) / length
    # The tangent has no value at half the sample rate.
    return torch.tan(torch.pi * turn.clamp(max=0.4999))


def relative(axis: Tensor, frequency_hz: Tensor) -> Tensor:
    """The axis of `bins` in units of each clip's frequency: `(batch, bins)`."""
    return axis[None, :] / torch.tan(torch.pi * frequency_hz / SAMPLE_RATE_HZ)[:, None].float()


def peak_power(axis: Tensor, centre_hz: Tensor, gain_db: Tensor, quality: Tensor) -> Tensor:
    """Power response `(batch, bins)` of peaking filters (R. Bristow-Johnson, Audio EQ Cookbook, `peakingEQ`)."""
    square = relative(axis, centre_hz).square()
    amplitude = 10.0 ** (gain_db / 20.0)
    wide = square / quality[:, None].square()
    base = (1.0 - square).square()
    return (base + wide * amplitude[:, None]) / (base + wide / amplitude[:, None])


def band_power(axis: Tensor, low_hz: Tensor, high_hz: Tensor, order: Literal[2, 4]) -> Tensor:
    """Power response `(batch, bins)` of a Butterworth high pass and low pass: -3 dB at both frequencies.

    Args:
        order: of each of the two; the slopes fall by 6 dB per octave and order.
    """
    below = relative(axis, low_hz).reciprocal()
    above = relative(axis, high_hz)
    for _ in range(2 if order == 2 else 3):
        below, above = below.square(), above.square()
    return ((1.0 + below) * (1.0 + above)).reciprocal()


def filtered(audio: Tensor, power: Tensor) -> Tensor:
    """Clips `(batch, samples)` with their spectra times the root of `power` `(batch, bins)`, zero-phase."""
    length = padded_length(audio.shape[1])
    spectrum = torch.fft.rfft(audio, length) * power.sqrt()
    return torch.fft.irfft(spectrum, length)[:, : audio.shape[1]]
