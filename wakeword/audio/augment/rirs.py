"""Convolution with room impulse responses (RIRs) that keeps the timing of a clip."""

from __future__ import annotations

import torch
from torch import Tensor

from wakeword.audio.augment.bank import Bank, as_float
from wakeword.audio.augment.levels import decibel
from wakeword.audio.rirs import direct_sound
from wakeword.config.frontend import SAMPLE_RATE_HZ

RIR_LEAD = 64
"""Samples of an RIR before its direct sound that are kept (pre-ringing of a band-limited pulse)."""
RIR_LONGEST_S = 1.5
RIR_EARLY_S = 0.05
"""End of the early reflections (the split of the C50 of ISO 3382-1)."""


def rir_table(rirs: Bank) -> Tensor:
    """RIRs `(rirs, taps)` of unit energy with the direct sound at tap `RIR_LEAD`; silent RIRs are dropped.

    The table is made on the host and stays there.
    """
    audio, offsets, lengths = rirs.audio.cpu(), rirs.offset.tolist(), rirs.host_length.tolist()
    taps = RIR_LEAD + min(max(lengths), int(RIR_LONGEST_S * SAMPLE_RATE_HZ))
    table = torch.zeros(len(rirs), taps)
    for row, (offset, length) in enumerate(zip(offsets, lengths, strict=True)):
        response = as_float(audio[offset : offset + length])
        direct = direct_sound(response.numpy())
        kept = response[max(0, direct - RIR_LEAD) : direct + taps - RIR_LEAD]
        begin = RIR_LEAD - min(direct, RIR_LEAD)
        table[row, begin : begin + len(kept)] = kept
    energy = table.square().sum(dim=1, keepdim=True)
    return (table / energy.clamp(min=1e-12).sqrt())[energy[:, 0] > 0]


def quieter_late(response: Tensor, late_db: Tensor, lead: int) -> Tensor:
    """Change the late reflections (50 ms after the direct sound at tap `lead`) of RIRs `(batch, taps)` by `late_db`.

    Below 0 dB this simulates a nearer talker in the same room.
    """
    late = torch.arange(response.shape[1], device=response.device) >= lead + round(RIR_EARLY_S * SAMPLE_RATE_HZ)
    return torch.where(late, response * decibel(late_db)[:, None], response)


def convolved(audio: Tensor, spectrum: Tensor, samples: int, lead: int) -> Tensor:
    """Convolve each clip with an RIR whose direct sound is at tap `lead`, without a delay.

    Args:
        audio: `(batch, length)`, padded with at least the length of an RIR.
        spectrum: spectra of the RIRs, `(batch, length // 2 + 1)`.
        samples: length of the clips and of the result.
    """
    wet = torch.fft.irfft(torch.fft.rfft(audio).mul_(spectrum), audio.shape[1])
    return wet[:, lead : lead + samples]


def ringing(noise: Tensor, response: Tensor) -> Tensor:
    """Circular convolution of noise `(batch, samples)` with RIRs, so that it is reverberant from its start."""
    samples = noise.shape[1]
    spectrum = torch.fft.rfft(noise) * torch.fft.rfft(_folded(response, samples), samples)
    return torch.fft.irfft(spectrum, samples)


def _folded(response: Tensor, samples: int) -> Tensor:
    """Wrap an RIR that is longer than `samples`."""
    if response.shape[1] <= samples:
        return response
    rounds = -(-response.shape[1] // samples)
    padded = torch.nn.functional.pad(response, (0, rounds * samples - response.shape[1]))
    return padded.unflatten(1, (rounds, samples)).sum(dim=1)
