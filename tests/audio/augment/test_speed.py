"""Tempo without pitch, pitch without tempo, measured on tones and clicks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.audio.augment.sounds import RATE, augmenter, peak_hz, seeded, tones
from wakeword.audio.augment.lengths import padded_length
from wakeword.audio.augment.levels import active_power
from wakeword.audio.augment.speed import change_tempo, stretch


def burst(at: int, batch: int = 1, samples: int = 2 * RATE) -> Tensor:
    """An 800 Hz tone of 50 ms around a sample."""
    time = torch.arange(samples) - at
    shape = torch.exp(-((time / 400.0) ** 2))
    return (0.5 * shape * torch.sin(2 * torch.pi * 800 * time / RATE)).repeat(batch, 1)


def middle(audio: Tensor) -> Tensor:
    """Centre of each clip's energy in samples: `(batch,)`."""
    power = audio.square()
    return (power * torch.arange(audio.shape[1])).sum(dim=1) / power.sum(dim=1)


def test_tempo_keeps_the_pitch_and_is_drawn_per_clip() -> None:
    result = augmenter(tempo_probability=0.7, tempo=(0.85, 1.2))(tones(16), seeded())
    for row in result.audio:
        assert abs(peak_hz(row[:24000]) - 440.0) < 0.3
    changed = result.speed[result.speed != 1.0]
    assert 6 < len(changed) < 16
    assert len(changed.unique()) == len(changed)
    assert float(result.speed.min()) >= 0.85
    assert float(result.speed.max()) <= 1.2
    slow = augmenter(tempo_probability=1.0, tempo=(0.7, 0.7))(tones(1), seeded())
    assert slow.speed.tolist() == pytest.approx([0.7])


@pytest.mark.parametrize("tempo", [0.8, 1.25])
@pytest.mark.parametrize("anchor", [0, 20000])
def test_tempo_says_where_the_word_went(tempo: float, anchor: int) -> None:
    audio = burst(16000)
    transform = augmenter(tempo_probability=1.0, tempo=(tempo, tempo))
    result = transform(audio, seeded(), torch.tensor([anchor]))
    expected = float(result.moved(torch.tensor([16000.0])))
    assert expected == pytest.approx(anchor + (16000 - anchor) / tempo, abs=0.5)
    # A vocoder smears a burst over its window, a little more to one side.
    assert abs(float(middle(result.audio)) - expected) < 96


@pytest.mark.parametrize("semitones", [-4.0, 3.0, 12.0])
def test_pitch_moves_440_hz_and_keeps_the_tempo(semitones: float) -> None:
    transform = augmenter(pitch_probability=1.0, pitch_semitones=(semitones, semitones))
    result = transform(tones(2), seeded())
    wanted_hz = 440 * 2 ** (semitones / 12)
    assert peak_hz(result.audio[1, 4000:28000]) == pytest.approx(wanted_hz, rel=2e-3)
    assert result.speed.tolist() == [1.0, 1.0]
    moved = middle(transform(burst(16000), seeded(), torch.tensor([4000])).audio)
    assert abs(float(moved) - 16000) < 96


def test_pitch_is_drawn_per_clip() -> None:
    result = augmenter(pitch_probability=0.6, pitch_semitones=(-3.0, 3.0))(tones(12), seeded()).audio
    found = [peak_hz(row[4000:28000]) for row in result]
    moved = [hz for hz in found if abs(hz - 440.0) > 0.2]
    assert 3 < len(moved) < 12
    assert len({round(hz, 1) for hz in moved}) == len(moved)


def test_speed_tempo_and_pitch_at_once_multiply() -> None:
    transform = augmenter(
        speed_probability=1.0,
        speed=(1.1, 1.1),
        tempo_probability=1.0,
        tempo=(0.9, 0.9),
        pitch_probability=1.0,
        pitch_semitones=(2.0, 2.0),
    )
    result = transform(tones(1), seeded())
    assert float(result.speed) == pytest.approx(0.99, rel=1e-5)
    assert peak_hz(result.audio[0, 4000:28000]) == pytest.approx(440 * 1.1 * 2 ** (2 / 12), rel=2e-3)
    moved = transform(burst(16000), seeded(), torch.tensor([8000]))
    assert abs(float(middle(moved.audio) - moved.moved(torch.tensor([16000.0])))) < 96


def test_level_stays() -> None:
    audio = 0.1 * torch.randn(4, 2 * RATE, generator=seeded(1))
    tempo, pitch = torch.tensor([0.85, 1.1, 1.0, 1.15]), torch.tensor([1.0, 0.9, 1.12, 1.12])
    result, applied = change_tempo(audio, tempo, pitch, torch.full((4,), 16000.0), 1.2)
    assert (applied / pitch - 1).abs().max() < 2e-3
    assert (10 * torch.log10(active_power(result) / active_power(audio))).abs().max() < 0.2


def test_unchanged_tempo_is_the_identity_inside() -> None:
    audio = 0.1 * torch.randn(2, 9001, generator=seeded(1))
    one, zero = torch.ones(2), torch.zeros(2)
    torch.testing.assert_close(stretch(audio, one, zero, zero, 9001)[:, 600:8400], audio[:, 600:8400])


def test_a_clip_sounds_the_same_in_any_batch() -> None:
    audio = 0.1 * torch.randn(3, 16001, generator=seeded(2))
    tempo, pitch = torch.tensor([0.9, 1.0, 1.2]), torch.tensor([1.1, 0.95, 1.0])
    anchor = torch.tensor([0.0, 8000.0, 16000.0])
    together, _ = change_tempo(audio, tempo, pitch, anchor, 1.3)
    assert together.shape == audio.shape
    for row in range(3):
        one = slice(row, row + 1)
        alone, _ = change_tempo(audio[one], tempo[one], pitch[one], anchor[one], 1.3)
        torch.testing.assert_close(alone[0], together[row], atol=1e-4, rtol=1e-4)


def test_padded_lengths_are_the_next_multiples_of_64_with_small_factors() -> None:
    for samples in (1, 64, 65, 33_024, 46_464, 50_000):
        length = padded_length(samples)
        assert samples <= length <= 1.2 * samples + 64
        assert length % 64 == 0
        for prime in (2, 3, 5, 7):
            while length % prime == 0:
                length //= prime
        assert length == 1
    assert [padded_length(n) for n in (33_024, 46_464)] == [33_600, 46_656]
