"""What telephones and radio links do to speech: companding, the telephone band, a transform codec at few bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from wakeword.audio.augment.speed import fast_length
from wakeword.audio.telephone import RATE_HZ, band_gain
from wakeword.config.augmentation import Codec
from wakeword.config.frontend import SAMPLE_RATE_HZ

BLOCK = 320
"""Samples between the blocks of the transform codec (20 ms); bins of 25 Hz."""
EDGES = (0, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
"""First bins of its bands: 100 Hz wide at the bottom, 1.6 kHz at the top, as hearing groups frequencies."""
MASKING = 0.5
"""How far the coding noise follows the sound: 0 is white noise, 1 the same ratio in every band."""


def coded(codec: Codec, audio: Tensor, kbps: Tensor) -> Tensor:
    """Clips `(batch, samples)` as they come out of a codec; `kbps` `(batch,)` counts for `low_rate` alone."""
    if codec == "low_rate":
        return low_rate(audio, kbps)
    if codec in ("telephone_mu", "telephone_a"):
        return telephone(audio, mu_law if codec == "telephone_mu" else a_law)
    return mu_law(audio) if codec == "mu_law" else a_law(audio)


def mu_law(audio: Tensor) -> Tensor:
    """8-bit mu-law and back (ITU-T G.711): segments of doubling step, 14-bit full scale."""
    magnitude = (audio.abs() * 8192.0).clamp(max=8158.0) + 33.0
    step = _segment_step(magnitude, 4).clamp(min=2.0)
    return _signed(audio, ((magnitude / step).floor() + 0.5) * step - 33.0) / 8192.0


def a_law(audio: Tensor) -> Tensor:
    """8-bit A-law and back (ITU-T G.711): segments of doubling step, 13-bit full scale; it has no zero."""
    magnitude = (audio.abs() * 4096.0).clamp(max=4095.0)
    step = _segment_step(magnitude, 4).clamp(min=2.0)
    return _signed(audio, ((magnitude / step).floor() + 0.5) * step) / 4096.0


def _segment_step(magnitude: Tensor, bits: int) -> Tensor:
    """2 ** (floor(log2(magnitude)) - bits), exact: the step that leaves `bits` bits to a segment."""
    exponent = torch.frexp(magnitude).exponent - 1 - bits
    return torch.ldexp(torch.ones_like(magnitude), exponent)


def _signed(audio: Tensor, magnitude: Tensor) -> Tensor:
    return torch.where(audio < 0, -magnitude, magnitude)


def telephone(audio: Tensor, law: Callable[[Tensor], Tensor]) -> Tensor:
    """The line of `audio.telephone` for clips `(batch, samples)`, companded by `law` (`mu_law` or `a_law`)."""
    samples = audio.shape[1]
    # Twice a quick length, so that half of it is one as well.
    length = 2 * fast_length(samples / 2 + 512)
    frequency_hz = torch.fft.rfftfreq(length, 1 / SAMPLE_RATE_HZ, device=audio.device)
    spectrum = torch.fft.rfft(audio, length) * band_gain(frequency_hz)
    ratio = SAMPLE_RATE_HZ // RATE_HZ
    narrow = torch.fft.irfft(spectrum, length // ratio) / ratio
    return torch.fft.irfft(torch.fft.rfft(law(narrow)), length)[:, :samples] * ratio


@lru_cache(maxsize=8)
def _basis(device: torch.device) -> Tensor:
    """The MDCT under a sine window (Princen and Bradley 1986): `(2 * BLOCK, BLOCK)`."""
    time = torch.arange(2 * BLOCK, dtype=torch.float64)
    window = torch.sin(math.pi * (time + 0.5) / (2 * BLOCK))
    phase = (time[:, None] + 0.5 + BLOCK / 2) * (torch.arange(BLOCK, dtype=torch.float64)[None, :] + 0.5)
    basis = math.sqrt(2.0 / BLOCK) * torch.cos(math.pi / BLOCK * phase) * window[:, None]
    return basis.float().to(device)


def low_rate(audio: Tensor, kbps: Tensor) -> Tensor:
    """An approximation of low-bit-rate speech and music codecs: MDCT coefficients at `kbps` `(batch,)` thousand bits/s.

    Every 20 ms the bits go where they lower a noise that follows the sound (rate-distortion theory: reverse
    water-filling, Cover and Thomas, section 10.3.3); a band whose share would not pay stays empty, as in real codecs.
    No bitstream of any standard, but its faults: holes, warbling, the loss of what is high and quiet.
    """
    samples = audio.shape[1]
    basis = _basis(audio.device)
    blocks = -(-samples // BLOCK) + 1
    padded = torch.nn.functional.pad(audio, (BLOCK, blocks * BLOCK - samples))
    coefficients = padded.unfold(1, 2 * BLOCK, BLOCK) @ basis
    width = torch.tensor(EDGES, device=audio.device).diff()
    band = torch.repeat_interleave(torch.arange(len(width), device=audio.device), width)
    sums = torch.zeros(*coefficients.shape[:2], len(width), device=audio.device)
    power = sums.index_add(2, band, coefficients.square()) / width
    noise = _allowed_noise(power, width, kbps * 1000.0 * BLOCK / SAMPLE_RATE_HZ)
    # A uniform quantiser of step s makes noise of s ** 2 / 12.
    step = (12.0 * noise).sqrt()[:, :, band]
    kept = torch.where((power > noise)[:, :, band], (coefficients / step).round() * step, 0.0)
    halves = (kept @ basis.T).unflatten(2, (2, BLOCK))
    return (halves[:, :-1, 1] + halves[:, 1:, 0]).flatten(1)[:, :samples]


def _allowed_noise(power: Tensor, width: Tensor, bits: Tensor) -> Tensor:
    """Noise of each block's bands `(batch, blocks, bands)` that needs `bits` `(batch,)` a block, by bisection."""
    shaped = power.clamp(min=1e-12).log2()
    follows = MASKING * shaped
    low, high = torch.full_like(shaped[:, :, :1], -60.0), torch.full_like(shaped[:, :, :1], 60.0)
    for _ in range(16):
        middle = (low + high) / 2
        needed = (width * 0.5 * (shaped - follows - middle).clamp(min=0.0)).sum(dim=2, keepdim=True)
        enough = needed <= bits[:, None, None]
        low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
    return torch.exp2(follows + high)
