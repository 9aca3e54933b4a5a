"""The audio front end: 16 kHz samples in, one feature vector per hop out."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from wakeword.config.base import Section

SAMPLE_RATE_HZ = 16_000


class PcenConfig(Section):
    """Per-channel energy normalisation (Wang et al. 2017, eq. 1-2)."""

    smoothing: float = Field(0.025, gt=0, lt=1)
    gain: float = Field(0.98, gt=0, le=1)
    bias: float = Field(2.0, gt=0)
    power: float = Field(0.5, gt=0, le=1)


class FrontendConfig(Section):
    """Mel filter bank; the same module serves training, export and the runtime."""

    kind: Literal["log_mel", "pcen"] = "log_mel"
    window_ms: float = Field(30.0, ge=5, le=128)
    hop_ms: float = Field(10.0, ge=5, le=40)
    n_mels: int = Field(40, ge=8, le=128)
    f_min_hz: float = Field(60.0, ge=0)
    f_max_hz: float = Field(7600.0, le=SAMPLE_RATE_HZ / 2)
    mel_scale: Literal["htk", "slaney"] = "htk"
    """`slaney` filters lie evenly up to 1 kHz and have equal areas; those of `htk` have equal peaks."""
    floor_db: float = Field(-80.0, ge=-120, le=-20)
    """Power, relative to full scale, under which a band counts as silent (log_mel)."""
    pcen: PcenConfig = PcenConfig()

    @model_validator(mode="after")
    def _ordered(self) -> FrontendConfig:
        if self.f_min_hz >= self.f_max_hz:
            raise ValueError(f"f_min_hz ({self.f_min_hz}) must lie below f_max_hz ({self.f_max_hz})")
        if self.hop_ms > self.window_ms:
            raise ValueError(f"hop_ms ({self.hop_ms}) must not exceed window_ms ({self.window_ms})")
        return self
