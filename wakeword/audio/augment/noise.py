"""Generated noise: coloured, white, and babble from speech."""

from __future__ import annotations

import torch
from torch import Tensor

from wakeword.audio.augment.bank import Bank
from wakeword.audio.augment.draws import below, places, uniform
from wakeword.audio.augment.lengths import fast_length
from wakeword.audio.augment.levels import QUIETEST_NOISE, active_power, decibel
from wakeword.audio.augment.pieces import in_bucket
from wakeword.audio.noises import FLAT_BELOW_HZ, TALKER_DB, coloured_gain
from wakeword.config.frontend import SAMPLE_RATE_HZ

Voice = tuple[Tensor, Tensor, Tensor]
"""Clip, first sample and level of one voice of each mix: `(mixes,)` each."""


def coloured_draws(count: int, samples: int, generator: torch.Generator) -> Tensor:
    """White noise for `coloured`: `(count, fast_length(samples))`."""
    return torch.randn(count, fast_length(samples), generator=generator)


def coloured(white: Tensor, slope: Tensor, samples: int) -> Tensor:
    """Noise `(batch, samples)` of power 1 whose spectrum falls as f ** -slope (0 white, 1 pink, 2 brown), no DC.

    Args:
        white: of `coloured_draws`.
        slope: `(batch,)`.
    """
    count, length = white.shape
    if white.device.type != "cpu":
        white, slope = in_bucket(white), in_bucket(slope)
    spectrum = torch.fft.rfft(white)
    bins = torch.arange(spectrum.shape[1], device=white.device, dtype=torch.float32)
    shape = coloured_gain(bins, slope[:, None], FLAT_BELOW_HZ * length / SAMPLE_RATE_HZ)
    noise = torch.fft.irfft(spectrum * shape, length)[:, :samples]
    return (noise / noise.square().mean(dim=1, keepdim=True).sqrt())[:count]


def coloured_noise(slope: Tensor, samples: int, generator: torch.Generator) -> Tensor:
    """`coloured` with its draws."""
    return coloured(coloured_draws(len(slope), samples, generator), slope, samples)


def draw_voices(
    speech: Bank, talkers: tuple[int, int], count: int, generator: torch.Generator
) -> tuple[Tensor, tuple[Voice, ...]]:
    """How many voices are heard in each of `count` mixes `(count,)`, and every voice that may be heard."""
    fewest, most = talkers
    number = fewest + below(torch.full((count,), most - fewest + 1), generator)
    voices = []
    for _ in range(most):
        index, start = places(speech, count, generator)
        voices.append((index, start, decibel(uniform(TALKER_DB, count, generator))))
    return number, tuple(voices)


def mixed_voices(speech: Bank, number: Tensor, voices: tuple[Voice, ...], samples: int) -> Tensor:
    """Sums `(mixes, samples)` of the first `number` voices."""
    mix = torch.zeros(len(number), samples, device=number.device)
    for talker, (index, start, level) in enumerate(voices):
        voice = speech.take(index, start, samples)
        mix += voice * (level * (number > talker) / active_power(voice).clamp(min=QUIETEST_NOISE).sqrt())[:, None]
    return mix


def babble(speech: Bank, talkers: tuple[int, int], count: int, samples: int, generator: torch.Generator) -> Tensor:
    """Sums of voices `(count, samples)`, each voice at 0 to -10 dB; `talkers` are the fewest and most voices."""
    return mixed_voices(speech, *draw_voices(speech, talkers, count, generator), samples)
