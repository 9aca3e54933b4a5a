"""A split's clips in device (or host) memory as one flat int16 tensor: an epoch then moves no audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from wakeword.data.shards import ShardSet
from wakeword.errors import DataError

if TYPE_CHECKING:
    import torch


@dataclass(eq=False)
class ResidentClips:
    """Clips in the memory of a device.

    Attributes:
        audio: int16, all clips one after another, on the device.
        offset: int64 `(clips,)`, first sample of each clip.
        length: int64 `(clips,)`, samples of each clip.
        columns: manifest columns by name, as lists (text) or numpy arrays (numbers), `(clips,)` each, on the host.
    """

    audio: torch.Tensor
    offset: torch.Tensor
    length: torch.Tensor
    columns: dict[str, Any]

    def __len__(self) -> int:
        return int(self.offset.shape[0])

    @property
    def device(self) -> torch.device:
        """The device of `audio`."""
        return self.audio.device

    @classmethod
    def load(
        cls,
        shard_set: ShardSet,
        split: str,
        device: str | torch.device = "cpu",
        kinds: Sequence[str] | None = None,
    ) -> ResidentClips:
        """Load the clips of a split (train, val or test), or those of some kinds alone, to a device.

        Raises:
            DataError: nothing of these kinds is in the split.
        """
        import torch

        table = shard_set.table(split)
        index = np.arange(table.num_rows)
        if kinds is not None:
            index = np.flatnonzero(pc.is_in(table.column("kind"), pa.array(kinds, pa.string())))
        if not len(index):
            wanted = "clips" if kinds is None else " or ".join(kinds)
            raise DataError(f"{shard_set.root} has no {wanted} in the split {split}")
        # The audio is memory-mapped: it is copied clip by clip and never held twice.
        clips = [table.column("audio")[int(row)].as_buffer() for row in index]
        length = np.array([clip.size // 2 for clip in clips])
        offset = np.concatenate([[0], np.cumsum(length)])
        audio = torch.empty(int(offset[-1]), dtype=torch.int16)
        for clip, start in zip(clips, offset, strict=False):
            audio.numpy()[start : start + clip.size // 2] = np.frombuffer(clip, "<i2")
        taken = table.drop_columns(["audio"]).take(pa.array(index))
        columns = {name: _host_column(taken.column(name)) for name in taken.column_names}
        offsets, lengths = (torch.from_numpy(values).to(device) for values in (offset[:-1], length))
        return cls(audio.to(device), offsets, lengths, columns)

    def gather(self, index: torch.Tensor, start: torch.Tensor, samples: int) -> torch.Tensor:
        """Cut a window out of each clip; samples outside the clip are 0.

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


def _host_column(column: pa.ChunkedArray) -> Any:
    if pa.types.is_string(column.type):
        return column.to_pylist()
    return column.to_numpy(zero_copy_only=False) if column.num_chunks else np.zeros(0)
