"""Clips of cut words: room tone instead of digital silence, levels matched, no clicks, places known."""

from __future__ import annotations

import numpy as np
import pytest

from wakeword.data.cutting.joining import MARGIN_S, join_parts, matched_gains, room_tone

RATE_HZ = 16_000


def rms_db(audio: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.asarray(audio, np.float64) ** 2)))


def recording(seed: int, tone: float = 0.2, noise: float = 2e-3) -> np.ndarray:
    """A second of 440 Hz between two seconds of noise that falls with frequency."""
    chance = np.random.default_rng(seed)
    white = chance.standard_normal(3 * RATE_HZ + 3)
    low = sum(white[i : i + 3 * RATE_HZ] for i in range(4)) / 2
    sound = np.zeros(3 * RATE_HZ)
    sound[RATE_HZ : 2 * RATE_HZ] = tone * np.sin(2 * np.pi * 440 * np.arange(RATE_HZ) / RATE_HZ)
    return (sound + noise * low).astype(np.float32)


def test_room_tone_has_the_level_and_the_colour_of_the_pauses() -> None:
    audio = recording(0)
    tone = room_tone(audio, 3 * RATE_HZ, 1)
    pauses = np.concatenate([audio[:RATE_HZ], audio[2 * RATE_HZ :]])
    # The quietest tenth of the frames lies a little below the mean of all.
    assert rms_db(pauses) - 2 < rms_db(tone) < rms_db(pauses) + 0.5

    def treble_db(x: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(x)) ** 2
        return float(10 * np.log10(power[len(power) // 2 :].mean() / power[: len(power) // 4].mean()))

    assert treble_db(tone) == pytest.approx(treble_db(pauses), abs=2)
    # No loop: it is like itself at no lag.
    short = tone[:RATE_HZ].astype(np.float64)
    likeness = np.correlate(tone[2 * RATE_HZ :].astype(np.float64), short[: RATE_HZ // 4], "valid")
    assert np.abs(likeness).max() < 0.5 * (short[: RATE_HZ // 4] ** 2).sum()
    assert np.array_equal(tone, room_tone(audio, 3 * RATE_HZ, 1))
    assert not np.array_equal(tone, room_tone(audio, 3 * RATE_HZ, 2))


@pytest.mark.parametrize("audio", [np.zeros(RATE_HZ, np.float32), np.zeros(10, np.float32)])
def test_where_there_is_only_digital_silence_a_faint_noise_stands(audio: np.ndarray) -> None:
    tone = room_tone(audio, RATE_HZ, 0)
    assert rms_db(tone) == pytest.approx(-75, abs=1)


def test_words_are_laid_at_their_places_with_the_pause_between() -> None:
    audio = recording(0)
    clip = join_parts([(audio, 1.0, 1.3), (audio, 1.5, 1.9)], [1.0, 1.0], [0.1], 5)
    assert len(clip) / RATE_HZ == pytest.approx(2 * MARGIN_S + 0.3 + 0.1 + 0.4, abs=1e-4)

    def level(from_s: float, to_s: float) -> float:
        return rms_db(clip[round(from_s * RATE_HZ) : round(to_s * RATE_HZ)])

    assert level(0.21, 0.49) == pytest.approx(level(0.61, 0.99), abs=0.2)
    for pause in ((0.0, 0.19), (0.51, 0.59), (1.01, 1.2)):
        assert -60 < level(*pause) < level(0.21, 0.49) - 30
    # Nowhere two samples of digital silence in a row, nowhere a click.
    assert not np.any((clip[1:] == 0) & (clip[:-1] == 0))
    assert np.abs(np.diff(clip)).max() < 1.3 * np.abs(np.diff(audio)).max()


def test_levels_are_matched_by_so_much_and_no_more() -> None:
    gains = matched_gains([-20.0, -26.0, -23.0])
    assert gains is not None
    assert [-20 + 20 * np.log10(gains[0]), -26 + 20 * np.log10(gains[1])] == pytest.approx([-23, -23])
    assert matched_gains([-20.0, -40.0]) is None
    loud, faint = recording(0), recording(1, tone=0.1, noise=1e-3)
    matched = matched_gains([-17.0, -23.0])
    assert matched is not None
    clip = join_parts([(loud, 1.0, 1.3), (faint, 1.0, 1.3)], matched, [0.0], 5)
    assert rms_db(clip[3400:7800]) == pytest.approx(rms_db(clip[8200:12600]), abs=0.3)


def test_a_clip_never_clips_and_an_end_of_the_recording_is_no_fault() -> None:
    audio = np.full(RATE_HZ, 0.9, np.float32)
    clip = join_parts([(audio, 0.0, 1.0)], [2.0], [], 0)
    assert np.abs(clip).max() == pytest.approx(0.98, abs=1e-4)
