"""The tables of a prepared folder that the report on data prints and judges; no audio is read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from wakeword.data.label_uses import LabelUse, uses_of
from wakeword.data.manifest import MANIFEST_SCHEMA, SPLITS, VOICED
from wakeword.data.shards import ShardSet
from wakeword.data.synthesis.listing import CONFUSABLES, VOICES, VOICES_SCHEMA
from wakeword.errors import DataError

MEASURES = ["pitch_hz", "loudness_db", "snr_db", "duration_s"]
PLACE = ["split", "kind", "label", "source", "licence"]
REFUSED = ["reason", "uri", "detail"]
SPOKEN = VOICES_SCHEMA.names
NEAR_MISSES = ["word", "phoneme_distance", "text", "split", "clips"]
SUMS = ["clips", "hours", "unnamed", "guessed", "synthetic", "weight", "people_weight"]
_READ = ["text", "speaker", "speaker_source", "synthetic", "weight", "resembles", "phoneme_distance", "gender"]


@dataclass(frozen=True, eq=False)
class DataFacts:
    """Tables of a prepared folder.

    Attributes:
        labels: wake words that the folder was prepared for.
        amounts: a row per split, kind, label, source and licence (`PLACE`) with `SUMS`: clips, hours, voiced clips
            without a speaker, clips with a guessed speaker, clips of engines, weights of all clips and of people's.
        voices: a row per split, kind, label and named speaker, with the stated gender and the median pitch in Hz; None
            or NaN where unknown.
        measures: a row per clip with its split, kind and `MEASURES` (NaN where nothing was measured).
        refused: reason, uri and detail of each row of the quarantine table.
        near_misses: a row per text with the `NEAR_MISSES` columns.
        spoken: clips that engines spoke, a row per voice, label and reason to leave them out (`SPOKEN`).
        duplicates: pairs of equal clips, pairs of copies, clips removed from a split; empty if not searched for.
        warnings: those of the preparation.
        labelled: the use that was made of each label of each source.
    """

    root: str
    config_hash: str
    labels: tuple[str, ...]
    amounts: pd.DataFrame
    voices: pd.DataFrame
    measures: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["split", "kind", *MEASURES]))
    refused: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=REFUSED))
    near_misses: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=NEAR_MISSES))
    spoken: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=SPOKEN))
    duplicates: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    labelled: tuple[LabelUse, ...] = ()

    def of(self, split: str | None = None, kinds: str | Collection[str] = (), label: str | None = None) -> pd.DataFrame:
        """Rows of `amounts` of a split, of kinds, of a label (left out: all)."""
        return _chosen(self.amounts, split, kinds, label)

    def clips(self, split: str | None = None, kinds: str | Collection[str] = (), label: str | None = None) -> int:
        """Number of clips."""
        return int(self.of(split, kinds, label)["clips"].sum())

    def hours(self, split: str | None = None, kinds: str | Collection[str] = ()) -> float:
        """Hours of audio."""
        return float(self.of(split, kinds)["hours"].sum())

    def speakers(self, split: str, label: str | None = None) -> pd.DataFrame:
        """Rows of `voices` of a wake word; without a label, of everything with a voice."""
        return _chosen(self.voices, split, () if label is None else "wakeword", label)

    @cached_property
    def overlap(self) -> dict[str, tuple[str, ...]]:
        """Splits of each speaker who is in several."""
        splits = self.voices.groupby("speaker")["split"].unique()
        return {str(name): tuple(sorted(own, key=SPLITS.index)) for name, own in splits.items() if len(own) > 1}


def _chosen(table: pd.DataFrame, split: str | None, kinds: str | Collection[str], label: str | None) -> pd.DataFrame:
    if split is not None:
        table = table[table["split"] == split]
    if kinds:
        table = table[table["kind"].isin([kinds] if isinstance(kinds, str) else list(kinds))]
    return table if label is None else table[table["label"] == label]


def read_facts(folder: str | Path) -> DataFacts:
    """Read a prepared folder's tables.

    Raises:
        DataError: the folder is not prepared, is of another version, or a table of it is absent or damaged.
    """
    shards = ShardSet.open(folder)
    manifest, quarantine = shards.root / "manifest.parquet", shards.root / "quarantine.parquet"
    spoken = shards.root / VOICES
    table = _table(manifest)
    if not table.schema.equals(MANIFEST_SCHEMA):
        raise DataError(f"{manifest} has other columns than this version writes: run `wakeword prepare` again")
    clips = table.select([*PLACE, *_READ, *MEASURES]).to_pandas()
    return DataFacts(
        root=str(shards.root),
        config_hash=shards.config_hash,
        labels=tuple(shards.labels),
        amounts=_amounts(clips),
        voices=_voices(clips),
        measures=clips[["split", "kind", *MEASURES]],
        refused=_table(quarantine).to_pandas()[REFUSED] if quarantine.is_file() else pd.DataFrame(columns=REFUSED),
        near_misses=_near_misses(shards.root / CONFUSABLES, clips),
        spoken=_table(spoken).to_pandas()[SPOKEN] if spoken.is_file() else pd.DataFrame(columns=SPOKEN),
        duplicates=dict(shards.index.get("duplicates", {})),
        warnings=tuple(shards.index.get("warnings", ())),
        labelled=tuple(uses_of(shards.index)),
    )


def _table(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        text = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read ({text}): run `wakeword prepare` again") from error


def _amounts(clips: pd.DataFrame) -> pd.DataFrame:
    counted = clips.assign(
        clips=1,
        hours=clips["duration_s"] / 3600,
        unnamed=clips["kind"].isin(VOICED) & (clips["speaker"] == ""),
        guessed=clips["speaker_source"] == "guessed",
        people_weight=clips["weight"] * ~clips["synthetic"].astype(bool),
    )
    return counted.groupby(PLACE, as_index=False)[SUMS].sum()


def _voices(clips: pd.DataFrame) -> pd.DataFrame:
    """A speaker whose clips state several genders has none."""
    named = clips[clips["kind"].isin(VOICED) & (clips["speaker"] != "")]
    groups = named.assign(gender=named["gender"].replace("", None)).groupby(["split", "kind", "label", "speaker"])
    found = groups.agg(genders=("gender", "nunique"), gender=("gender", "first"), pitch_hz=("pitch_hz", "median"))
    return found.assign(gender=found["gender"].where(found["genders"] == 1, None)).drop(columns="genders").reset_index()


def _near_misses(path: Path, clips: pd.DataFrame) -> pd.DataFrame:
    """The texts that synthesis wrote, else those of the clips."""
    if path.is_file():
        found = _table(path).to_pandas()
    else:
        chosen, keys = clips[clips["kind"] == "confusable"], ["resembles", *NEAR_MISSES[1:-1]]
        found = chosen.groupby(keys, dropna=False, as_index=False).size().rename(columns={"size": "clips"})
    found = found.rename(columns={"resembles": "word"})
    return found[NEAR_MISSES].sort_values(NEAR_MISSES[:-1], ignore_index=True)
