"""Pitch of made vowels with a known period, of what has none, and of real voices."""

from __future__ import annotations

import csv
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from wakeword.audio.pitch import HIGHEST_HZ, LOWEST_HZ, median_pitch_hz
from wakeword.errors import DataError

FORMANTS = ((700.0, 80.0), (1200.0, 100.0), (2600.0, 150.0))


def pulses(pitch_hz: float, rate_hz: int, length_s: float = 1.0) -> np.ndarray:
    """One pulse a period; a pulse between two samples is shared between them."""
    train = np.zeros(int(rate_hz * length_s) + 1)
    place = np.arange(0, len(train) - 1, rate_hz / pitch_hz)
    np.add.at(train, place.astype(int), 1 - place % 1)
    np.add.at(train, place.astype(int) + 1, place % 1)
    return train


def vowel(pitch_hz: float, rate_hz: int, snr_db: float, length_s: float = 1.0) -> np.ndarray:
    """Pulses through the formants of an /a/, with white noise."""
    sound = pulses(pitch_hz, rate_hz, length_s)
    for centre, width in FORMANTS:
        if centre < rate_hz / 2:
            radius = np.exp(-np.pi * width / rate_hz)
            sound = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * centre / rate_hz), radius**2], sound)
    sound /= np.sqrt(np.mean(sound**2))
    return sound + 10 ** (-snr_db / 20) * np.random.default_rng(0).standard_normal(len(sound))


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
@pytest.mark.parametrize("pitch_hz", [75.0, 120.0, 165.0, 220.0, 330.0, 440.0])
@pytest.mark.parametrize("snr_db", [30.0, 10.0, 5.0])
def test_vowel_with_noise_within_3_percent(rate_hz: int, pitch_hz: float, snr_db: float) -> None:
    assert median_pitch_hz(vowel(pitch_hz, rate_hz, snr_db), rate_hz) == pytest.approx(pitch_hz, rel=0.03)


@pytest.mark.parametrize("pitch_hz", [120.0, 220.0])
def test_pulse_train_and_quiet_around_it(pitch_hz: float) -> None:
    noise = 0.003 * np.random.default_rng(1).standard_normal(48000)
    noise[16000:24000] += pulses(pitch_hz, 16000, 0.5)[:8000]
    assert median_pitch_hz(noise, 16000) == pytest.approx(pitch_hz, rel=0.03)


@given(
    pitch_hz=st.floats(LOWEST_HZ * 1.15, HIGHEST_HZ * 0.9),
    level=st.sampled_from([1e-4, 1.0, 3e4]),
    seed=st.integers(0, 9),
)
@settings(max_examples=40, deadline=None)
def test_any_pitch_at_any_level(pitch_hz: float, level: float, seed: int) -> None:
    sound = vowel(pitch_hz, 16000, 15.0, 0.4) + 0.01 * np.random.default_rng(seed).standard_normal(6401)
    assert median_pitch_hz(level * sound, 16000) == pytest.approx(pitch_hz, rel=0.03)


def test_hum_of_the_mains_under_a_voice_is_not_the_voice() -> None:
    time_s = np.arange(3 * 16000) / 16000
    sound = 0.01 * sum(np.sin(2 * np.pi * 50 * k * time_s) / k for k in range(1, 6))
    sound[16000:28000] += 0.1 * vowel(210.0, 16000, 30.0)[:12000]
    assert median_pitch_hz(sound, 16000) == pytest.approx(210.0, rel=0.03)


def test_nothing_voiced_is_none() -> None:
    noise = np.random.default_rng(0).standard_normal(5 * 16000)
    assert median_pitch_hz(noise, 16000) is None
    assert median_pitch_hz(np.zeros(16000), 16000) is None
    assert median_pitch_hz(np.zeros(0), 16000) is None
    assert median_pitch_hz(vowel(120.0, 16000, 30.0)[:500], 16000) is None
    click = np.zeros(16000)
    click[8000:8020] = 1.0
    assert median_pitch_hz(click, 16000) is None


def test_integer_samples_and_long_clips_are_fine() -> None:
    sound = vowel(150.0, 16000, 20.0, 12.0)
    whole = (sound / np.abs(sound).max() * 20000).astype(np.int16)
    assert median_pitch_hz(whole, 16000) == pytest.approx(150.0, rel=0.03)
    assert median_pitch_hz(np.tile(sound, 20), 16000) == pytest.approx(150.0, rel=0.03)


@pytest.mark.parametrize(
    ("samples", "rate_hz", "reason"),
    [
        (np.zeros((2, 16000)), 16000, "finite samples of shape"),
        (np.full(16000, np.nan), 16000, "finite"),
        (np.zeros(16000), 2000, "resample"),
    ],
)
def test_what_cannot_be_meant_is_refused(samples: np.ndarray, rate_hz: int, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        median_pitch_hz(samples, rate_hz)


def test_real_voices_lie_where_voices_lie(recordings) -> None:  # type: ignore[no-untyped-def]
    """Octave errors would put men at 60 or 230 Hz and women at 100 or 400; only a bound, no truth is known."""
    import soundfile

    with (recordings / "manifest.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["gender"] in ("male", "female")]
    found: dict[str, list[float]] = {"male": [], "female": []}
    cost_s = audio_s = 0.0
    for row in rows:
        samples, rate_hz = soundfile.read(recordings / row["path"], dtype="float32")
        start = time.process_time()
        pitch_hz = median_pitch_hz(samples, rate_hz)
        cost_s += time.process_time() - start
        audio_s += len(samples) / rate_hz
        found[row["gender"]].append(math.nan if pitch_hz is None else pitch_hz)
    men, women = np.asarray(found["male"]), np.asarray(found["female"])
    assert len(men) > 100
    assert len(women) > 30
    assert np.mean((men > 75) & (men < 200)) >= 0.95
    assert np.mean((women > 130) & (women < 300)) >= 0.95
    # 165 Hz parts them well (where `evaluation.slices` cuts), though voices overlap.
    assert np.mean(men < 165) > 0.8
    assert np.mean(women > 165) > 0.8
    assert cost_s / audio_s < 0.03  # 4 ms per second of audio when the processor is free
