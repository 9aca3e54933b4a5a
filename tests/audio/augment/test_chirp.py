"""Transforms of a length per row in one batch, against one transform per row."""

from __future__ import annotations

import pytest
import torch

from wakeword.audio.augment.chirp import chirp_z, inverse_real

PERIODS = torch.tensor([1000, 1080, 640, 1296])


def signals(rows: int, samples: int) -> torch.Tensor:
    return torch.randn(rows, samples, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("samples", [500, 640])
def test_forward_is_the_transform_of_each_rows_length(samples: int) -> None:
    audio = signals(4, samples)
    found = chirp_z(audio, PERIODS, 300, -1)
    for row, period in enumerate(PERIODS.tolist()):
        expected = torch.fft.fft(audio[row].double(), period)[:300]
        assert float((found[row] - expected).abs().max()) < 2e-5 * float(expected.abs().max())


@pytest.mark.parametrize("length", [900, 1000])
@pytest.mark.parametrize("start", [0, -37, 250])
def test_inverse_cuts_and_pads_spectra_as_irfft_does(length: int, start: int) -> None:
    """Periods above, below and equal to the length: the bin at half of either counts once or twice."""
    audio = signals(4, length)
    spectrum = torch.fft.rfft(audio)
    lengths = torch.full((4,), length)
    found = inverse_real(spectrum, lengths, PERIODS, torch.full((4,), start), 700)
    for row, period in enumerate(PERIODS.tolist()):
        whole = torch.fft.irfft(torch.fft.rfft(audio[row].double()), period) * period
        expected = whole[(start + torch.arange(700)) % period]
        assert float((found[row] - expected).abs().max()) < 2e-5 * float(expected.abs().max())


def test_long_signals_stay_exact() -> None:
    """k^2 of a bin of 3 s exceeds 32 bits: the phase is reduced in whole numbers."""
    audio = signals(2, 50_000)
    periods = torch.tensor([60_000, 48_600])
    found = inverse_real(torch.fft.rfft(audio), torch.full((2,), 50_000), periods, torch.tensor([10_000, 0]), 40_000)
    for row, (period, start) in enumerate(((60_000, 10_000), (48_600, 0))):
        expected = torch.fft.irfft(torch.fft.rfft(audio[row].double()), period)[start : start + 40_000] * period
        assert float((found[row] - expected).norm() / expected.norm()) < 1e-5
