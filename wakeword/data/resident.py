"""A split's clips in device (or host) memory as one flat int16 tensor: an epoch then moves no audio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from wakeword.data.shards import ShardSet
from wakeword.errors import DataError

if TYPE_CHECKING:
    import torch


class ResidentClips:
    """Clips that live on a device.

    Attributes:
        audio: int16, all clips one after another, on the device.
        offset: int64 `(clips,)`, first sample of each clip.
        length: int64 `(clips,)`, samples of each clip.
        columns: manifest columns by name, as lists (text) or numpy arrays (numbers), `(clips,)` each, on the host.
    """

    def __init__(
        self, audio: torch.Tensor, offset: torch.Tensor, length: torch.Tensor, columns: dict[str, Any]
    ) -> None:
        self.audio = audio
        self.offset = offset
        self.length = length
        self.columns = columns

    def __len__(self) -> int:
        return int(self.offset.shape[0])

    @property
    def device(self) -> torch.device:
        """Where the audio lives."""
        return self.audio.device

    @classmethod
    def load(
        cls,
        shard_set: ShardSet,
        split: str,
        device: str | torch.device = "cpu",
        kinds: Sequence[str] | None = None,
        rank: int = 0,
        world: int = 1,
    ) -> ResidentClips:
        """Load a worker's part of a split: clips `rank`, `rank + world`, … of each kind.

        Args:
            shard_set: prepared data.
            split: train, val or test.
            device: where the audio shall live.
            kinds: only clips of these kinds; None takes all.
            rank: number of this worker.
            world: number of workers.

        Raises:
            DataError: nothing of that kind is in the split, or there are fewer clips than workers.
        """
        if not 0 <= rank < world:
            raise ValueError(f"rank {rank} is not within a world of {world}")
        table = shard_set.table(split)
        index = _chosen(table, kinds, rank, world)
        if not len(index):
            wanted = "clips" if kinds is None else " or ".join(kinds)
            raise DataError(f"{shard_set.root} has no {wanted} for worker {rank} of {world} in the split {split}")
        return cls._from_table(table, index, device)

    @classmethod
    def _from_table(cls, table: pa.Table, index: np.ndarray, device: str | torch.device) -> ResidentClips:
        import torch

        position = np.cumsum([0, *(chunk.num_rows for chunk in table.to_batches())])
        batches = table.to_batches()
        length = np.zeros(len(index), np.int64)
        for number, row in enumerate(index):
            length[number] = len(_buffer(batches, position, row)) // 2
        offset = np.concatenate([[0], np.cumsum(length)])
        # Pinned pages are not worth it here: the copy happens once per run.
        audio = torch.empty(int(offset[-1]), dtype=torch.int16)
        target = audio.numpy()
        for number, row in enumerate(index):
            target[offset[number] : offset[number + 1]] = np.frombuffer(_buffer(batches, position, row), "<i2")
        taken = table.drop_columns(["audio"]).take(pa.array(index))
        columns = {name: _host_column(taken.column(name)) for name in taken.column_names}
        return cls(
            audio.to(device), torch.from_numpy(offset[:-1]).to(device), torch.from_numpy(length).to(device), columns
        )

    def gather(self, index: torch.Tensor, start: torch.Tensor, samples: int) -> torch.Tensor:
        """Cut a window out of each clip; what lies outside the clip is 0.

        Args:
            index: int64 `(batch,)`, which clips.
            start: int64 `(batch,)`, first sample within the clip; may be negative or beyond the end.
            samples: length of the window.

        Returns:
            `(batch, samples)` int16 on the device.
        """
        import torch

        index, start = index.to(self.device), start.to(self.device)
        place = start[:, None] + torch.arange(samples, device=self.device)[None, :]
        inside = (place >= 0) & (place < self.length[index][:, None])
        flat = (self.offset[index][:, None] + place).clamp_(0, max(0, self.audio.numel() - 1))
        return self.audio[flat].masked_fill_(~inside, 0)

    def where(self, **wanted: Any) -> np.ndarray:
        """Indices of the clips whose columns have these values (a value, or a collection of values)."""
        keep = np.ones(len(self), bool)
        for name, value in wanted.items():
            values = value if isinstance(value, list | tuple | set | frozenset) else [value]
            keep &= np.isin(np.asarray(self.columns[name]), list(values))
        return np.flatnonzero(keep)

    def bank(self, kinds: Sequence[str]) -> ResidentClips:
        """The clips of some kinds as a bank of their own (noise, room responses); shares no memory, may be empty."""
        import torch

        index = self.where(kind=list(kinds))
        pieces = [self.audio[self.offset[i] : self.offset[i] + self.length[i]] for i in index.tolist()]
        audio = torch.cat(pieces) if pieces else self.audio[:0].clone()
        length = self.length[torch.from_numpy(index).to(self.device)]
        offset = torch.cumsum(length, 0) - length
        columns = {
            name: [values[i] for i in index] if isinstance(values, list) else values[index]
            for name, values in self.columns.items()
        }
        return ResidentClips(audio, offset, length, columns)


def _chosen(table: pa.Table, kinds: Sequence[str] | None, rank: int, world: int) -> np.ndarray:
    """Each kind is dealt out by itself, so that every worker has its share of every kind."""
    kind = np.asarray(table.column("kind").to_pylist(), dtype=object)
    wanted = sorted(set(kind)) if kinds is None else list(dict.fromkeys(kinds))
    dealt = [np.flatnonzero(kind == name)[rank::world] for name in wanted]
    return np.sort(np.concatenate(dealt)) if dealt else np.zeros(0, np.int64)


def _buffer(batches: list[pa.RecordBatch], position: np.ndarray, row: int) -> pa.Buffer:
    chunk = int(np.searchsorted(position, row, side="right")) - 1
    return batches[chunk].column("audio")[int(row - position[chunk])].as_buffer()


def _host_column(column: pa.ChunkedArray) -> Any:
    if pa.types.is_string(column.type):
        return column.to_pylist()
    return column.to_numpy(zero_copy_only=False) if column.num_chunks else np.zeros(0)
