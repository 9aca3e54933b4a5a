"""Shards: uncompressed Arrow IPC files of whole clips, an index with their checksums, and the set of both.

A shard's rows are planned before any audio is decoded, so each shard is a separate unit of work: it is written
atomically, skipped when it is complete, and its bytes are the same on every worker.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from wakeword.data.manifest import SHARD_SCHEMA
from wakeword.errors import DataError
from wakeword.system.files import atomic_path, sha256_of

INDEX_VERSION = 4
"""Increased when older prepared folders cannot be read."""
BATCH_ROWS = 64
"""Rows per record batch: fixed, so that a shard's bytes do not depend on how it was made."""


def write_shard(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write rows as one shard, a record batch at a time, and return their number; without rows there is no file."""
    written, rows = 0, iter(rows)
    with (
        atomic_path(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, SHARD_SCHEMA) as writer,
    ):
        while batch := list(islice(rows, BATCH_ROWS)):
            writer.write_batch(pa.RecordBatch.from_pylist(batch, schema=SHARD_SCHEMA))
            written += len(batch)
    if not written:
        path.unlink()
    return written


@dataclass(eq=False)
class ShardSet:
    """Prepared data: `ShardSet.open(folder)`.

    Attributes:
        root: the prepared folder.
        index: the content of `index.json`.
    """

    root: Path
    index: dict[str, Any]

    @classmethod
    def open(cls, root: str | Path, verify: bool = False) -> ShardSet:
        """Read the index of the folder `root` and check each shard's size; `verify` compares the SHA-256 too.

        Raises:
            DataError: no index, an index of another version, or a shard that is absent or changed.
        """
        root = Path(root)
        path = root / "index.json"
        try:
            index = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise DataError(f"{root} holds no prepared data (no index.json): run `wakeword prepare` first") from error
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read ({error}): run `wakeword prepare` again") from error
        if not isinstance(index, dict) or index.get("version") != INDEX_VERSION:
            raise DataError(
                f"{path} is not of version {INDEX_VERSION}, which this program reads: run `wakeword prepare` again"
            )
        shard_set = cls(root, index)
        for split in shard_set.splits:
            for entry in index["splits"][split]["shards"]:
                shard_set._check(entry, verify)
        return shard_set

    def _check(self, entry: dict[str, Any], verify: bool) -> None:
        path = self.root / entry["file"]
        size = path.stat().st_size if path.is_file() else None
        if size != entry["bytes"]:
            found = "is absent" if size is None else f"has {size} bytes instead of {entry['bytes']}"
            raise DataError(f"shard {path} {found}: run `wakeword prepare` again")
        if verify and sha256_of(path) != entry["sha256"]:
            raise DataError(f"shard {path} was changed after it was written: run `wakeword prepare` again")

    @property
    def splits(self) -> list[str]:
        """Splits that hold clips, in the order train, val, test."""
        return [split for split in ("train", "val", "test") if split in self.index["splits"]]

    @property
    def config_hash(self) -> str:
        """Hash of everything the shards depend on: config sections and the identity of the sources."""
        return str(self.index["config_hash"])

    @property
    def labels(self) -> list[str]:
        """Labels of the wake words that the shards were prepared for."""
        return list(self.index["labels"])

    def paths(self, split: str) -> list[Path]:
        """Shard files of a split, in order."""
        if split not in self.index["splits"]:
            return []
        return [self.root / entry["file"] for entry in self.index["splits"][split]["shards"]]

    def table(self, split: str) -> pa.Table:
        """All clips of a split, memory-mapped: columns of `SHARD_SCHEMA`; `audio` is little-endian int16 at 16 kHz."""
        tables = [_mapped(path) for path in self.paths(split)]
        return pa.concat_tables(tables) if tables else SHARD_SCHEMA.empty_table()


def _mapped(path: Path) -> pa.Table:
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"shard {path} cannot be read ({error}): run `wakeword prepare` again") from error
    if not table.schema.equals(SHARD_SCHEMA):
        raise DataError(f"shard {path} has other columns than this version writes: run `wakeword prepare` again")
    return table
