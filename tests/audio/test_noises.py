"""Synthesised noises."""

from __future__ import annotations

import numpy as np
import pytest

from wakeword.audio.noises import babble, band_noise, hum, synthesise_noises, tones
from wakeword.errors import DataError


def speech() -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [(0.1 * draw.standard_normal(length)).astype(np.float32) for length in (6000, 9000, 20000)]


def test_noises_are_seeded_and_levelled() -> None:
    noises = synthesise_noises(12, seed=1, duration_s=1.5, speech=speech())
    for noise in noises:
        assert noise.shape == (24000,)
        assert noise.dtype == np.float32
        assert np.abs(noise).max() <= 0.99 + 1e-6
        assert -41 < 20 * np.log10(noise.std()) < -19.9
    again = synthesise_noises(3, seed=1, duration_s=1.5, speech=speech())
    assert all(np.array_equal(first, second) for first, second in zip(again, noises, strict=False))
    assert not np.array_equal(synthesise_noises(1, seed=2, duration_s=1.5)[0], noises[0])


def test_kinds_differ_in_colour() -> None:
    white, pink, brown = (np.abs(np.fft.rfft(noise)) ** 2 for noise in synthesise_noises(3, 0, 4.0))
    fall_db = [10 * np.log10(p[800:1600].mean() / p[12800:25600].mean()) for p in (white, pink, brown)]
    np.testing.assert_allclose(fall_db, [0.0, 12.04, 24.08], atol=0.8)


def test_hum_is_harmonics_of_the_mains() -> None:
    power = np.abs(np.fft.rfft(hum(64000, np.random.default_rng(2)))) ** 2
    frequency = np.fft.rfftfreq(64000, 1 / 16000)
    assert min(abs(frequency[power.argmax()] - base * k) for base in (50, 60) for k in range(1, 4)) < 0.7


def test_band_noise_stays_in_a_band() -> None:
    power = np.abs(np.fft.rfft(band_noise(64000, np.random.default_rng(2)))) ** 2
    audible = np.flatnonzero(power > 1e-3 * power.max()) / 4
    assert audible.max() / audible.min() < 2**3.2


def test_babble_holds_several_voices_without_pauses() -> None:
    pulse = np.zeros(4000, dtype=np.float32)
    pulse[:1000] = np.sin(np.arange(1000))
    mix = babble([pulse], 32000, np.random.default_rng(1))
    assert (np.abs(mix.reshape(-1, 4000)).max(axis=1) > 0).all()
    assert (np.abs(mix) > 1e-6).mean() > 0.5


def test_tones_are_notes_of_one_scale_with_rests() -> None:
    mix = tones(16000 * 8, np.random.default_rng(3))
    power = np.abs(np.fft.rfft(mix * np.hanning(len(mix)))) ** 2
    # A few lines hold the power, as of notes, and not of noise.
    assert np.sort(power)[::-1][: len(power) // 50].sum() > 0.9 * power.sum()
    level = np.abs(mix.reshape(-1, 800)).max(axis=1)
    assert level.min() < 0.1 * level.max()
    assert not np.array_equal(mix, tones(16000 * 8, np.random.default_rng(4)))


def test_kinds_are_made_in_their_order() -> None:
    only = synthesise_noises(2, 0, 1.0, speech(), kinds=("tones", "hum"))
    again = [synthesise_noises(2, 0, 1.0, kinds=(kind,) * 2)[place] for place, kind in enumerate(("tones", "hum"))]
    assert all(np.array_equal(first, second) for first, second in zip(only, again, strict=True))
    with pytest.raises(DataError, match="babble need speech"):
        synthesise_noises(1, 0, 1.0, kinds=("babble",))


def test_too_short_a_noise_is_refused() -> None:
    with pytest.raises(DataError, match=r"0\.1 s"):
        synthesise_noises(1, 0, 0.01)
