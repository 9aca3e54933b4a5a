"""A read-only file made of parts of another file, without a copy of the bytes."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, BinaryIO

Part = bytes | tuple[int, int]
"""Literal bytes, or the range `[start, end)` of the underlying file."""


class View(io.RawIOBase):
    """A read-only file of the `parts` of `stream`, one after another; it moves the position of `stream`."""

    def __init__(self, stream: BinaryIO, parts: Sequence[Part]) -> None:
        super().__init__()
        self._stream = stream
        self._parts = [part for part in parts if _length(part) > 0]
        self._starts = [0]
        for part in self._parts:
            self._starts.append(self._starts[-1] + _length(part))
        self._place = 0

    @property
    def size(self) -> int:
        """Total number of bytes."""
        return self._starts[-1]

    def readable(self) -> bool:
        """Always True."""
        return True

    def seekable(self) -> bool:
        """Always True."""
        return True

    def tell(self) -> int:
        """Position in bytes."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position, which may be behind the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer`; fewer bytes are returned only at the end."""
        target = memoryview(buffer).cast("B")
        done = 0
        while done < len(target) and self._place < self.size:
            number = bisect_right(self._starts, self._place) - 1
            inside = self._place - self._starts[number]
            want = min(len(target) - done, self._starts[number + 1] - self._place)
            part = self._parts[number]
            if isinstance(part, bytes):
                data = part[inside : inside + want]
            else:
                self._stream.seek(part[0] + inside)
                data = self._stream.read(want)
            if not data:
                break
            target[done : done + len(data)] = data
            done += len(data)
            self._place += len(data)
        return done


def _length(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else part[1] - part[0]


def size_of_stream(stream: BinaryIO) -> int:
    """Total bytes of a seekable stream; its position is restored."""
    place = stream.tell()
    total = stream.seek(0, io.SEEK_END)
    stream.seek(place)
    return total
