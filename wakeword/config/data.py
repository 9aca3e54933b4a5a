"""Where clips come from and how they are prepared."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from wakeword.config.base import Section, UserPath

ClipKind = Literal["wakeword", "confusable", "speech", "noise", "music", "rir", "hard_negative"]


class SourceConfig(Section):
    """One place that clips come from; `type` names an entry of the registry in `wakeword.data.sources`."""

    type: str
    uri: UserPath
    kind: ClipKind | None = None
    """Kind of every clip; None reads it from the source (CSV) or from the folder's name."""
    optional: bool = False
    """True: an absent source is reported and skipped."""
    limit: int | None = Field(None, ge=1)
    """At most this many clips, spread over the source: the same ones every time."""
    licence: str = ""
    """Licence of clips whose source names none of its own."""
    weight: float = Field(1.0, gt=0, allow_inf_nan=False)
    """How often training draws a clip of this source, against a clip of weight 1 that could come in its place: as the
    same wake word, or in the same group of negatives. Val and test are not weighted, nor are room responses."""


class QualityConfig(Section):
    """What makes a clip unfit; each check has a reason code in the quarantine table."""

    min_clip_s: float = Field(0.2, ge=0)
    max_clip_s: float = Field(15.0, gt=0)
    """Longer wake words, confusables and hard negatives are unfit; longer speech, noise and music is cut
    (`data.max_kept_s`)."""
    min_level_dbfs: float = Field(-60.0, le=0)
    """Quieter wake words, speech and hard negatives (RMS of the loudest second) are unfit."""
    max_clipped_share: float = Field(0.05, ge=0, le=1)
    max_dc_offset: float = Field(0.1, gt=0, le=1)
    """Clips whose mean lies further from 0 (full scale is 1) are unfit; room responses are not asked."""
    min_snr_db: float | None = None
    """Wake words, confusables and speech that stand less above their pauses are unfit; None: all are fit. Clips without
    a pause are not judged."""
    max_duration_error: float = Field(0.05, gt=0)
    """Clips longer or shorter than their manifest's `duration_s` by a larger share (and by more than 0.1 s) are unfit:
    a header with a wrong sample rate shows there."""
    decode_timeout_s: float = Field(20.0, gt=0)
    """A file of which one block (about a million values) takes longer to decode is given up."""
    guarded: bool = True
    """Decode in a child process with limits on memory and CPU time: a crash of the decoder costs one file."""
    duplicates: Literal["near", "equal", "keep"] = "near"
    """Copies of one recording in two splits are taken out of one: equal samples and copies by fingerprint (`near`),
    equal samples alone, or none (`keep`)."""


class SplitConfig(Section):
    """Speaker-disjoint splits for clips whose source gives none."""

    val: float = Field(0.15, ge=0, lt=1)
    test: float = Field(0.15, ge=0, lt=1)

    @model_validator(mode="after")
    def _leaves_train(self) -> SplitConfig:
        if self.val + self.test >= 1:
            raise ValueError(f"val + test = {self.val + self.test} leaves nothing to train on; keep it below 1")
        return self


class DataConfig(Section):
    """Preparation: sources to shards."""

    sources: tuple[SourceConfig, ...] = ()
    quality: QualityConfig = QualityConfig()
    splits: SplitConfig = SplitConfig()
    shard_mb: float = Field(128.0, gt=0)
    negative_labels: tuple[str, ...] = ()
    """Labels of other words that are like a configured one (`travis` beside `jarvis`): their clips are negatives,
    without an error or a warning."""
    max_kept_s: float = Field(30.0, gt=0)
    """Longer speech, noise and music is cut into pieces of at most this length (wake words are never cut)."""
