"""Augmentation on the device of the batch; every draw is per clip. Probabilities of 0 switch a transform off."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from wakeword.config.base import Section

Range = tuple[float, float]
Codec = Literal["mu_law", "a_law", "telephone_mu", "telephone_a", "low_rate"]

_BOUNDS = {
    "speed": (0.5, 2.0),
    "tempo": (0.5, 2.0),
    "vtlp": (0.5, 2.0),
    "pitch_semitones": (-12.0, 12.0),
    "noise_snr_db": (-120.0, 120.0),
    "music_snr_db": (-120.0, 120.0),
    "babble_snr_db": (-120.0, 120.0),
    "speech_snr_db": (-120.0, 120.0),
    "babble_talkers": (1, 32),
    "rir_late_db": (-60.0, 20.0),
    "eq_gain_db": (-40.0, 40.0),
    "microphone_low_hz": (10.0, 1000.0),
    "microphone_high_hz": (2000.0, 8000.0),
    "microphone_peak_db": (-20.0, 20.0),
    "band_low_hz": (10.0, 2000.0),
    "band_high_hz": (1000.0, 8000.0),
    "clip_db": (0.0, 60.0),
    "codec_kbps": (1.0, 128.0),
}


class AugmentationConfig(Section):
    """Ranges are uniform draws (low, high); frequencies are drawn evenly on a logarithmic scale."""

    gain_db: Range = (-18.0, 6.0)
    noise_probability: float = Field(0.7, ge=0, le=1)
    noise_snr_db: Range = (0.0, 30.0)
    noise_rir_probability: float = Field(0.0, ge=0, le=1)
    """Which share of the noises sounds through a room response of its own."""
    music_probability: float = Field(0.0, ge=0, le=1)
    """Music on top; the recordings of kind `music` are among the noises as well."""
    music_snr_db: Range = (5.0, 30.0)
    babble_probability: float = Field(0.0, ge=0, le=1)
    """Several voices at once, mixed from speech of the train split that holds none of the words."""
    babble_snr_db: Range = (5.0, 30.0)
    babble_talkers: tuple[int, int] = (3, 8)
    speech_probability: float = Field(0.0, ge=0, le=1)
    """One other voice that goes on speaking under the clip."""
    speech_snr_db: Range = (5.0, 25.0)
    rir_probability: float = Field(0.4, ge=0, le=1)
    rir_late_db: Range = (0.0, 0.0)
    """Change of what arrives 50 ms after the direct sound and later; (0, 0) leaves responses as they are."""
    floor_dbfs: Range | None = (-75.0, -50.0)
    """Level of the white noise under every clip, so that digital silence tells nothing; null for none."""
    shift_s: float = Field(0.3, ge=0)
    """How far the word's place in its window moves, either way; never wraps."""
    speed_probability: float = Field(0.5, ge=0, le=1)
    speed: Range = (0.8, 1.25)
    """Resampling factor: tempo and pitch change together."""
    tempo_probability: float = Field(0.0, ge=0, le=1)
    tempo: Range = (0.85, 1.18)
    """Phase vocoder: the tempo changes, the pitch stays."""
    pitch_probability: float = Field(0.0, ge=0, le=1)
    pitch_semitones: Range = (-2.0, 2.0)
    """The pitch (and the formants with it) changes, the tempo stays."""
    vtlp_probability: float = Field(0.5, ge=0, le=1)
    vtlp: Range = (0.88, 1.12)
    """Vocal tract length perturbation: factor on the frequency axis of the features; the tempo stays."""
    eq_probability: float = Field(0.0, ge=0, le=1)
    eq_bands: int = Field(3, ge=1, le=16)
    """Peaking filters in a row, each at a frequency, width and gain of its own."""
    eq_gain_db: Range = (-8.0, 8.0)
    microphone_probability: float = Field(0.0, ge=0, le=1)
    """A small microphone in a case: a gentle high pass, a resonance, a gentle low pass."""
    microphone_low_hz: Range = (40.0, 250.0)
    microphone_high_hz: Range = (4500.0, 7800.0)
    microphone_peak_db: Range = (0.0, 8.0)
    band_probability: float = Field(0.0, ge=0, le=1)
    """A steep band limit (24 dB per octave), as old recordings and radio links have."""
    band_low_hz: Range = (80.0, 400.0)
    band_high_hz: Range = (3000.0, 7000.0)
    clip_probability: float = Field(0.0, ge=0, le=1)
    clip_db: Range = (1.0, 12.0)
    """How far below its own peak a clip is cut off, as by a converter that is driven too hard."""
    codec_probability: float = Field(0.0, ge=0, le=1)
    codecs: tuple[Codec, ...] = Field(("mu_law", "a_law", "telephone_mu", "telephone_a", "low_rate"), min_length=1)
    codec_kbps: Range = (8.0, 32.0)
    """Bit rate of `low_rate`; the others have theirs."""
    spec_probability: float = Field(0.5, ge=0, le=1)
    time_mask_frames: int = Field(10, ge=0)
    frequency_mask_mels: int = Field(6, ge=0)
    masks: int = Field(2, ge=0, le=8)

    @model_validator(mode="after")
    def _ordered(self) -> AugmentationConfig:
        for name in ("gain_db", "floor_dbfs", *_BOUNDS):
            limits = getattr(self, name)
            if limits is not None and limits[0] > limits[1]:
                raise ValueError(f"{name} is a range (low, high), got {limits[0]} > {limits[1]}")
        for name, (least, most) in _BOUNDS.items():
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise ValueError(f"{name} must stay within {least:g} to {most:g}, got ({low}, {high})")
        return self
