"""Where clips come from and how they are prepared."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from wakeword.config.base import Section, UserPath

ClipKind = Literal["wakeword", "confusable", "speech", "noise", "music", "rir", "hard_negative"]


class SourceConfig(Section):
    """One source of clips. See the reference of sources for the layout that each type expects."""

    type: str
    """Reader of the source, such as `folder`, `csv` or `parquet`."""
    uri: UserPath
    """File or folder of the source: a path or a URI."""
    kind: ClipKind | None = None
    """Kind of every clip; null takes it from the source's columns or folder names."""
    optional: bool = False
    """True: a missing source is skipped with a warning. False: it is an error."""
    limit: int | None = Field(None, ge=1)
    """Largest number of clips, spread evenly over the source; the same clips every time. Use it for quick trials."""
    licence: str = ""
    """Licence of clips for which the source names none."""
    weight: float = Field(1.0, gt=0, allow_inf_nan=False)
    """How often training draws a clip of this source, relative to a clip of weight 1 of the same wake word or the same
    group of negatives. It does not apply to val, test and room responses."""


class QualityConfig(Section):
    """Checks of clips. A clip that fails one goes to the quarantine table with a reason code."""

    min_clip_s: float = Field(0.2, ge=0)
    """Shortest clip in seconds."""
    max_clip_s: float = Field(15.0, gt=0)
    """Longest wake word, confusable or hard negative in seconds; longer speech, noise and music is cut instead
    (`data.max_kept_s`)."""
    min_level_dbfs: float = Field(-60.0, le=0)
    """Lowest level of wake words, speech and hard negatives in dBFS (RMS of the loudest second)."""
    max_clipped_share: float = Field(0.05, ge=0, le=1)
    """Largest share of a voiced clip's samples at full scale."""
    max_dc_offset: float = Field(0.1, gt=0, le=1)
    """Largest absolute mean of a clip's samples (full scale is 1). Room impulse responses are not checked."""
    min_snr_db: float | None = None
    """Lowest SNR of wake words, confusables and speech in dB: speech level above the level of the pauses. Clips without
    a pause are not checked; null switches the check off."""
    max_duration_error: float = Field(0.05, gt=0)
    """Largest relative difference between a clip's length and its manifest's `duration_s` (differences up to 0.1 s
    pass). It finds headers with a wrong sample rate."""
    decode_timeout_s: float = Field(20.0, gt=0)
    """Seconds after which decoding one block of a file (about a million values) is given up. Raise it for slow network
    storage."""
    guarded: bool = True
    """Decode in a child process with limits on memory and CPU time, so that a decoder crash costs one file. False is
    faster; use it for trusted files only."""
    duplicates: Literal["near", "equal", "keep"] = "near"
    """Copies of one recording in two splits are removed from one of them: equal samples and near copies by audio
    fingerprint (`near`), equal samples only (`equal`), or none (`keep`)."""


class SplitConfig(Section):
    """Speaker-disjoint splits of clips whose source gives no split; the rest is train."""

    val: float = Field(0.15, ge=0, lt=1)
    """Share of the speakers in val, on which thresholds are chosen."""
    test: float = Field(0.15, ge=0, lt=1)
    """Share of the speakers in test, on which results are measured."""

    @model_validator(mode="after")
    def _leaves_train(self) -> SplitConfig:
        if self.val + self.test >= 1:
            raise ValueError(f"val + test = {self.val + self.test} leaves nothing to train on; keep it below 1")
        return self


class DataConfig(Section):
    """Preparation: sources to shards."""

    sources: tuple[SourceConfig, ...] = ()
    """Sources of recordings, in addition to synthetic speech (`synthesis`)."""
    quality: QualityConfig = QualityConfig()
    splits: SplitConfig = SplitConfig()
    shard_mb: float = Field(128.0, gt=0)
    """Approximate size of a shard file in MB."""
    negative_labels: tuple[str, ...] = ()
    """Labels of other words that resemble a configured one (`travis` beside `jarvis`): their clips are negatives,
    without an error or a warning."""
    max_kept_s: float = Field(30.0, gt=0)
    """Speech, noise and music longer than this many seconds is cut into pieces; wake words are never cut."""
