"""Audio front end: log-mel or PCEN features, the same module in training, evaluation, export and the runtime."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from wakeword.config.frontend import SAMPLE_RATE_HZ, FrontendConfig
from wakeword.errors import ConfigError

MAX_FFT = 4096
"""Largest DFT size."""

LOG_CENTRE_DB, LOG_SCALE_DB = -50.0, 20.0
PCEN_CENTRE, PCEN_SCALE = 0.4, 0.6
"""Fixed affine maps that give speech at usual levels about zero mean and unit variance."""

SLANEY_HZ, SLANEY_MEL, SLANEY_LOG_STEP = 1000.0, 15.0, math.log(6.4) / 27.0
"""Slaney 1998, "Auditory Toolbox": 15 mels up to 1 kHz, then 27 mels per factor of 6.4."""


def hz_to_mel(frequency_hz: np.ndarray | float, scale: str = "htk") -> np.ndarray:
    """Convert Hz to mels on the HTK scale, 2595 log10(1 + f / 700), or the Slaney scale."""
    frequency = np.asarray(frequency_hz, dtype=np.float64)
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + frequency / 700.0)
    above = SLANEY_MEL + np.log(np.maximum(frequency, SLANEY_HZ) / SLANEY_HZ) / SLANEY_LOG_STEP
    return np.where(frequency < SLANEY_HZ, frequency * SLANEY_MEL / SLANEY_HZ, above)


def mel_to_hz(mel: np.ndarray | float, scale: str = "htk") -> np.ndarray:
    """Inverse of `hz_to_mel`."""
    mels = np.asarray(mel, dtype=np.float64)
    if scale == "htk":
        return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    above = SLANEY_HZ * np.exp(SLANEY_LOG_STEP * (np.maximum(mels, SLANEY_MEL) - SLANEY_MEL))
    return np.where(mels < SLANEY_MEL, mels * SLANEY_HZ / SLANEY_MEL, above)


def mel_filters(n_fft: int, n_mels: int, f_min_hz: float, f_max_hz: float, scale: str = "htk") -> np.ndarray:
    """Triangular filters, evenly spaced on the mel scale.

    `htk`: peaks of 1 (librosa: `htk=True, norm=None`). `slaney`: areas of 1 Hz (librosa's defaults).

    Returns:
        `(n_fft // 2 + 1, n_mels)` float64.
    """
    ends = hz_to_mel(np.array([f_min_hz, f_max_hz]), scale)
    corners_hz = mel_to_hz(np.linspace(ends[0], ends[1], n_mels + 2), scale)
    bins_hz = np.arange(n_fft // 2 + 1) * SAMPLE_RATE_HZ / n_fft
    low, centre, high = corners_hz[:-2], corners_hz[1:-1], corners_hz[2:]
    rising = (bins_hz[:, None] - low) / (centre - low)
    falling = (high - bins_hz[:, None]) / (high - centre)
    filters = np.maximum(0.0, np.minimum(rising, falling))
    return filters if scale == "htk" else filters * 2.0 / (high - low)


def _filters_without_gaps(config: FrontendConfig, window: int) -> tuple[int, np.ndarray]:
    """The smallest power-of-two DFT size at which every filter covers at least one bin, and its filters."""
    n_fft = 1 << max(window - 1, 1).bit_length()
    while n_fft <= MAX_FFT:
        filters = mel_filters(n_fft, config.n_mels, config.f_min_hz, config.f_max_hz, config.mel_scale)
        if filters.max(axis=0).min() > 0:
            return n_fft, filters
        n_fft *= 2
    raise ConfigError(
        f"frontend: {config.n_mels} mel filters between {config.f_min_hz} and {config.f_max_hz} Hz are narrower than "
        f"one bin of a {MAX_FFT}-point DFT; take fewer n_mels or a wider range"
    )


class Frontend(nn.Module):
    """Log-mel or PCEN features with explicit state: `frames == samples // hop`, offline and streaming.

    Frame `i` covers the `window` samples that end at sample `(i + 1) * hop`. The state holds the overlap and, for PCEN,
    the smoother. The power spectrum is a matrix product with cosines and sines centred on the window. Their symmetry
    halves the work, and the exported graph needs no FFT operator.
    """

    def __init__(self, config: FrontendConfig) -> None:
        """Raises ConfigError for mel filters that are narrower than a bin of the largest DFT."""
        super().__init__()
        self.config = config
        self.hop = round(config.hop_ms * SAMPLE_RATE_HZ / 1000)
        # The window is even so that it has two equal halves; one sample is 0.06 ms.
        self.window = max(2 * round(config.window_ms * SAMPLE_RATE_HZ / 2000), self.hop + self.hop % 2)
        self.n_mels = config.n_mels
        self.overlap = self.window - self.hop
        self.blocks = math.ceil(self.window / self.hop)
        self.pcen = config.kind == "pcen"
        self.floor = 10.0 ** (config.floor_db / 10.0)
        n_fft, filters = _filters_without_gaps(config, self.window)
        cosine, sine, filters = _bases(self.window, n_fft, filters)
        self.cosine: Tensor
        self.sine: Tensor
        self.filters: Tensor
        # Not persistent: the configuration defines them.
        self.register_buffer("cosine", torch.tensor(cosine, dtype=torch.float32), persistent=False)
        self.register_buffer("sine", torch.tensor(sine, dtype=torch.float32), persistent=False)
        # Energies are in units of the floor, so that the floor to add is 1. The ONNX exporter removes an addition of
        # 1e-8, after which silence would give minus infinity.
        self.register_buffer("filters", torch.tensor(filters / self.floor, dtype=torch.float32), persistent=False)

    @property
    def state_size(self) -> int:
        """Number of state values per stream."""
        return self.overlap + (self.n_mels if self.pcen else 0)

    def initial_state(self, batch: int) -> Tensor:
        """State `(batch, state_size)` before the first sample: digital silence."""
        return self.cosine.new_zeros(batch, self.state_size)

    def forward(self, audio: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Features of a chunk of any whole number of hops.

        Args:
            audio: `(batch, samples)` float32 in [-1, 1]; samples a multiple of `hop`.
            state: `(batch, state_size)`.

        Returns:
            `(batch, samples // hop, n_mels)` and the next state.
        """
        if not torch.compiler.is_compiling() and (audio.shape[1] == 0 or audio.shape[1] % self.hop):
            raise ValueError(f"audio must hold a multiple of {self.hop} samples, got {audio.shape[1]}")
        joined = torch.cat([state[:, : self.overlap], audio], dim=1)
        energy = self._power(self._frames(joined)) @ self.filters
        # A negative index would need a length that is known at export.
        overlap = joined[:, audio.shape[1] :]
        if not self.pcen:
            above_db = 10.0 * torch.log10(energy + 1.0)
            return (above_db + (self.config.floor_db - LOG_CENTRE_DB)) / LOG_SCALE_DB, overlap
        smooth = self._smooth(energy, state[:, self.overlap :])
        return self._compress(energy, smooth), torch.cat([overlap, smooth[:, -1]], dim=1)

    def _frames(self, audio: Tensor) -> Tensor:
        """Split `(batch, overlap + samples)` into `(batch, frames, window)` by shifted blocks of one hop."""
        surplus = self.blocks * self.hop - self.window
        if surplus:
            audio = nn.functional.pad(audio, (surplus, 0))
        blocks = audio.unflatten(1, (-1, self.hop))
        if self.blocks == 1:
            return blocks
        frames = blocks.shape[1] - (self.blocks - 1)
        joined = torch.cat([blocks[:, shift : shift + frames] for shift in range(self.blocks)], dim=2)
        return joined[:, :, surplus:]

    def _power(self, frames: Tensor) -> Tensor:
        """Power spectrum `(batch, frames, bins)`; the peak of a full-scale sine is 1.0."""
        half = self.window // 2
        early, late = frames[:, :, :half], frames[:, :, half:].flip(2)
        return ((early + late) @ self.cosine).square() + ((early - late) @ self.sine).square()

    def _smooth(self, energy: Tensor, before: Tensor) -> Tensor:
        """The one-pole smoother M[t] = (1 - s) M[t-1] + s E[t] for a whole chunk.

        M is a product with a triangular matrix of powers of (1 - s): the cost is quadratic in the frames of the chunk.
        """
        pole = 1.0 - self.config.pcen.smoothing
        frames = torch.arange(energy.shape[1], device=energy.device, dtype=energy.dtype)
        lag = frames[:, None] - frames[None, :]
        weight = torch.exp(math.log(pole) * lag.clamp(min=0.0)) * (lag >= 0.0).to(energy.dtype)
        kept = torch.exp(math.log(pole) * (frames + 1.0))
        return self.config.pcen.smoothing * (weight @ energy) + kept[:, None] * before[:, None, :]

    def _compress(self, energy: Tensor, smooth: Tensor) -> Tensor:
        """(E / (eps + M) ** gain + bias) ** power - bias ** power (Wang et al. 2017, eq. 1); eps is the floor."""
        pcen = self.config.pcen
        # E and M are in units of the floor; the published formula uses full scale.
        ratio = self.floor ** (1.0 - pcen.gain) * energy * (smooth + 1.0).pow(-pcen.gain)
        return ((ratio + pcen.bias).pow(pcen.power) - pcen.bias**pcen.power - PCEN_CENTRE) / PCEN_SCALE


def _bases(window: int, n_fft: int, filters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Windowed cosines and sines `(window / 2, bins)` of the bins that the filters use, and these rows of the filters.

    The symmetric Hann window is scaled so that a full-scale sine has power 1.
    """
    used = np.flatnonzero(filters.max(axis=1) > 0)
    place = np.arange(window // 2) - (window - 1) / 2
    hann = np.cos(np.pi * place / window) ** 2
    scale = 2.0 / (2.0 * hann.sum())
    angle = 2 * np.pi * np.outer(place, used) / n_fft
    return (scale * hann[:, None] * np.cos(angle), scale * hann[:, None] * np.sin(angle), filters[used])
