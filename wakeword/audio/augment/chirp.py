"""Discrete Fourier transforms of a length of their own for each row of a batch, all in transforms of one length.

The chirp z-transform (Bluestein 1970; Rabiner, Schafer and Rader 1969): k m = (k^2 + m^2 - (m - k)^2) / 2 turns a
transform of any length into a convolution with a chirp. The shapes depend on the batch's shape alone, so that a device
runs it in a few calls and is never asked what it drew. On a CPU, a transform per length is faster.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wakeword.audio.augment.lengths import padded_length


def chirp_z(values: Tensor, period: Tensor, count: int, sign: int) -> Tensor:
    """out[r, m] = sum over k of values[r, k] * exp(sign * 2j * pi * k * m / period[r]), for m < count.

    Args:
        values: `(rows, n)`, real or complex.
        period: int64 `(rows,)`.
        count: number of values of each row of the result.
        sign: -1 forward, 1 inverse (not divided by the period).

    Returns:
        complex64 `(rows, count)`.
    """
    size = values.shape[1]
    length = padded_length(size + count - 1)
    number = torch.arange(max(size, count), device=values.device)
    turn = _turns(number.square()[None, :], 2 * period[:, None]) * sign
    chirp, back = turned(turn), turned(-turn)
    gap = chirp.new_zeros(len(chirp), length - size - count + 1)
    kernel = torch.cat([back[:, :count], gap, back[:, 1:size].flip(1)], dim=1)
    spectrum = torch.fft.fft(values * chirp[:, :size], length) * torch.fft.fft(kernel)
    return torch.fft.ifft(spectrum)[:, :count] * chirp[:, :count]


def inverse_real(spectrum: Tensor, length: Tensor, period: Tensor, start: Tensor, samples: int) -> Tensor:
    """`samples` samples from `start` on of the real signals whose spectra, cut or padded with zeros, are given.

    Row r is `irfft(spectrum[r], period[r])`, repeated in both directions, times period[r].

    Args:
        spectrum: complex `(rows, bins)`; bins above half of `length` are not read.
        length: int64 `(rows,)`, of the signals that the spectra are of.
        period: int64 even `(rows,)`.
        start: int64 `(rows,)`, may be negative.
    """
    number = torch.arange(spectrum.shape[1], device=spectrum.device)[None, :]
    half = period[:, None] // 2
    # A real signal's spectrum has each bin twice, except for 0 and half of the period.
    weight = 2.0 * (number < half) + 1.0 * (number == half) - 1.0 * (number == 0)
    weight = weight * (number <= length[:, None] // 2)
    turn = _turns(number * start[:, None], period[:, None])
    return chirp_z(spectrum * weight * turned(turn), period, samples, 1).real


def _turns(product: Tensor, period: Tensor) -> Tensor:
    """product / period modulo 1, in [-1/2, 1/2): exact in the product, so that float32 is enough for the rest."""
    rest = torch.remainder(product, period)
    return (torch.where(2 * rest >= period, rest - period, rest).double() / period).float()


def turned(turn: Tensor) -> Tensor:
    """exp(2j * pi * turn): complex64."""
    return torch.polar(torch.ones_like(turn), 2.0 * math.pi * turn)
