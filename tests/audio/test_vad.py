"""Bounds of the one word of a clip."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from wakeword.audio.vad import word_bounds
from wakeword.errors import DataError


def clip(floor: float, *parts: tuple[float, float, float], length_s: float = 2.0) -> np.ndarray:
    """Noise floor with bursts (start_s, end_s, level)."""
    draw = np.random.default_rng(0)
    audio = floor * draw.standard_normal(int(16000 * length_s))
    for start, end, level in parts:
        span = slice(int(start * 16000), int(end * 16000))
        audio[span] += level * draw.standard_normal(span.stop - span.start)
    return audio.astype(np.float32)


@pytest.mark.parametrize("floor", [0.0, 1e-4, 3e-3, 0.015])
def test_word_over_any_floor(floor: float) -> None:
    start, end = word_bounds(clip(floor, (0.7, 1.2, 0.1)), 16000)
    assert abs(start - 0.7) < 0.05
    assert abs(end - 1.2) < 0.05


def test_pause_inside_the_phrase_is_bridged_and_breath_and_click_are_not() -> None:
    audio = clip(1e-3, (0.1, 0.4, 0.004), (0.8, 1.0, 0.1), (1.18, 1.5, 0.1))
    audio[4000:4030] = 0.9
    start, end = word_bounds(audio, 16000)
    assert abs(start - 0.8) < 0.05
    assert abs(end - 1.5) < 0.05


def test_padding_with_zeros_is_no_noise_floor() -> None:
    audio = clip(3e-3, (0.5, 0.9, 0.1))
    audio[int(1.3 * 16000) :] = 0.0
    start, end = word_bounds(audio, 16000)
    assert abs(start - 0.5) < 0.05
    assert abs(end - 0.9) < 0.05


def test_other_sample_rates() -> None:
    start, end = word_bounds(clip(1e-3, (0.7, 1.2, 0.1)), 8000)
    assert abs(start - 1.4) < 0.05
    assert abs(end - 2.4) < 0.05


@pytest.mark.parametrize(("audio", "reason"), [(np.zeros(16000), "silent"), (np.zeros(100), "too short")])
def test_nothing_to_find_is_an_error(audio: np.ndarray, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        word_bounds(audio, 16000)


def test_real_words_have_plausible_bounds(recordings) -> None:  # type: ignore[no-untyped-def]
    import soundfile

    with (recordings / "manifest.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] in ("computer", "jarvis", "alexa")]
    rows = [row for row in rows if row["kind"] == "wakeword"][::4]
    lengths, sound_kept = [], []
    for row in rows:
        audio, rate = soundfile.read(recordings / row["path"], dtype="float32")
        start, end = word_bounds(audio, rate)
        assert 0 <= start < end <= len(audio) / rate
        lengths.append(end - start)
        sound_kept.append(float((audio[int(start * rate) : int(end * rate)] ** 2).sum() / (audio**2).sum()))
    plausible = [0.25 <= length <= 1.3 for length in lengths]
    assert len(rows) > 150
    assert sum(plausible) / len(plausible) >= 0.95
    assert float(np.median(sound_kept)) > 0.9
