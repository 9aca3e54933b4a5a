"""Equaliser, microphone and band limit: responses against scipy's filters, effects on sound."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.signal
import torch
from torch import Tensor

from tests.audio.augment.sounds import RATE, augmenter, noise_bank, seeded, words
from wakeword.audio.augment.filters import at_bins, band_power, filtered, peak_power
from wakeword.audio.augment.levels import active_power


def noise(batch: int = 1, samples: int = 2 * RATE) -> Tensor:
    return 0.1 * torch.randn(batch, samples, generator=seeded(7))


def response_db(before: Tensor, after: Tensor, frequency_hz: float) -> float:
    """How much louder a third-octave band became."""
    spectra = [torch.fft.rfft(audio).abs().square() for audio in (before, after)]
    axis_hz = torch.fft.rfftfreq(before.shape[-1], 1 / RATE)
    band = (axis_hz > frequency_hz * 2 ** (-1 / 6)) & (axis_hz < frequency_hz * 2 ** (1 / 6))
    return 10 * math.log10(float(spectra[1][..., band].sum() / spectra[0][..., band].sum()))


def cookbook_peak(centre_hz: float, gain_db: float, quality: float) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of the recursive filter, from the Audio EQ Cookbook."""
    amplitude, turn = 10 ** (gain_db / 40), 2 * math.pi * centre_hz / RATE
    alpha = math.sin(turn) / (2 * quality)
    feed = np.array([1 + alpha * amplitude, -2 * math.cos(turn), 1 - alpha * amplitude])
    back = np.array([1 + alpha / amplitude, -2 * math.cos(turn), 1 - alpha / amplitude])
    return feed, back


@pytest.mark.parametrize(("centre_hz", "gain_db", "quality"), [(200.0, 9.0, 0.7), (3000.0, -12.0, 2.0)])
def test_peaks_are_those_of_the_recursive_filter(centre_hz: float, gain_db: float, quality: float) -> None:
    response = peak_power(*(torch.tensor([x]) for x in (centre_hz, gain_db, quality)))
    _, wanted = scipy.signal.freqz(*cookbook_peak(centre_hz, gain_db, quality), worN=2049, include_nyquist=True)
    np.testing.assert_allclose(at_bins(response, 4096)[0].numpy(), np.abs(wanted), rtol=2e-3)


@pytest.mark.parametrize("order", [2, 4])
def test_bands_are_those_of_butterworth(order: int) -> None:
    low_hz, high_hz = torch.tensor([300.0]), torch.tensor([3400.0])
    factor = at_bins(band_power(low_hz, high_hz, order), 4096)[0].numpy()
    wanted = np.ones(2049)
    for kind, edge_hz in (("highpass", 300.0), ("lowpass", 3400.0)):
        coefficients = scipy.signal.butter(order, edge_hz, kind, fs=RATE, output="sos")
        wanted *= np.abs(scipy.signal.sosfreqz(coefficients, 2049, whole=False)[1])
    kept = slice(20, 1900)
    # scipy's axis stops one bin short of half the rate.
    axis = np.arange(2049) * (2048 / 2049)
    np.testing.assert_allclose(factor[kept], np.interp(np.arange(2049), axis, wanted)[kept], atol=5e-3)


def test_equaliser_colours_each_clip_otherwise_and_keeps_the_level() -> None:
    audio = noise().repeat(12, 1)
    result = augmenter(eq_probability=0.7, eq_bands=3, eq_gain_db=(-10.0, 10.0))(audio, seeded()).audio
    changed = [row for row in range(12) if not torch.equal(result[row], audio[row])]
    assert 4 < len(changed) < 12
    shapes = {tuple(round(response_db(audio[0], result[row], hz), 1) for hz in (250, 1000, 4000)) for row in changed}
    assert len(shapes) == len(changed)
    assert (10 * torch.log10(active_power(result) / active_power(audio))).abs().max() < 0.05
    flat = augmenter(eq_probability=1.0, eq_gain_db=(0.0, 0.0))(audio, seeded()).audio
    torch.testing.assert_close(flat, audio, atol=1e-5, rtol=1e-4)

    def spread_db(bands: int) -> float:
        many = augmenter(eq_probability=1.0, eq_bands=bands, eq_gain_db=(10.0, 10.0))(audio, seeded()).audio
        levels = [response_db(audio[0], many[0], hz) for hz in (125, 250, 500, 1000, 2000, 4000, 6500)]
        return max(levels) - min(levels)

    assert spread_db(1) != pytest.approx(spread_db(8), abs=0.5)


def test_microphone_loses_both_ends_and_resonates() -> None:
    audio = noise(8)
    plain = {"microphone_low_hz": (200.0, 200.0), "microphone_high_hz": (5000.0, 5000.0)}
    flat = augmenter(microphone_probability=1.0, microphone_peak_db=(0.0, 0.0), **plain)(audio, seeded()).audio
    middle = response_db(audio[0], flat[0], 1000)
    # A Butterworth of order 2: 12.3 dB an octave below, 3 dB at the edge.
    assert response_db(audio[0], flat[0], 100) - middle == pytest.approx(-12.3, abs=1.0)
    assert response_db(audio[0], flat[0], 5000) - middle == pytest.approx(-3.0, abs=0.8)
    peaked = augmenter(microphone_probability=1.0, microphone_peak_db=(8.0, 8.0), **plain)(audio, seeded()).audio
    loudest = [max(response_db(flat[i], peaked[i], hz) for hz in range(1500, 6000, 250)) for i in range(8)]
    lowest = [response_db(flat[i], peaked[i], 250) for i in range(8)]
    assert all(6.0 < high - low < 8.5 for high, low in zip(loudest, lowest, strict=True))
    some = augmenter(microphone_probability=0.5)(audio, seeded()).audio
    assert 0 < int((some != audio).any(dim=1).sum()) < 8


def test_band_limit_is_steep_and_per_clip() -> None:
    audio = noise().repeat(10, 1)
    limits = {"band_low_hz": (400.0, 400.0), "band_high_hz": (3000.0, 3000.0)}
    result = augmenter(band_probability=1.0, **limits)(audio, seeded()).audio
    middle = response_db(audio[0], result[0], 1200)
    assert response_db(audio[0], result[0], 200) - middle == pytest.approx(-24.1, abs=1.5)
    assert response_db(audio[0], result[0], 6500) - middle < -30
    assert response_db(audio[0], result[0], 400) - middle == pytest.approx(-3.0, abs=0.8)
    drawn = augmenter(band_probability=0.6)(audio, seeded()).audio
    changed = [row for row in drawn if not torch.equal(row, audio[0])]
    assert 2 < len(changed) < 10
    assert len({round(response_db(audio[0], row, 4000), 1) for row in changed}) > 1


def test_filters_do_not_move_a_click_nor_wrap() -> None:
    audio = torch.zeros(2, 8001)
    audio[:, 8000] = 0.5
    power = band_power(torch.tensor([50.0, 300.0]), torch.tensor([7000.0, 3400.0]), order=4)
    result = filtered(audio, power)
    assert result.abs().argmax(dim=1).tolist() == [8000, 8000]
    assert float(result[:, :4000].abs().max()) < 1e-4


def test_the_noise_goes_through_the_microphone_as_well() -> None:
    limits = {"band_probability": 1.0, "band_low_hz": (20.0, 20.0), "band_high_hz": (2000.0, 2000.0)}
    result = augmenter(noise_bank(), noise_probability=1.0, noise_snr_db=(0.0, 0.0), **limits)(words(2), seeded()).audio
    power = torch.fft.rfft(result).abs().square()
    assert float(power[:, 12000:].sum() / power.sum()) < 1e-3
