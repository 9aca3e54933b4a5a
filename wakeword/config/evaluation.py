"""Evaluation: tracks, conditions, hits, operating point."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from wakeword.config.base import Section, UserPath

Codec = Literal["mp3", "opus", "vorbis", "telephone"]


class RecordingConfig(Section):
    """A long recording that is scored as it is, beside the tracks that are made of clips."""

    uri: UserPath
    """Audio file."""
    truth: UserPath
    """CSV with one row per utterance and the columns word (a label), start_s, end_s, speaker."""
    split: Literal["val", "test"] = "test"
    """Split that the recording belongs to; thresholds are chosen on val."""
    licence: str = ""
    """Licence of the recording, listed in the report."""


class EvaluationConfig(Section):
    """Scoring of continuous tracks, conditions, and the choice of thresholds: see docs/explanation/evaluation.md."""

    snr_db: tuple[float, ...] = (20.0, 10.0, 5.0, 0.0)
    """SNRs in dB of the noisy conditions, each scored in addition to `clean`. Shorten the list to save time."""
    noise_kinds: tuple[str, ...] = ("music", "babble")
    """Kinds of noise that are separate conditions where there are recordings of them; matched with the recording's kind
    or label, or a part of its source's name."""
    noise_kind_snr_db: tuple[float, ...] = (10.0,)
    """SNRs in dB of the conditions of `noise_kinds`."""
    near: bool = True
    """Add a condition with room impulse responses recorded within the critical distance (direct sound dominates)."""
    far: bool = True
    """Add a condition with room impulse responses from beyond the critical distance (reverberation dominates)."""
    codecs: tuple[Codec, ...] = ("mp3", "telephone")
    """Codecs that are conditions of their own. Opus is slow: 0.05 s of CPU time per second of audio."""
    gap_s: tuple[float, float] = (1.0, 3.0)
    """Seconds of quiet after each clip of a track of words or near misses, drawn uniformly."""
    negative_gap_s: tuple[float, float] = (0.1, 0.5)
    """Seconds of quiet after each clip of a negative track. It counts as audio without words and lowers the false-alarm
    rate, so keep it short."""
    recordings: tuple[RecordingConfig, ...] = ()
    """Long recordings: their words are the condition `recorded`, the rest counts as audio without words."""
    fah_targets: tuple[float, ...] = (0.05, 0.1, 0.5, 1.0)
    """False alarms per hour for which the bundle stores a threshold and the report states the miss rate."""
    operating_fah: float = Field(0.5, gt=0)
    """False alarms per hour of the default operating point; its threshold is chosen on val."""
    operating_frr: float = Field(0.1, gt=0, le=1)
    """Largest miss rate (FRR) on the clean test words at `operating_fah` at which the report marks a word as ready."""
    near_miss_limits: dict[int, float] = Field(default_factory=dict)
    """Largest share of near misses that may fire on val, by their distance in phonemes (4: four or more), such as
    `{1: 0.6}`. The threshold is raised until all limits hold; empty for no limit."""
    smoothing_grid_s: tuple[float, ...] = ()
    """Smoothing windows in seconds to try on val at the operating point. The bundle takes the one with the fewest
    misses if it saves more than 1 % of the words. Longer windows add latency; empty keeps `detector.smoothing_s`."""
    refractory_grid_s: tuple[float, ...] = ()
    """The same for `detector.refractory_s`; all pairs of both grids are tried."""
    hit_before_s: float = Field(0.2, ge=0)
    """An event up to this many seconds before the end of a word is a hit."""
    hit_after_s: float = Field(1.0, gt=0)
    """An event up to this many seconds after the end of a word is a hit."""
    confidence: float = Field(0.95, gt=0.5, lt=1)
    """Confidence level of every interval in the report."""
    seed: int = 0
    """Seed of the tracks (order, gaps, noise) and of the bootstrap. Reports compare only with equal seeds."""

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
        """`fah_targets` and `operating_fah` in ascending order."""
        return tuple(sorted({*self.fah_targets, self.operating_fah}))
