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
    shift_s: float = Field(0.3, ge=0)
    """How far the word's place in its window moves, either way; never wraps."""
    speed_probability: float = Field(0.5, ge=0, le=1)
    speed: Range = (0.88, 1.14)
    """Resampling factor: tempo and pitch change together."""
    spec_probability: float = Field(0.5, ge=0, le=1)
    time_mask_frames: int = Field(10, ge=0)
    frequency_mask_mels: int = Field(6, ge=0)
    masks: int = Field(2, ge=0, le=8)

    @model_validator(mode="after")
    def _ordered(self) -> AugmentationConfig:
        for name in ("gain_db", "noise_snr_db", "speed"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} is a range (low, high), got {low} > {high}")
        if self.speed[0] <= 0:
            raise ValueError(f"speed must be above 0, got {self.speed[0]}")
        return self
