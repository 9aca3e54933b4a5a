"""The recordings that are mined, without the val and test clips of a prepared folder (by name, voice and sound)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
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
"""Confusables are not mined: training and evaluation treat them separately."""


class Evaluated:
    """The val and test clips of a prepared folder, which must not be mined.

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
                f"{prepared_dir} holds no val or test clips to measure the effect of mining: set data.splits.val "
                "and data.splits.test, and prepare again"
            )
        self._index = FingerprintIndex(prints)

    def copy_of(self, print_: np.ndarray, first: int, last: int) -> str:
        """The clip that shares audio with frames `first` to `last` of a fingerprint, with its bit errors, or empty."""
        found = self._index.match(print_, first, last)
        return f"{self._clips[found[0]]}, {found[1]:.0%} of the fingerprint's bits differ" if found else ""


def _rows(shards: ShardSet, split: str) -> Iterator[Row]:
    """Rows of a split, a record batch in memory at a time."""
    for batch in shards.table(split).select(["uri", "speaker", "kind", "clip_id", "audio"]).to_batches():
        # Room impulse responses are alike and are not mined.
        yield from (row for row in batch.to_pylist() if row["kind"] != "rir")


def prepared_negatives(prepared_dir: str | Path) -> pa.Table:
    """Source recordings of the train split of `MINED_KINDS`: rows of `MANIFEST_SCHEMA`.

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
    # Prepared pieces of a recording have the ids `id#0`, `id#1`, ….
    return set_column(table, "clip_id", [re.sub(r"#\d+$", "", name) for name in table.column("clip_id").to_pylist()])


def source_of(text: str) -> SourceConfig:
    """A source from its text: `TYPE:URI` with a type of `data.sources`, or a folder of recordings of any length."""
    kind, separator, uri = text.partition(":")
    if separator and kind in source_types() and uri:
        return SourceConfig(type=kind, uri=uri)
    # A tree of sounds whose folders name neither words nor speakers.
    return SourceConfig(type="noise_folder", uri=text, kind="speech")


def find_negatives(
    sources: Sequence[SourceConfig],
    prepared_dir: str | Path,
    words: Sequence[WordConfig],
    evaluated: Evaluated,
    own: Path,
) -> tuple[pa.Table, list[Row]]:
    """Recordings without a word and not in val or test by split, name or voice, each once; and the rows left out.

    Args:
        sources: of the recordings; without any, those of the train split in `prepared_dir`.
        words: those of the bundle and of the recipe.
        evaluated: the clips of val and test.
        own: the mining folder, whose files are not mined.

    Returns:
        the recordings by uri (`MANIFEST_SCHEMA`; pieces of one recording count once), and rows of the quarantine.

    Raises:
        DataError: a source is absent, or no recording is left.
    """
    found = [read_source(source, words) for source in sources]
    tables = [source.clips for source in found] if sources else [prepared_negatives(prepared_dir)]
    left_out = [row for source in found for row in source.quarantine]
    clips = pa.concat_tables([MANIFEST_SCHEMA.empty_table(), *tables]).combine_chunks()
    labels = {word.label for word in words}
    worded = {row["uri"] for row in assign_words(clips, words)[1]}
    chosen: dict[str, Row] = {}
    refusals: dict[str, tuple[str, str]] = {}
    for row in clips.to_pylist():
        if row["uri"].startswith(f"{own}/"):
            continue
        if refusal := _refusal(row, labels, worded, evaluated):
            refusals.setdefault(row["uri"], refusal)
        chosen.setdefault(row["uri"], row)
    for uri, fault in sorted(refusals.items()):
        left_out.append(quarantine_row(uri, chosen.pop(uri)["source"], "mining", *fault))
    if not chosen:
        reasons = ", ".join(sorted({row["reason"] for row in left_out}))
        raise DataError(
            f"no negatives are left to mine{f' (left out: {reasons})' if reasons else ''}: name a source of speech, "
            "noise or music with --source, or prepare a recipe that has some in train"
        )
    return clip_table(chosen[uri] for uri in sorted(chosen)), left_out


def _refusal(row: Row, labels: set[str], worded: set[str], evaluated: Evaluated) -> tuple[str, str] | None:
    if row["kind"] == "wakeword" and row["label"] in labels:
        return "is_word", f"is a clip of {row['label']}"
    if row["uri"] in worded:
        return "contains_word", "its text, label or `contains` names a word"
    if row["kind"] not in (*MINED_KINDS, "wakeword"):
        return "wrong_kind", f"kind {row['kind']}, mined are {', '.join(MINED_KINDS)}"
    split = evaluated.uris.get(row["uri"]) or row["split"]
    if split in ("val", "test"):
        return "in_evaluation", f"is in {split}"
    if row["speaker"] and row["kind"] in VOICED and row["speaker"] in evaluated.speakers:
        return "speaker_in_evaluation", f"speaker {row['speaker']} is in {evaluated.speakers[row['speaker']]}"
    return None
