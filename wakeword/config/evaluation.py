"""Evaluation: tracks, hits, targets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from wakeword.config.base import Section, UserPath

Codec = Literal["mp3", "opus", "vorbis", "telephone"]


class RecordingConfig(Section):
    """A long recording that is evaluated as it is."""

    uri: UserPath
    """Audio file."""
    truth: UserPath
    """CSV with the columns word (label), start_s, end_s, speaker; a row for each utterance."""
    split: Literal["val", "test"] = "test"
    licence: str = ""
    """Licence of the recording, told in the report beside those of the clips."""


class EvaluationConfig(Section):
    """Continuous tracks, events, intervals: see docs/explanation/evaluation.md."""

    snr_db: tuple[float, ...] = (20.0, 10.0, 5.0, 0.0)
    """Noisy conditions beside `clean`."""
    noise_kinds: tuple[str, ...] = ("music", "babble")
    """Kinds of noise that are conditions of their own where there are recordings of them: the recording's kind or
    label, or a part of its source's name."""
    noise_kind_snr_db: tuple[float, ...] = (10.0,)
    """SNRs of the conditions of `noise_kinds`."""
    near: bool = True
    """Add a condition with room responses from within the critical distance."""
    far: bool = True
    """Add a condition with room responses from beyond it."""
    codecs: tuple[Codec, ...] = ("mp3", "telephone")
    """Conditions in which the clips went through a codec (Opus is slow: 0.05 s of CPU a second of audio)."""
    gap_s: tuple[float, float] = (1.0, 3.0)
    """Quiet after each clip of a positive track, drawn uniformly."""
    negative_gap_s: tuple[float, float] = (0.1, 0.5)
    """Quiet after each clip of a negative track; it counts as listening time, so keep it short."""
    recordings: tuple[RecordingConfig, ...] = ()
    """Their words are the condition `recorded`; the rest of them counts as listening time."""
    fah_targets: tuple[float, ...] = (0.05, 0.1, 0.5, 1.0)
    operating_fah: float = Field(0.5, gt=0)
    """False alarms per hour whose threshold the bundle uses by default; chosen on val."""
    operating_frr: float = Field(0.1, gt=0, le=1)
    """A word is marked ready if at most this share of its clean test words is missed at `operating_fah`."""
    near_miss_limits: dict[int, float] = Field(default_factory=dict)
    """Largest share of near misses that may fire on val, by their distance in phonemes (4: four or more), such as
    `{1: 0.6}`. The threshold is raised until all hold; empty means no limit."""
    smoothing_grid_s: tuple[float, ...] = ()
    """Other smoothing windows to try on val at the operating point; the bundle takes the one that misses the fewest
    words, if it saves more than 1 % of them. Longer ones answer later. Empty: `detector.smoothing_s` stays."""
    refractory_grid_s: tuple[float, ...] = ()
    """Likewise for `detector.refractory_s`; all pairs of both grids are tried."""
    hit_before_s: float = Field(0.2, ge=0)
    hit_after_s: float = Field(1.0, gt=0)
    confidence: float = Field(0.95, gt=0.5, lt=1)
    """Of every interval in the report."""
    seed: int = 0

    @field_validator("gap_s", "negative_gap_s")
    @classmethod
    def _is_a_range(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= value[0] <= value[1]:
            raise ValueError(f"a range of seconds is (low, high) with 0 <= low <= high, got {value}")
        return value

    @field_validator("fah_targets")
    @classmethod
    def _are_rates(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or min(value) <= 0:
            raise ValueError(f"targets are false alarms per hour above 0, at least one, got {value}")
        return tuple(sorted(set(value)))

    @field_validator("smoothing_grid_s", "refractory_grid_s")
    @classmethod
    def _are_times(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 <= time_s <= 30 for time_s in value):
            raise ValueError(f"detector times are seconds from 0 to 30, got {value}")
        return tuple(sorted(set(value)))

    @field_validator("near_miss_limits")
    @classmethod
    def _are_shares(cls, value: dict[int, float]) -> dict[int, float]:
        if any(not 1 <= distance <= 4 or not 0 <= share <= 1 for distance, share in value.items()):
            raise ValueError(f"near-miss limits map a distance of 1 to 4 phonemes to a share in [0, 1], got {value}")
        return value

    @property
    def targets(self) -> tuple[float, ...]:
        """`fah_targets` and `operating_fah`, rising."""
        return tuple(sorted({*self.fah_targets, self.operating_fah}))
