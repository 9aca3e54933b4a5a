"""The audio front end: 16 kHz samples to one feature vector per hop."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from wakeword.config.base import Section

SAMPLE_RATE_HZ = 16_000


class PcenConfig(Section):
    """Per-channel energy normalisation (Wang et al. 2017, eq. 1-2)."""

    smoothing: float = Field(0.025, gt=0, lt=1)
    """Weight of the newest frame in the running mean of the energy (s); larger values adapt faster."""
    gain: float = Field(0.98, gt=0, le=1)
    """Strength of the normalisation by the running mean (alpha); 1 removes the level entirely."""
    bias: float = Field(2.0, gt=0)
    """Offset before compression (delta); larger values suppress weak sounds."""
    power: float = Field(0.5, gt=0, le=1)
    """Exponent of the compression (r)."""


class FrontendConfig(Section):
    """Mel filter bank; training, export and the runtime use the same one."""

    kind: Literal["log_mel", "pcen"] = "log_mel"
    """Compression of the mel energies: logarithm (`log_mel`) or per-channel energy normalisation (`pcen`), which adapts
    to level and stationary noise."""
    window_ms: float = Field(30.0, ge=5, le=128)
    """Length of the analysis window in ms."""
    hop_ms: float = Field(10.0, ge=5, le=40)
    """Distance between frames in ms; a longer hop costs less and blurs short sounds."""
    n_mels: int = Field(40, ge=8, le=128)
    """Number of mel bands, the size of a feature vector."""
    f_min_hz: float = Field(60.0, ge=0)
    """Lower edge of the first band in Hz."""
    f_max_hz: float = Field(7600.0, le=SAMPLE_RATE_HZ / 2)
    """Upper edge of the last band in Hz; lower it for telephone audio."""
    mel_scale: Literal["htk", "slaney"] = "htk"
    """Mel filters: `htk` has equal peaks; `slaney` is linear up to 1 kHz and has equal areas."""
    floor_db: float = Field(-80.0, ge=-120, le=-20)
    """Power in dB relative to full scale below which a band counts as silent (`log_mel` only)."""
    pcen: PcenConfig = PcenConfig()

    @model_validator(mode="after")
    def _ordered(self) -> FrontendConfig:
        if self.f_min_hz >= self.f_max_hz:
            raise ValueError(f"f_min_hz ({self.f_min_hz}) must lie below f_max_hz ({self.f_max_hz})")
        if self.hop_ms > self.window_ms:
            raise ValueError(f"hop_ms ({self.hop_ms}) must not exceed window_ms ({self.window_ms})")
        return self
