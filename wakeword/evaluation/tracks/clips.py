"""Clips of one split by row number; other processes open the shards again."""

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
    """Clips of one split: `table` with the columns of the shard schema.

    `root` is the prepared folder of `table` and `split` its split: a copy in another process then opens the shards
    again, so that no audio is sent. Without `root` the table itself is sent.
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
        """SHA-256 of a row's samples, cached."""
        if row not in self._digests:
            self._digests[row] = hashlib.sha256(self._raw(row)).digest()
        return self._digests[row]

    def rows(self, *kinds: str) -> list[int]:
        """Numbers of the rows of these kinds."""
        return [row for row, kind in enumerate(self.table.column("kind").to_pylist()) if kind in kinds]

    def _raw(self, row: int) -> pa.Buffer:
        return self.table.column("audio")[row].as_buffer()


def _reopened(root: str, split: str) -> Clips:
    """Open the clips in another process. Raises DataError when that process cannot read the folder."""
    return Clips(ShardSet.open(root).table(split), root, split)


@dataclass(frozen=True)
class Pool:
    """Noise or room responses to add to clips: some rows of a split."""

    split: str
    clips: Clips
    rows: tuple[int, ...]

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of all recordings, in their order."""
        whole = hashlib.sha256()
        for row in self.rows:
            whole.update(self.clips.digest(row))
        return whole.digest()
