"""Sounds and banks for the tests of augmentation."""

from __future__ import annotations

import torch
from torch import Tensor

from wakeword.audio.augment import Augmenter, Bank
from wakeword.config.augmentation import AugmentationConfig

OFF = {
    "gain_db": (0.0, 0.0),
    "noise_probability": 0.0,
    "rir_probability": 0.0,
    "floor_dbfs": None,
    "speed_probability": 0.0,
    "vtlp_probability": 0.0,
    "spec_probability": 0.0,
}
RATE = 16000


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def augmenter(
    noises: Bank | None = None,
    rirs: Bank | None = None,
    music: Bank | None = None,
    speech: Bank | None = None,
    **changes: object,
) -> Augmenter:
    """An augmenter with only the transforms of `changes`."""
    config = AugmentationConfig.model_validate({**OFF, **changes})
    return Augmenter(config, noises, rirs, music=music, speech=speech)


def tones(batch: int, frequency_hz: float = 440.0, samples: int = 2 * RATE) -> Tensor:
    return 0.2 * torch.sin(2 * torch.pi * frequency_hz * torch.arange(samples) / RATE).repeat(batch, 1)


def words(batch: int) -> Tensor:
    """Half a second of noise between silences."""
    audio = torch.zeros(batch, 2 * RATE)
    audio[:, 10000:18000] = 0.1 * torch.randn(batch, 8000, generator=seeded(5))
    return audio


def noise_bank() -> Bank:
    return Bank.of([(8000 * torch.rand(length, generator=seeded(length)) - 4000).short() for length in (9000, 50000)])


def peak_hz(audio: Tensor) -> float:
    spectrum = torch.fft.rfft(audio * torch.hann_window(len(audio)), 16 * len(audio)).abs()
    return float(spectrum.argmax()) * RATE / (16 * len(audio))


def speech_bank() -> Bank:
    """Three "voices": pulsed harmonics of a pitch of their own, with pauses."""
    time_s = torch.arange(5 * RATE) / RATE
    voices = []
    for pitch_hz in (110.0, 170.0, 230.0):
        tone = sum(torch.sin(2 * torch.pi * pitch_hz * k * time_s) / k for k in range(1, 12))
        voices.append((3000 * tone * (torch.sin(2 * torch.pi * 3 * time_s) > -0.5)).short())
    return Bank.of(voices)


def music_bank() -> Bank:
    """One chord."""
    time_s = torch.arange(4 * RATE) / RATE
    chord = sum(torch.sin(2 * torch.pi * f * time_s) for f in (261.6, 329.6, 392.0))
    return Bank.of([(4000 * chord).short()])


def echo_bank() -> Bank:
    """Direct sound after 500 samples, a stronger late echo in the second room."""
    rirs = []
    for echo in (0.5, 1.3):
        response = torch.zeros(6000)
        response[500], response[2900] = 0.6, 0.6 * echo
        rirs.append(response)
    return Bank.of(rirs)
