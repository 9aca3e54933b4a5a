"""A file made of parts of another: what a decoder is to see of it, without a copy of the bytes."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, BinaryIO

Part = bytes | tuple[int, int]
"""Bytes of their own, or the stretch `[start, end)` of the file below."""


class View(io.RawIOBase):
    """A read-only file that is `parts` of `stream`, one after another. It moves the position of `stream`."""

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
        """Bytes in all."""
        return self._starts[-1]

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Position in bytes."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file; the position may lie behind the end, where nothing is read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` as far as there are bytes: a short answer is the end."""
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
    """Bytes of a stream that can seek; its position stays."""
    place = stream.tell()
    total = stream.seek(0, io.SEEK_END)
    stream.seek(place)
    return total
