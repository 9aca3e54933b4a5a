"""Simulated codecs: G.711 companding, the telephone line, and a transform codec at a low bit rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from wakeword.audio.augment.lengths import fast_length
from wakeword.audio.telephone import RATE_HZ, band_gain
from wakeword.config.augmentation import Codec
from wakeword.config.frontend import SAMPLE_RATE_HZ

BLOCK = 320
"""Block length of the transform codec in samples (20 ms); its bins are 25 Hz wide."""
EDGES = (0, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
"""First bins of its bands, which are 100 Hz to 1.6 kHz wide, similar to critical bands."""
MASKING = 0.5
"""How much the coding noise follows the spectrum: 0 is white noise, 1 the same SNR in every band."""


def coded(codec: Codec, audio: Tensor, kbps: Tensor) -> Tensor:
    """Encode and decode clips `(batch, samples)`; only `low_rate` uses `kbps` `(batch,)`."""
    if codec == "low_rate":
        return low_rate(audio, kbps)
    if codec in ("telephone_mu", "telephone_a"):
        return telephone(audio, mu_law if codec == "telephone_mu" else a_law)
    return mu_law(audio) if codec == "mu_law" else a_law(audio)


def mu_law(audio: Tensor) -> Tensor:
    """Encode to 8-bit mu-law and decode (ITU-T G.711, 14-bit full scale)."""
    magnitude = (audio.abs() * 8192.0).clamp(max=8158.0) + 33.0
    step = _segment_step(magnitude, 4).clamp(min=2.0)
    return _signed(audio, ((magnitude / step).floor() + 0.5) * step - 33.0) / 8192.0


def a_law(audio: Tensor) -> Tensor:
    """Encode to 8-bit A-law and decode (ITU-T G.711, 13-bit full scale); A-law has no zero."""
    magnitude = (audio.abs() * 4096.0).clamp(max=4095.0)
    step = _segment_step(magnitude, 4).clamp(min=2.0)
    return _signed(audio, ((magnitude / step).floor() + 0.5) * step) / 4096.0


def _segment_step(magnitude: Tensor, bits: int) -> Tensor:
    """The quantiser step 2 ** (floor(log2(magnitude)) - bits), exactly."""
    exponent = torch.frexp(magnitude).exponent - 1 - bits
    return torch.ldexp(torch.ones_like(magnitude), exponent)


def _signed(audio: Tensor, magnitude: Tensor) -> Tensor:
    return torch.where(audio < 0, -magnitude, magnitude)


def telephone(audio: Tensor, law: Callable[[Tensor], Tensor]) -> Tensor:
    """Simulate the line of `audio.telephone` for clips `(batch, samples)`; `law` is `mu_law` or `a_law`."""
    samples = audio.shape[1]
    # Twice a fast length, so that the half is fast too.
    length = 2 * fast_length(samples / 2 + 512)
    frequency_hz = torch.fft.rfftfreq(length, 1 / SAMPLE_RATE_HZ, device=audio.device)
    spectrum = torch.fft.rfft(audio, length) * band_gain(frequency_hz)
    ratio = SAMPLE_RATE_HZ // RATE_HZ
    narrow = torch.fft.irfft(spectrum, length // ratio) / ratio
    return torch.fft.irfft(torch.fft.rfft(law(narrow)), length)[:, :samples] * ratio


@lru_cache(maxsize=8)
def _basis(device: torch.device) -> Tensor:
    """MDCT basis `(2 * BLOCK, BLOCK)` with a sine window (Princen and Bradley 1986)."""
    time = torch.arange(2 * BLOCK, dtype=torch.float64)
    window = torch.sin(math.pi * (time + 0.5) / (2 * BLOCK))
    phase = (time[:, None] + 0.5 + BLOCK / 2) * (torch.arange(BLOCK, dtype=torch.float64)[None, :] + 0.5)
    basis = math.sqrt(2.0 / BLOCK) * torch.cos(math.pi / BLOCK * phase) * window[:, None]
    return basis.float().to(device)


@lru_cache(maxsize=8)
def _bands(device: torch.device) -> tuple[Tensor, Tensor]:
    """Bins of each band, and the band of each bin."""
    width = torch.tensor(EDGES).diff()
    return width.to(device), torch.repeat_interleave(torch.arange(len(width)), width).to(device)


def low_rate(audio: Tensor, kbps: Tensor) -> Tensor:
    """Approximate a low-bit-rate codec: MDCT coefficients quantised at `kbps` `(batch,)` thousand bits per second.

    The bits of each 20 ms block are distributed by reverse water-filling (Cover and Thomas, section 10.3.3), and bands
    below the allowed noise are empty. The result has the artefacts of real codecs (spectral holes, warbling, missing
    quiet high frequencies), but is no standard's bitstream.
    """
    samples = audio.shape[1]
    basis = _basis(audio.device)
    blocks = -(-samples // BLOCK) + 1
    padded = torch.nn.functional.pad(audio, (BLOCK, blocks * BLOCK - samples))
    coefficients = padded.unfold(1, 2 * BLOCK, BLOCK) @ basis
    width, band = _bands(audio.device)
    sums = torch.zeros(*coefficients.shape[:2], len(width), device=audio.device)
    power = sums.index_add(2, band, coefficients.square()) / width
    noise = _allowed_noise(power, width, kbps * 1000.0 * BLOCK / SAMPLE_RATE_HZ)
    # The noise of a uniform quantiser with step s is s ** 2 / 12.
    step = (12.0 * noise).sqrt()[:, :, band]
    kept = torch.where((power > noise)[:, :, band], (coefficients / step).round() * step, 0.0)
    halves = (kept @ basis.T).unflatten(2, (2, BLOCK))
    return (halves[:, :-1, 1] + halves[:, 1:, 0]).flatten(1)[:, :samples]


def _allowed_noise(power: Tensor, width: Tensor, bits: Tensor) -> Tensor:
    """Noise power `(batch, blocks, bands)` at which a block needs `bits` `(batch,)`, found by bisection."""
    shaped = power.clamp(min=1e-12).log2()
    follows = MASKING * shaped
    low, high = torch.full_like(shaped[:, :, :1], -60.0), torch.full_like(shaped[:, :, :1], 60.0)
    for _ in range(16):
        middle = (low + high) / 2
        needed = (width * 0.5 * (shaped - follows - middle).clamp(min=0.0)).sum(dim=2, keepdim=True)
        enough = needed <= bits[:, None, None]
        low, high = torch.where(enough, low, middle), torch.where(enough, middle, high)
    return torch.exp2(follows + high)
