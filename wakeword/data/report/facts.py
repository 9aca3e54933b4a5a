"""What a prepared folder holds, counted: the facts that the report on data shows and judges."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wakeword.data.label_uses import LabelUse, uses_of
from wakeword.data.manifest import MANIFEST_SCHEMA, SPLITS, VOICED
from wakeword.data.shards import ShardSet
from wakeword.errors import DataError

EXAMPLES = 3
"""Refused files that are named for each reason."""
MEASURES = ("pitch_hz", "loudness_db", "snr_db", "duration_s")
_COLUMNS = (
    *(
        "clip_id",
        "kind",
        "label",
        "text",
        "speaker",
        "speaker_source",
        "split",
        "source",
        "licence",
        "synthetic",
        "weight",
    ),
    *("resembles", "distance", "gender", *MEASURES),
)


@dataclass(frozen=True)
class Amount:
    """Clips of one split, kind and label.

    Attributes:
        speakers: distinct known ones; 0 for kinds without a voice.
        unnamed: clips that name no speaker.
        synthetic: clips that an engine spoke.
        guessed: clips whose speaker is guessed from the file's name.
        weight: sum of all clips' weights.
        people_weight: sum of the weights of clips that no engine spoke.
    """

    split: str
    kind: str
    label: str
    clips: int
    hours: float
    speakers: int = 0
    unnamed: int = 0
    synthetic: int = 0
    guessed: int = 0
    weight: float = 0.0
    people_weight: float = 0.0


@dataclass(frozen=True)
class SourceAmount:
    """What one source gives to one split, kind and label."""

    source: str
    licence: str
    split: str
    kind: str
    label: str
    clips: int
    hours: float


@dataclass(frozen=True)
class Voice:
    """A speaker of a wake word: gender as the source tells it, median pitch of the clips; None where unknown."""

    label: str
    split: str
    speaker: str
    gender: str | None
    pitch_hz: float | None


@dataclass(frozen=True)
class Refused:
    """One reason of the quarantine table, with some of its rows as `uri: detail`."""

    reason: str
    count: int
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class NearMiss:
    """A text that resembles a wake word."""

    word: str
    distance: int | None
    text: str
    split: str
    clips: int


@dataclass(frozen=True)
class DataFacts:
    """Everything about a prepared folder that the report needs.

    Attributes:
        root: the folder.
        config_hash: of the data in it.
        labels: wake words that it was prepared for.
        amounts: by split, kind and label.
        sources: by source, licence, split, kind and label.
        voices: speakers of wake words.
        voiced: number of distinct speakers in each split, over wake words, confusables and speech.
        overlap: speakers that are heard in several splits, with the splits.
        values: measured values (not null) by measure and (split, kind).
        duplicates: pairs of equal clips, pairs of copies, clips taken out of a split.
        refused: by reason, most first.
        near_misses: texts that resemble a wake word.
        warnings: what preparation had to say.
        labelled: what became of each label of each source.
    """

    root: str
    config_hash: str
    labels: tuple[str, ...]
    amounts: tuple[Amount, ...] = ()
    sources: tuple[SourceAmount, ...] = ()
    voices: tuple[Voice, ...] = ()
    voiced: dict[str, int] = field(default_factory=dict)
    overlap: dict[str, tuple[str, ...]] = field(default_factory=dict)
    values: dict[str, dict[tuple[str, str], np.ndarray]] = field(default_factory=dict)
    duplicates: dict[str, int] = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()
    near_misses: tuple[NearMiss, ...] = ()
    warnings: tuple[str, ...] = ()
    labelled: tuple[LabelUse, ...] = ()

    def of(self, split: str | None = None, kinds: str | tuple[str, ...] = (), label: str | None = None) -> list[Amount]:
        """Amounts of a split, of kinds, of a label (left out: all)."""
        wanted = (kinds,) if isinstance(kinds, str) else kinds
        return [
            amount
            for amount in self.amounts
            if split in (None, amount.split) and (not wanted or amount.kind in wanted) and label in (None, amount.label)
        ]

    def clips(self, split: str | None = None, kinds: str | tuple[str, ...] = (), label: str | None = None) -> int:
        """Number of clips."""
        return sum(amount.clips for amount in self.of(split, kinds, label))

    def hours(self, split: str | None = None, kinds: str | tuple[str, ...] = (), label: str | None = None) -> float:
        """Hours of audio."""
        return sum(amount.hours for amount in self.of(split, kinds, label))


def read_facts(folder: str | Path) -> DataFacts:
    """Read a prepared folder's tables; no audio is read.

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
    table = table.select(_COLUMNS)
    known = _known_speakers(table)
    return DataFacts(
        root=str(root),
        config_hash=shard_set.config_hash,
        labels=tuple(shard_set.labels),
        amounts=_amounts(table, known),
        sources=_sources(table),
        voices=_voices(known),
        voiced={split: len(set(names)) for split, names in _by_split(known).items()},
        overlap=_overlap(known),
        values=_values(table),
        duplicates=dict(shard_set.index.get("duplicates", {})),
        refused=_refused(root / "quarantine.parquet"),
        near_misses=_near_misses(root / "confusables.parquet", table),
        warnings=tuple(shard_set.index.get("warnings", ())),
        labelled=tuple(uses_of(shard_set.index)),
    )


def _table(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        text = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read ({text}): run `wakeword prepare` again") from error


def _known_speakers(table: pa.Table) -> pa.Table:
    voiced = pc.is_in(table.column("kind"), pa.array(sorted(VOICED)))
    return table.filter(pc.and_(voiced, pc.not_equal(table.column("speaker"), "")))


def _by_split(known: pa.Table) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {split: [] for split in SPLITS}
    for row in known.group_by(["split", "speaker"]).aggregate([]).to_pylist():
        found.setdefault(row["split"], []).append(row["speaker"])
    return found


def _overlap(known: pa.Table) -> dict[str, tuple[str, ...]]:
    splits: dict[str, list[str]] = defaultdict(list)
    for split, speakers in _by_split(known).items():
        for speaker in speakers:
            splits[speaker].append(split)
    return {speaker: tuple(found) for speaker, found in sorted(splits.items()) if len(found) > 1}


def _amounts(table: pa.Table, known: pa.Table) -> tuple[Amount, ...]:
    keys = ["split", "kind", "label"]
    counted = known.group_by(keys).aggregate([("speaker", "count_distinct"), ("clip_id", "count")]).to_pylist()
    speakers = {
        tuple(row[key] for key in keys): (row["speaker_count_distinct"], row["clip_id_count"]) for row in counted
    }
    numbers = table.select([*keys, "clip_id", "duration_s", "weight"])
    numbers = numbers.append_column("synthetic", table.column("synthetic").cast(pa.int64()))
    people = pc.multiply(table.column("weight"), pc.invert(table.column("synthetic")).cast(pa.float64()))
    numbers = numbers.append_column("people", people)
    numbers = numbers.append_column("guessed", pc.equal(table.column("speaker_source"), "guessed").cast(pa.int64()))
    summed = ("duration_s", "synthetic", "guessed", "weight", "people")
    rows = numbers.group_by(keys).aggregate([("clip_id", "count"), *((name, "sum") for name in summed)])
    found = []
    for row in rows.to_pylist():
        split, kind, label = (row[key] for key in keys)
        distinct, named = speakers.get((split, kind, label), (0, 0))
        clips = row["clip_id_count"]
        unnamed = clips - named if kind in VOICED else 0
        hours = (row["duration_s_sum"] or 0.0) / 3600
        sums = [row[f"{name}_sum"] or 0 for name in ("synthetic", "guessed", "weight", "people")]
        found.append(Amount(split, kind, label, clips, hours, distinct, unnamed, *sums))
    return tuple(sorted(found, key=lambda one: (SPLITS.index(one.split), one.kind, one.label)))


def _sources(table: pa.Table) -> tuple[SourceAmount, ...]:
    keys = ["source", "licence", "split", "kind", "label"]
    rows = table.group_by(keys).aggregate([("clip_id", "count"), ("duration_s", "sum")]).to_pylist()
    rows.sort(key=lambda row: tuple(row[key] for key in keys))
    return tuple(
        SourceAmount(
            **{key: row[key] for key in keys},
            clips=row["clip_id_count"],
            hours=(row["duration_s_sum"] or 0.0) / 3600,
        )
        for row in rows
    )


def _voices(known: pa.Table) -> tuple[Voice, ...]:
    words = known.filter(pc.equal(known.column("kind"), "wakeword"))
    keys = ["label", "split", "speaker"]
    rows = words.group_by(keys).aggregate([("gender", "distinct"), ("pitch_hz", "list")]).to_pylist()
    found = []
    for row in sorted(rows, key=lambda row: tuple(row[key] for key in keys)):
        genders = sorted({gender for gender in row["gender_distinct"] if gender})
        pitches = [pitch for pitch in row["pitch_hz_list"] if pitch is not None]
        found.append(
            Voice(
                **{key: row[key] for key in keys},
                gender=genders[0] if len(genders) == 1 else None,
                pitch_hz=float(np.median(pitches)) if pitches else None,
            )
        )
    return tuple(found)


def _values(table: pa.Table) -> dict[str, dict[tuple[str, str], np.ndarray]]:
    kind = np.asarray(table.column("kind").to_pylist(), dtype=object)
    split = np.asarray(table.column("split").to_pylist(), dtype=object)
    found: dict[str, dict[tuple[str, str], np.ndarray]] = {}
    for name in MEASURES:
        values = table.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)
        there = np.isfinite(values)
        for key in sorted(set(zip(split[there].tolist(), kind[there].tolist(), strict=True))):
            found.setdefault(name, {})[key] = values[there & (split == key[0]) & (kind == key[1])]
    return found


def _refused(path: Path) -> tuple[Refused, ...]:
    if not path.is_file():
        return ()
    examples: dict[str, list[str]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for row in _table(path).to_pylist():
        counts[row["reason"]] += 1
        if len(examples[row["reason"]]) < EXAMPLES:
            examples[row["reason"]].append(f"{row['uri']}: {row['detail']}")
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Refused(reason, count, tuple(examples[reason])) for reason, count in ordered)


def _near_misses(path: Path, table: pa.Table) -> tuple[NearMiss, ...]:
    """The texts that synthesis wrote down, else those of the clips."""
    if path.is_file():
        rows: list[dict[str, Any]] = _table(path).to_pylist()
    else:
        chosen = table.filter(pc.equal(table.column("kind"), "confusable"))
        keys = ["resembles", "distance", "text", "split"]
        counted = chosen.group_by(keys).aggregate([("clip_id", "count")]).to_pylist()
        rows = [{**row, "clips": row["clip_id_count"]} for row in counted]
    found = [NearMiss(row["resembles"], row["distance"], row["text"], row["split"], row["clips"]) for row in rows]
    return tuple(sorted(found, key=lambda one: (one.word, one.distance or 99, one.text, one.split)))
