"""Augmentation of training windows: waveform and feature transforms, drawn separately for each clip."""

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
    """Transforms of training windows, computed on the training device. Val and test audio is never augmented.

    A `*_probability` is the share of the clips that a transform changes; 0 switches it off. A range is `[low, high]`: a
    value is drawn uniformly for each clip, frequencies on a logarithmic scale. SNRs are relative to the clip alone.
    """

    gain_db: Range = (-18.0, 6.0)
    """Change of level in dB, for every clip. Widen it when microphones or distances vary more."""
    noise_probability: float = Field(0.7, ge=0, le=1)
    """Share of the clips with noise from the noise and music recordings of the train split; without recordings,
    coloured noise is synthesised."""
    noise_snr_db: Range = (0.0, 30.0)
    """SNR of the noise in dB. Lower it for louder rooms; below 0 the noise is louder than the speech."""
    noise_rir_probability: float = Field(0.0, ge=0, le=1)
    """Share of the noises that are convolved with a separate room response."""
    music_probability: float = Field(0.0, ge=0, le=1)
    """Share of the clips with music in addition to the noise, which may be music as well. Needs clips of kind
    `music`."""
    music_snr_db: Range = (5.0, 30.0)
    """SNR of the music in dB."""
    babble_probability: float = Field(0.0, ge=0, le=1)
    """Share of the clips with babble: several voices at once, mixed from speech of the train split without the
    words."""
    babble_snr_db: Range = (5.0, 30.0)
    """SNR of the babble in dB."""
    babble_talkers: tuple[int, int] = (3, 8)
    """Smallest and largest number of voices in the babble."""
    speech_probability: float = Field(0.0, ge=0, le=1)
    """Share of the clips with one other voice that speaks throughout, as a television or a second person does."""
    speech_snr_db: Range = (5.0, 25.0)
    """Level of the clip above the other voice in dB, measured on the loud frames of both."""
    rir_probability: float = Field(0.4, ge=0, le=1)
    """Share of the clips that are convolved with a room impulse response. Needs clips of kind `rir`."""
    rir_late_db: Range = (0.0, 0.0)
    """Change in dB of the reverberation that arrives 50 ms or more after the direct sound; (0, 0) keeps the responses
    as they are. Negative values simulate shorter distances, positive values longer ones."""
    floor_dbfs: Range | None = (-75.0, -50.0)
    """Level in dBFS of white noise under every clip, so that digital silence does not identify a class; null for
    none."""
    shift_s: float = Field(0.3, ge=0)
    """Largest shift in seconds, either way, of the word from the middle of the scored window. Audio does not wrap
    around."""
    speed_probability: float = Field(0.5, ge=0, le=1)
    """Share of the clips that are resampled, which changes tempo and pitch together."""
    speed: Range = (0.8, 1.25)
    """Speed factor; above 1 is faster and higher."""
    tempo_probability: float = Field(0.0, ge=0, le=1)
    """Share of the clips whose tempo changes at constant pitch (phase vocoder; slower than `speed`)."""
    tempo: Range = (0.85, 1.18)
    """Tempo factor; above 1 is faster."""
    pitch_probability: float = Field(0.0, ge=0, le=1)
    """Share of the clips whose pitch and formants change at constant tempo (phase vocoder)."""
    pitch_semitones: Range = (-2.0, 2.0)
    """Change of pitch in semitones."""
    vtlp_probability: float = Field(0.5, ge=0, le=1)
    """Share of the clips with vocal tract length perturbation, a warp of the features' frequency axis."""
    vtlp: Range = (0.88, 1.12)
    """Factor on the frequency axis; the tempo stays. It simulates other speakers at almost no cost."""
    eq_probability: float = Field(0.0, ge=0, le=1)
    """Share of the clips that pass a random equaliser."""
    eq_bands: int = Field(3, ge=1, le=16)
    """Peaking filters of the equaliser in series; frequency, width and gain are drawn for each."""
    eq_gain_db: Range = (-8.0, 8.0)
    """Gain of each peaking filter in dB."""
    microphone_probability: float = Field(0.0, ge=0, le=1)
    """Share of the clips that pass a simulated small microphone: a high pass, a resonance and a low pass."""
    microphone_low_hz: Range = (40.0, 250.0)
    """Cut-off of the microphone's high pass in Hz (12 dB per octave)."""
    microphone_high_hz: Range = (4500.0, 7800.0)
    """Cut-off of the microphone's low pass in Hz (12 dB per octave)."""
    microphone_peak_db: Range = (0.0, 8.0)
    """Gain of the microphone's resonance in dB."""
    band_probability: float = Field(0.0, ge=0, le=1)
    """Share of the clips with a steep band limit (24 dB per octave), as old recordings and radio links have."""
    band_low_hz: Range = (80.0, 400.0)
    """Lower limit of the band in Hz."""
    band_high_hz: Range = (3000.0, 7000.0)
    """Upper limit of the band in Hz."""
    clip_probability: float = Field(0.0, ge=0, le=1)
    """Share of the clips that are clipped, as by an overdriven converter."""
    clip_db: Range = (1.0, 12.0)
    """Distance of the clipping level below the clip's peak in dB; larger values distort more."""
    codec_probability: float = Field(0.0, ge=0, le=1)
    """Share of the clips that pass a simulated codec."""
    codecs: tuple[Codec, ...] = Field(("mu_law", "a_law", "telephone_mu", "telephone_a", "low_rate"), min_length=1)
    """Codecs to choose from, evenly: companding alone (`mu_law`, `a_law`), a telephone line with its 300 to 3,400 Hz
    band (`telephone_mu`, `telephone_a`), or a transform codec (`low_rate`)."""
    codec_kbps: Range = (8.0, 32.0)
    """Bit rate of `low_rate` in kbit/s; the other codecs have fixed rates."""
    spec_probability: float = Field(0.5, ge=0, le=1)
    """Share of the clips whose features are masked (SpecAugment). Lower it when positives are still missed on train."""
    time_mask_frames: int = Field(10, ge=0)
    """Largest width of a time mask in feature frames (`frontend.hop_ms` each)."""
    frequency_mask_mels: int = Field(6, ge=0)
    """Largest height of a frequency mask in mel bands."""
    masks: int = Field(2, ge=0, le=8)
    """Time masks, and as many frequency masks, of each masked clip."""

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
