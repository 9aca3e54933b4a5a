"""Clips of one split by number, wherever they are read: in this process, or again from the shards in another one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wakeword.data.shards import ShardSet

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Clips:
    """Clips of one split: `table` (columns of the shard schema); rows are named by number.

    `root` is the prepared folder that `table` was mapped from, and `split` its split there: a copy that goes to another
    process then opens the shards again, instead of carrying their audio. Without `root` the table itself is carried.
    """

    table: pa.Table
    root: str = ""
    split: str = ""
    _digests: dict[int, bytes] = field(default_factory=dict, compare=False, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.root:
            return _reopened, (self.root, self.split)
        return Clips, (self.table,)

    def audio(self, row: int) -> Audio:
        """Samples `(samples,)` of a row, float32 in [-1, 1)."""
        return np.frombuffer(self._raw(row), dtype="<i2") * np.float32(1 / 32768)

    def samples(self, row: int) -> int:
        """Length of a row in samples."""
        return self._raw(row).size // 2

    def digest(self, row: int) -> bytes:
        """SHA-256 of a row's samples; they are read once."""
        if row not in self._digests:
            self._digests[row] = hashlib.sha256(self._raw(row)).digest()
        return self._digests[row]

    def rows(self, *kinds: str) -> list[int]:
        """Numbers of the rows of some kinds."""
        return [row for row, kind in enumerate(self.table.column("kind").to_pylist()) if kind in kinds]

    def _raw(self, row: int) -> pa.Buffer:
        return self.table.column("audio")[row].as_buffer()


def _reopened(root: str, split: str) -> Clips:
    """The same clips in another process, which must see the folder. Raises DataError where it does not."""
    return Clips(ShardSet.open(root).table(split), root, split)


@dataclass(frozen=True)
class Pool:
    """Recordings to mix in: some rows of a split."""

    split: str
    clips: Clips
    rows: tuple[int, ...]

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of all its recordings, in their order: a draw names one by its place."""
        whole = hashlib.sha256()
        for row in self.rows:
            whole.update(self.clips.digest(row))
        return whole.digest()
