"""Levels of speech and of what lies between it, on signals whose levels are known."""

from __future__ import annotations

import numpy as np
import pytest

from wakeword.audio.loudness import speech_levels

RATE = 16_000


def spoken(snr_db: float, offset: float = 0.0, pause_s: float = 0.4) -> np.ndarray:
    """Tones of 0.1 RMS (-20 dBFS) between pauses, in white noise."""
    draw = np.random.default_rng(3)
    quiet = np.zeros(round(pause_s * RATE))
    time = np.arange(round(0.5 * RATE)) / RATE
    audio = np.concatenate([quiet, 0.1 * np.sqrt(2) * np.sin(2 * np.pi * 300 * time), quiet])
    noise = 0.1 * 10 ** (-snr_db / 20) * draw.standard_normal(len(audio))
    return (audio + noise + offset).astype(np.float32)


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0, 40.0])
def test_the_ratio_of_a_steady_tone_in_noise_is_found(snr_db: float) -> None:
    levels = speech_levels(spoken(snr_db), RATE)
    assert levels.snr_db == pytest.approx(snr_db, abs=1.5)
    assert levels.loudness_db == pytest.approx(10 * np.log10(1e-2 * (1 + 10 ** (-snr_db / 10))), abs=0.7)
    assert (levels.start_s, levels.end_s) == pytest.approx((0.4, 0.9), abs=0.03)


def test_an_offset_does_not_count() -> None:
    plain, moved = speech_levels(spoken(20.0), RATE), speech_levels(spoken(20.0, offset=0.3), RATE)
    assert moved.snr_db == pytest.approx(plain.snr_db, abs=0.1)
    assert moved.loudness_db == pytest.approx(plain.loudness_db, abs=0.1)


def test_where_there_is_no_pause_nothing_is_claimed() -> None:
    draw = np.random.default_rng(1)
    # Syllables without a pause longer than a stop, from the first sample to the last.
    time = np.arange(RATE) / RATE
    voice = 0.3 * np.sin(2 * np.pi * 200 * time) * np.abs(np.sin(2 * np.pi * 3 * time))
    assert speech_levels(voice, RATE).snr_db is None
    # Digital silence around a word is padding, no room.
    padded = np.concatenate([np.zeros(8000), 0.1 * draw.standard_normal(4000), np.zeros(8000)])
    levels = speech_levels(padded, RATE)
    assert levels.snr_db is None
    assert levels.loudness_db == pytest.approx(-20.0, abs=0.7)
    for nothing in (np.zeros(16_000), np.zeros(0), np.ones(100)):
        assert speech_levels(nothing, RATE).loudness_db is None
