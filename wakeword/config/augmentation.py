"""Augmentation on the device of the batch; every draw is per clip. Probabilities of 0 switch a transform off."""

from __future__ import annotations

from pydantic import Field, model_validator

from wakeword.config.base import Section

Range = tuple[float, float]


class AugmentationConfig(Section):
    """Ranges are uniform draws (low, high)."""

    gain_db: Range = (-18.0, 6.0)
    noise_probability: float = Field(0.7, ge=0, le=1)
    noise_snr_db: Range = (0.0, 30.0)
    room_probability: float = Field(0.4, ge=0, le=1)
    floor_dbfs: Range | None = (-75.0, -50.0)
    """Level of the white noise under every clip, so that digital silence tells nothing; null for none."""
    shift_s: float = Field(0.3, ge=0)
    """How far the word's place in its window moves, either way; never wraps."""
    speed_probability: float = Field(0.5, ge=0, le=1)
    speed: Range = (0.8, 1.25)
    """Resampling factor: tempo and pitch change together."""
    vtlp_probability: float = Field(0.5, ge=0, le=1)
    vtlp: Range = (0.88, 1.12)
    """Vocal tract length perturbation: factor on the frequency axis of the features; the tempo stays."""
    spec_probability: float = Field(0.5, ge=0, le=1)
    time_mask_frames: int = Field(10, ge=0)
    frequency_mask_mels: int = Field(6, ge=0)
    masks: int = Field(2, ge=0, le=8)

    @model_validator(mode="after")
    def _ordered(self) -> AugmentationConfig:
        for name in ("gain_db", "noise_snr_db", "floor_dbfs", "speed", "vtlp"):
            limits = getattr(self, name)
            if limits is not None and limits[0] > limits[1]:
                raise ValueError(f"{name} is a range (low, high), got {limits[0]} > {limits[1]}")
        for name in ("speed", "vtlp"):
            low, high = getattr(self, name)
            if not 0.5 <= low <= high <= 2.0:
                raise ValueError(f"{name} must stay within 0.5 to 2, got ({low}, {high})")
        return self
