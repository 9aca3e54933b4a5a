"""Codecs: the laws against the standard library's, the telephone band, fewer bits and more noise."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.audio.augment.sounds import RATE, augmenter, peak_hz, seeded, tones
from wakeword.audio.augment.codecs import BLOCK, EDGES, a_law, low_rate, mu_law, telephone
from wakeword.evaluation.tracks.codecs import through_codec

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop


def snr_db(clean: Tensor, coded: Tensor) -> float:
    return 10 * math.log10(float(clean.square().sum() / (coded - clean).square().sum()))


def pinkish(batch: int = 1, samples: int = 2 * RATE) -> Tensor:
    """Noise with the slope of speech."""
    spectrum = torch.fft.rfft(torch.randn(batch, samples, generator=seeded(3)))
    spectrum = spectrum / torch.fft.rfftfreq(samples, 1 / RATE).clamp(min=200.0)
    audio = torch.fft.irfft(spectrum, samples)
    return 0.1 * audio / audio.std(dim=1, keepdim=True)


def every_sample() -> np.ndarray:
    return np.arange(-32768, 32768, dtype=np.int16)


def test_mu_law_is_that_of_the_standard_library() -> None:
    samples = every_sample()
    coded = audioop.ulaw2lin(audioop.lin2ulaw(samples.tobytes(), 2), 2)
    wanted = np.frombuffer(coded, dtype=np.int16).astype(np.float64)
    ours = mu_law(torch.from_numpy(samples).float()[None] / 32768)[0].double().numpy() * 32768
    # The library drops two bits first, which at the borders of steps is a step of the law.
    assert np.mean(np.abs(ours - wanted) < 0.5) > 0.98
    assert np.max(np.abs(ours - wanted) / (np.abs(wanted) + 132)) < 0.07


def test_a_law_is_that_of_the_standard_library() -> None:
    samples = every_sample()
    coded = audioop.alaw2lin(audioop.lin2alaw(samples.tobytes(), 2), 2)
    wanted = np.frombuffer(coded, dtype=np.int16).astype(np.float64)
    ours = a_law(torch.from_numpy(samples).float()[None] / 32768)[0].double().numpy() * 32768
    assert np.mean(np.abs(ours - wanted) < 0.5) > 0.98
    assert np.max(np.abs(ours - wanted) / (np.abs(wanted) + 132)) < 0.13


@pytest.mark.parametrize("law", [mu_law, a_law])
def test_companding_keeps_its_ratio_over_40_db(law: Callable[[Tensor], Tensor]) -> None:
    ratios = [snr_db(tones(1) * scale, law(tones(1) * scale)) for scale in (4.0, 0.4, 0.04)]
    assert all(32 < ratio < 39 for ratio in ratios)


@pytest.mark.parametrize("law", [mu_law, a_law])
def test_telephone_keeps_300_to_3400_hz_in_its_place(law: Callable[[Tensor], Tensor]) -> None:
    for hz, least_db, most_db in (
        (1000, -0.2, 0.2),
        (300, -0.2, 0.2),
        (250, -6.5, -5.5),
        (3400, -0.3, 0.2),
        (3450, -6.5, -5.5),
    ):
        line = telephone(tones(1, float(hz)), law)
        level_db = 20 * math.log10(float(line[0, 4000:28000].std() / tones(1)[0, 4000:28000].std()))
        assert least_db < level_db < most_db, hz
    for hz in (100, 5000):
        # What is left is the quantiser's answer to silence.
        assert float(telephone(tones(1, float(hz)), law)[0, 4000:28000].abs().max()) < 0.002, hz
    line = telephone(tones(1, 1000.0), law)
    assert peak_hz(line[0]) == pytest.approx(1000, abs=0.3)
    assert snr_db(tones(1, 1000.0)[:, 4000:28000], line[:, 4000:28000]) > 25


def test_training_and_evaluation_hear_one_telephone() -> None:
    """The batched line against a real A-law codec and soxr: they differ by less than the codec's own noise."""
    audio = pinkish()
    trained, evaluated = telephone(audio, a_law)[0], torch.from_numpy(through_codec(audio[0].numpy(), "telephone"))
    inner = slice(4000, -4000)
    assert snr_db(evaluated[inner], trained[inner]) > 28
    without_codec = telephone(audio, lambda narrow: narrow)[0]
    assert snr_db(without_codec[inner], trained[inner]) == pytest.approx(
        snr_db(without_codec[inner], evaluated[inner]), abs=1.5
    )


def test_fewer_bits_make_more_noise_and_holes() -> None:
    audio = pinkish()
    ratios = [snr_db(audio, low_rate(audio, torch.tensor([kbps]))) for kbps in (6.0, 12.0, 24.0, 64.0, 128.0)]
    assert ratios == sorted(ratios)
    assert ratios[0] < 15
    # The ideal quantiser gains 6 dB a bit and coefficient; 64 kbps more are 4 bits more.
    assert ratios[4] - ratios[3] == pytest.approx(24.1, abs=2.5)
    spectrum = torch.fft.rfft(low_rate(audio, torch.tensor([6.0]))).abs().square()
    before = torch.fft.rfft(audio).abs().square()
    assert float(spectrum[:, 12000:].sum() / before[:, 12000:].sum()) < 0.02
    assert float(spectrum[:, 400:1000].sum() / before[:, 400:1000].sum()) > 0.7


def test_low_rate_needs_about_the_bits_that_were_asked_for() -> None:
    """Entropy of the quantised coefficients of the whole clip."""
    audio = pinkish(samples=20 * RATE)
    coded = low_rate(audio, torch.tensor([24.0]))
    power = torch.fft.rfft(audio).abs().square()[0]
    error = torch.fft.rfft(coded - audio).abs().square()[0]
    edges = [round(edge * (len(power) - 1) / BLOCK) for edge in EDGES]
    bits = 0.0
    for low, high in itertools.pairwise(edges):
        ratio = float(power[low:high].sum() / error[low:high].sum())
        bits += (high - low) * max(0.0, 0.5 * math.log2(ratio))
    # A complex bin is two coefficients.
    assert 2 * bits / 20 / 1000 == pytest.approx(24.0, rel=0.15)


def test_without_loss_of_bits_the_transform_is_the_identity() -> None:
    audio = pinkish(2, 16001)
    coded = low_rate(audio, torch.tensor([1e5, 1e5]))
    assert coded.shape == audio.shape
    assert snr_db(audio, coded) > 80


def test_codecs_are_drawn_per_clip() -> None:
    audio = pinkish().repeat(40, 1)
    result = augmenter(codec_probability=0.8)(audio, seeded()).audio
    changed = result[(result != audio).any(dim=1)]
    assert 24 < len(changed) < 40
    exact = [
        law(audio[:1])[0] for law in (mu_law, a_law, lambda x: telephone(x, mu_law), lambda x: telephone(x, a_law))
    ]
    # Measured: in a batch of another size, 0.04 % of the samples lie on the edge of a step and fall the other way.
    counts = [sum(bool(((row - one).abs() < 1e-4).float().mean() > 0.999) for row in changed) for one in exact]
    assert all(count > 0 for count in counts)
    rest = len(changed) - sum(counts)
    assert rest > 0
    one = augmenter(codec_probability=1.0, codecs=("a_law",))(audio, seeded()).audio
    torch.testing.assert_close(one[0], exact[1])
    low, high = (
        augmenter(codec_probability=1.0, codecs=("low_rate",), codec_kbps=(kbps, kbps + 1))(audio, seeded()).audio
        for kbps in (6.0, 48.0)
    )
    assert snr_db(audio, high) > snr_db(audio, low) + 6
    assert len({float(row.square().sum()) for row in low}) > 30
