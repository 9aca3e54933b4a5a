"""Generated noise: coloured, white, and babble from speech."""

from __future__ import annotations

import torch
from torch import Tensor

from wakeword.audio.augment.bank import Bank
from wakeword.audio.augment.draws import below, crops, uniform
from wakeword.audio.augment.levels import QUIETEST_NOISE, active_power, decibel
from wakeword.audio.augment.speed import fast_length
from wakeword.audio.noises import FLAT_BELOW_HZ, TALKER_DB, coloured_gain
from wakeword.config.frontend import SAMPLE_RATE_HZ


def coloured_noise(slope: Tensor, samples: int, generator: torch.Generator) -> Tensor:
    """Noise `(batch, samples)` of power 1 whose spectrum falls as f ** -slope (0 white, 1 pink, 2 brown), no DC."""
    length = fast_length(samples)
    white = torch.randn(len(slope), length, generator=generator, device=generator.device).to(slope.device)
    spectrum = torch.fft.rfft(white)
    bins = torch.arange(spectrum.shape[1], device=slope.device, dtype=torch.float32)
    shape = coloured_gain(bins, slope[:, None], FLAT_BELOW_HZ * length / SAMPLE_RATE_HZ)
    noise = torch.fft.irfft(spectrum * shape, length)[:, :samples]
    return noise / noise.square().mean(dim=1, keepdim=True).sqrt()


def white_crops(count: int, samples: int, generator: torch.Generator) -> Tensor:
    """White noise `(count, samples)` of power 1: crops of one signal, which is cheaper than independent draws."""
    stretch = torch.randn(2 * samples, generator=generator, device=generator.device)
    start = torch.randint(samples + 1, (count,), generator=generator, device=generator.device)
    return stretch.unfold(0, samples, 1)[start]


def babble(speech: Bank, talkers: tuple[int, int], count: int, samples: int, generator: torch.Generator) -> Tensor:
    """Sums of voices `(count, samples)`, each voice at 0 to -10 dB; `talkers` are the fewest and most voices."""
    fewest, most = talkers
    device = speech.offset.device
    number = fewest + below(torch.full((count,), most - fewest + 1, device=device), generator)
    mix = torch.zeros(count, samples, device=device)
    for talker in range(most):
        voice = crops(speech, count, samples, generator).to(device)
        level = decibel(uniform(TALKER_DB, count, generator)).to(device) * (number > talker)
        mix += voice * (level / active_power(voice).clamp(min=QUIETEST_NOISE).sqrt())[:, None]
    return mix
