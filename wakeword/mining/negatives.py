"""What mining hears, and what must stay out: val and test clips of a prepared folder, by name, voice and sound."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wakeword.audio.fingerprint import FingerprintIndex, fingerprint
from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.data.manifest import MANIFEST_SCHEMA, VOICED, Row, clip_table, quarantine_row, set_column
from wakeword.data.shards import ShardSet
from wakeword.data.sources.types import read_source, source_types
from wakeword.data.words import assign_words
from wakeword.errors import DataError

MINED_KINDS = ("speech", "noise", "music")
"""Confusables have a share of their own in training, and a figure of their own in evaluation."""


@dataclass
class Negatives:
    """Recordings to hear, a row of `MANIFEST_SCHEMA` each, by uri; and what was left out, with a reason each."""

    recordings: pa.Table
    left_out: list[Row] = field(default_factory=list)


class Evaluated:
    """The val and test clips of a prepared folder: no stretch of them may be mined.

    Attributes:
        config_hash: of the prepared data.
        labels: wake words that they were prepared for.
        uris: split by recording.
        speakers: split by speaker, of voices.
        digests: clip id by the SHA-256 of its samples.
    """

    def __init__(self, prepared_dir: str | Path) -> None:
        """Read the clips and fingerprint them (some seconds an hour of audio).

        Raises:
            DataError: the folder is not prepared, or holds neither val nor test clips.
        """
        shards = ShardSet.open(prepared_dir)
        self.config_hash, self.labels = shards.config_hash, shards.labels
        self.uris: dict[str, str] = {}
        self.speakers: dict[str, str] = {}
        self.digests: dict[str, str] = {}
        self._clips: list[str] = []
        prints = []
        for split in ("val", "test"):
            for row in _rows(shards, split):
                self.uris[row["uri"]] = split
                if row["speaker"] and row["kind"] in VOICED:
                    self.speakers[row["speaker"]] = split
                self.digests[hashlib.sha256(row["audio"]).hexdigest()] = f"{row['clip_id']} ({split})"
                self._clips.append(f"{row['clip_id']} ({split})")
                prints.append(fingerprint(np.frombuffer(row["audio"], "<i2").astype(np.float32) / 32768.0))
        if not self._clips:
            raise DataError(
                f"{prepared_dir} holds no val or test clips, so nothing would show whether mining helps: set "
                "data.splits.val and data.splits.test, and prepare again"
            )
        self._index = FingerprintIndex(prints)

    def copy_of(self, print_: np.ndarray, first: int, last: int) -> str:
        """Which clip shares audio with frames `first` to `last` of a fingerprint, and how surely; empty for none."""
        found = self._index.match(print_, first, last)
        return f"{self._clips[found[0]]}, {found[1]:.0%} of the fingerprint's bits differ" if found else ""


def _rows(shards: ShardSet, split: str) -> Iterator[Row]:
    """Rows of a split, a record batch in memory at a time."""
    for batch in shards.table(split).select(["uri", "speaker", "kind", "clip_id", "audio"]).to_batches():
        # Room responses are alike by nature and nothing to mine from.
        yield from (row for row in batch.to_pylist() if row["kind"] != "rir")


def prepared_negatives(prepared_dir: str | Path) -> pa.Table:
    """Recordings of the train split that hold no wake word, as they lie at their source: `MANIFEST_SCHEMA`.

    Raises:
        DataError: the folder is not prepared.
    """
    shards = ShardSet.open(prepared_dir)
    try:
        table = pq.read_table(shards.root / "manifest.parquet", schema=MANIFEST_SCHEMA)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{shards.root / 'manifest.parquet'} cannot be read ({error}): prepare again") from error
    mined = pc.is_in(table.column("kind"), pa.array(MINED_KINDS))
    table = table.filter(pc.and_(pc.equal(table.column("split"), "train"), mined))
    # What is mined is cut into pieces when it is prepared (`id#0`, `id#1`, …).
    return set_column(table, "clip_id", [re.sub(r"#\d+$", "", name) for name in table.column("clip_id").to_pylist()])


def source_of(text: str) -> SourceConfig:
    """A source as it is typed: `TYPE:URI` with a type of `data.sources`, or a folder of recordings of any length."""
    kind, separator, uri = text.partition(":")
    if separator and kind in source_types() and uri:
        return SourceConfig(type=kind, uri=uri)
    # A tree of sounds whose folders name no words; whoever speaks in them is not known.
    return SourceConfig(type="noise_folder", uri=text, kind="speech")


def find_negatives(
    tables: Sequence[pa.Table],
    words: Sequence[WordConfig],
    evaluated: Evaluated,
    left_out: Sequence[Row] = (),
    own: str | Path = "",
) -> Negatives:
    """Take out what holds a word, what is in val or test by split, name or voice, and what is there twice.

    Args:
        tables: clips of the sources (`MANIFEST_SCHEMA`); pieces of one recording count once.
        words: those of the bundle and of the recipe.
        evaluated: the clips that must stay apart.
        left_out: what the sources themselves refused.
        own: the mining folder; what lies in it is no recording.

    Raises:
        DataError: nothing is left to hear.
    """
    clips = pa.concat_tables([MANIFEST_SCHEMA.empty_table(), *tables]).combine_chunks()
    found = Negatives(MANIFEST_SCHEMA.empty_table(), list(left_out))
    labels = {word.label for word in words}
    chosen: dict[str, Row] = {}
    worded = {row["uri"] for row in assign_words(clips, words)[1]}
    refusals: dict[str, tuple[str, str]] = {}
    for row in clips.to_pylist():
        if own and row["uri"].startswith(f"{own}/"):
            continue
        refusal = _refusal(row, labels, worded, evaluated)
        if refusal:
            refusals.setdefault(row["uri"], refusal)
        chosen.setdefault(row["uri"], row)
    for uri, (reason, detail) in sorted(refusals.items()):
        found.left_out.append(quarantine_row(uri, chosen.pop(uri)["source"], "mining", reason, detail))
    if not chosen:
        counted = sorted({row["reason"] for row in found.left_out})
        raise DataError(
            "no negatives are left to mine" + (f" (left out: {', '.join(counted)})" if counted else "") + ": name a "
            "source of speech, noise or music with --source, or prepare a recipe that has some in train"
        )
    found.recordings = clip_table(chosen[uri] for uri in sorted(chosen))
    return found


def _refusal(row: Row, labels: set[str], worded: set[str], evaluated: Evaluated) -> tuple[str, str] | None:
    if row["kind"] == "wakeword" and row["label"] in labels:
        return "is_word", f"is a clip of {row['label']}"
    if row["uri"] in worded:
        return "contains_word", "a word is said in it"
    if row["kind"] not in (*MINED_KINDS, "wakeword"):
        return "wrong_kind", f"kind {row['kind']}, mined are {', '.join(MINED_KINDS)}"
    split = evaluated.uris.get(row["uri"]) or row["split"]
    if split in ("val", "test"):
        return "in_evaluation", f"is in {split}"
    if row["speaker"] and row["kind"] in VOICED and row["speaker"] in evaluated.speakers:
        return "speaker_in_evaluation", f"speaker {row['speaker']} is in {evaluated.speakers[row['speaker']]}"
    return None


def read_sources(sources: Sequence[SourceConfig], words: Sequence[WordConfig]) -> tuple[list[pa.Table], list[Row]]:
    """Clips of several sources, and what these refused.

    Raises:
        DataError: a source is absent, or nothing in it can be read.
    """
    tables, refused = [], []
    for source in sources:
        found = read_source(source, words)
        tables.append(found.clips)
        refused += found.quarantine
    return tables, refused
