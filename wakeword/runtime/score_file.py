"""Raw scores as a Parquet file, written by numpy and zlib alone.

Columns `file, time_s, word, score`, a row per score and word in time order. pyarrow would do it in a line, but a device
may not have it, and loading it takes more memory than the whole detector. Of the format (parquet.thrift) only what is
needed: required columns, one gzip-compressed page of PLAIN values per column and row group, metadata in Thrift's
compact protocol.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from wakeword.system.files import atomic_path

ROWS_PER_GROUP = 100_000

_MAGIC = b"PAR1"
_FLOAT, _DOUBLE, _BYTE_ARRAY = 4, 5, 6
_PLAIN, _RLE, _GZIP = 0, 3, 2
_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12
COLUMNS = (("file", _BYTE_ARRAY), ("time_s", _DOUBLE), ("word", _BYTE_ARRAY), ("score", _FLOAT))


@dataclass(frozen=True)
class _Chunk:
    """Where the one page of a column lies."""

    offset: int
    values: int
    raw_bytes: int
    stored_bytes: int


class ScoreFile:
    """Context manager; the file is complete after a clean exit and absent otherwise."""

    def __init__(self, path: str | Path, words: Sequence[str], step_s: float) -> None:
        self.path = Path(path)
        self.words = list(words)
        self.step_s = step_s
        self._groups: list[tuple[int, list[_Chunk]]] = []

    def __enter__(self) -> ScoreFile:
        """Open a temporary file beside the target."""
        self._stack = ExitStack()
        temporary = self._stack.enter_context(atomic_path(self.path))
        self._out: BinaryIO = self._stack.enter_context(temporary.open("wb"))
        self._out.write(_MAGIC)
        return self

    def __exit__(self, *error: Any) -> None:
        """Write the metadata and put the file in place."""
        if error[0] is None:
            footer = self._metadata()
            self._out.write(footer + struct.pack("<I", len(footer)) + _MAGIC)
        self._stack.__exit__(*error)

    def add(self, file: str, scores: NDArray[Any]) -> None:
        """Append all raw `scores (scores, words)` of a file, from its first on; `time_s` is (index + 1) x step."""
        names = [_text(word) for word in self.words]
        rows = max(1, ROWS_PER_GROUP // len(names))
        for first in range(0, len(scores), rows):
            part = np.ascontiguousarray(scores[first : first + rows], dtype="<f4")
            time_s = (np.arange(first, first + len(part), dtype="<f8") + 1) * self.step_s
            count = len(part) * len(names)
            pages = (
                _text(file) * count,
                np.repeat(time_s, len(names)).tobytes(),
                b"".join(names) * len(part),
                part.tobytes(),
            )
            self._groups.append((count, [self._page(page, count) for page in pages]))

    def _page(self, values: bytes, count: int) -> _Chunk:
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        stored = packer.compress(values) + packer.flush()
        levels = _struct((1, _I32, count), (2, _I32, _PLAIN), (3, _I32, _RLE), (4, _I32, _RLE))
        sizes = ((2, _I32, len(values)), (3, _I32, len(stored)))
        header = _struct((1, _I32, 0), *sizes, (5, _STRUCT, levels))
        offset = self._out.tell()
        self._out.write(header + stored)
        return _Chunk(offset, count, len(header) + len(values), len(header) + len(stored))

    def _metadata(self) -> bytes:
        schema = [_struct((4, _BINARY, b"scores"), (5, _I32, len(COLUMNS)))]
        for name, kind in COLUMNS:
            text = ((6, _I32, 0), (10, _STRUCT, _struct((1, _STRUCT, _struct())))) if kind == _BYTE_ARRAY else ()
            schema.append(_struct((1, _I32, kind), (3, _I32, 0), (4, _BINARY, name.encode()), *text))
        groups = []
        for count, chunks in self._groups:
            columns = [_column(name, kind, chunk) for (name, kind), chunk in zip(COLUMNS, chunks, strict=True)]
            size = sum(chunk.raw_bytes for chunk in chunks)
            groups.append(_struct((1, _LIST, _list(_STRUCT, columns)), (2, _I64, size), (3, _I64, count)))
        return _struct(
            (1, _I32, 1),
            (2, _LIST, _list(_STRUCT, schema)),
            (3, _I64, sum(count for count, _ in self._groups)),
            (4, _LIST, _list(_STRUCT, groups)),
            (6, _BINARY, b"wakeword"),
        )


def _column(name: str, kind: int, chunk: _Chunk) -> bytes:
    details = _struct(
        (1, _I32, kind),
        (2, _LIST, _list(_I32, [_varint(_zigzag(_PLAIN)), _varint(_zigzag(_RLE))])),
        (3, _LIST, _list(_BINARY, [_binary(name.encode())])),
        (4, _I32, _GZIP),
        (5, _I64, chunk.values),
        (6, _I64, chunk.raw_bytes),
        (7, _I64, chunk.stored_bytes),
        (9, _I64, chunk.offset),
    )
    return _struct((2, _I64, chunk.offset), (3, _STRUCT, details))


def _text(value: str) -> bytes:
    """A string as PLAIN stores it: length, then UTF-8."""
    encoded = value.encode("utf-8", "surrogateescape")
    return struct.pack("<I", len(encoded)) + encoded


def _struct(*fields: tuple[int, int, Any]) -> bytes:
    """A Thrift struct of (id, type, value) with rising ids; structs and lists come encoded already."""
    encoded, last = b"", 0
    for field, kind, value in fields:
        encoded += bytes([(field - last) << 4 | kind])
        last = field
        if kind in (_I32, _I64):
            encoded += _varint(_zigzag(value))
        else:
            encoded += _binary(value) if kind == _BINARY else value
    return encoded + b"\x00"


def _list(kind: int, items: Sequence[bytes]) -> bytes:
    head = bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([0xF0 | kind]) + _varint(len(items))
    return head + b"".join(items)


def _binary(value: bytes) -> bytes:
    return _varint(len(value)) + value


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
