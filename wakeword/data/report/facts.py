"""The tables of a prepared folder that the report on data shows and judges; no audio is read."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from wakeword.data.label_uses import LabelUse, uses_of
from wakeword.data.manifest import MANIFEST_SCHEMA, SPLITS, VOICED
from wakeword.data.shards import ShardSet
from wakeword.errors import DataError

MEASURES = ("pitch_hz", "loudness_db", "snr_db", "duration_s")
PLACE = ["split", "kind", "label", "source", "licence"]
REFUSED = ["reason", "uri", "detail"]
NEAR_MISSES = ["word", "phoneme_distance", "text", "split", "clips"]
SUMS = ("clips", "hours", "unnamed", "guessed", "synthetic", "weight", "people_weight")


@dataclass(frozen=True, eq=False)
class DataFacts:
    """Tables of a prepared folder.

    Attributes:
        root: the folder.
        config_hash: of the data in it.
        labels: wake words that it was prepared for.
        amounts: a row per split, kind, label, source and licence (`PLACE`) with `SUMS`: clips, their hours, clips with
            a voice but without a speaker, with a speaker guessed from the file name, spoken by an engine; the weights
            of all clips and of those that people spoke.
        voices: a row per split, kind, label and named speaker of the kinds with a voice, with the gender that the
            source states and the median pitch in Hz; None or NaN where unknown.
        measures: a row per clip with its split, kind and `MEASURES` (NaN where nothing was measured).
        refused: a row per row of the quarantine table: reason, uri, detail.
        near_misses: a row per text: word, distance in phonemes, text, split, clips.
        duplicates: pairs of equal clips, pairs of copies, clips removed from a split; empty if not looked for.
        warnings: those of the preparation.
        labelled: the use that was made of each label of each source.
    """

    root: str
    config_hash: str
    labels: tuple[str, ...]
    amounts: pd.DataFrame
    voices: pd.DataFrame
    measures: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=["split", "kind", *MEASURES]))
    refused: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=REFUSED))
    near_misses: pd.DataFrame = field(default_factory=partial(pd.DataFrame, columns=NEAR_MISSES))
    duplicates: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    labelled: tuple[LabelUse, ...] = ()

    def of(self, split: str | None = None, kinds: str | Collection[str] = (), label: str | None = None) -> pd.DataFrame:
        """Rows of `amounts` of a split, of kinds, of a label (left out: all)."""
        return _chosen(self.amounts, split, kinds, label)

    def clips(self, split: str | None = None, kinds: str | Collection[str] = (), label: str | None = None) -> int:
        """Number of clips."""
        return int(self.of(split, kinds, label)["clips"].sum())

    def hours(self, split: str | None = None, kinds: str | Collection[str] = (), label: str | None = None) -> float:
        """Hours of audio."""
        return float(self.of(split, kinds, label)["hours"].sum())

    def speakers(self, split: str, label: str | None = None) -> pd.DataFrame:
        """Rows of `voices` of a wake word; without a label, of everything with a voice."""
        return _chosen(self.voices, split, () if label is None else "wakeword", label)

    @cached_property
    def overlap(self) -> dict[str, tuple[str, ...]]:
        """Speakers who are in several splits, with the splits."""
        pairs = self.voices[["speaker", "split"]].drop_duplicates()
        several = pairs[pairs.duplicated("speaker", keep=False)]
        return {
            str(speaker): tuple(sorted(own["split"], key=SPLITS.index)) for speaker, own in several.groupby("speaker")
        }


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
    shard_set = ShardSet.open(folder)
    root = shard_set.root
    table = _table(root / "manifest.parquet")
    if not table.schema.equals(MANIFEST_SCHEMA):
        raise DataError(
            f"{root / 'manifest.parquet'} has other columns than this version writes: run `wakeword prepare` again"
        )
    columns = [
        *PLACE,
        "text",
        "speaker",
        "speaker_source",
        "synthetic",
        "weight",
        "resembles",
        "phoneme_distance",
        "gender",
    ]
    clips = table.select([*columns, *MEASURES]).to_pandas()
    quarantine = root / "quarantine.parquet"
    refused = _table(quarantine).to_pandas()[REFUSED] if quarantine.is_file() else pd.DataFrame(columns=REFUSED)
    return DataFacts(
        root=str(root),
        config_hash=shard_set.config_hash,
        labels=tuple(shard_set.labels),
        amounts=_amounts(clips),
        voices=_voices(clips),
        measures=clips[["split", "kind", *MEASURES]],
        refused=refused,
        near_misses=_near_misses(root / "confusables.parquet", clips),
        duplicates=dict(shard_set.index.get("duplicates", {})),
        warnings=tuple(shard_set.index.get("warnings", ())),
        labelled=tuple(uses_of(shard_set.index)),
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
    return counted.groupby(PLACE, as_index=False)[list(SUMS)].sum()


def _voices(clips: pd.DataFrame) -> pd.DataFrame:
    """A speaker whose clips state several genders has none."""
    named = clips[clips["kind"].isin(VOICED) & (clips["speaker"] != "")]
    groups = named.assign(gender=named["gender"].replace("", None)).groupby(["split", "kind", "label", "speaker"])
    found = groups.agg(genders=("gender", "nunique"), gender=("gender", "first"), pitch_hz=("pitch_hz", "median"))
    return found.assign(gender=found["gender"].where(found["genders"] == 1, None)).drop(columns="genders").reset_index()


def _near_misses(path: Path, clips: pd.DataFrame) -> pd.DataFrame:
    """The texts that synthesis wrote down, else those of the clips."""
    if path.is_file():
        found = _table(path).to_pandas().rename(columns={"resembles": "word"})
    else:
        chosen = clips[clips["kind"] == "confusable"].rename(columns={"resembles": "word"})
        found = chosen.groupby(NEAR_MISSES[:-1], dropna=False, as_index=False).size().rename(columns={"size": "clips"})
    return found[NEAR_MISSES].sort_values(NEAR_MISSES[:-1], ignore_index=True)
