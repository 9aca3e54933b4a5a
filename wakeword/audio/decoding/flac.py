"""Parse FLAC headers (RFC 9639): the stated number of samples, joined files, and tags behind the audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from wakeword.audio.views import Part, View

_MARKS = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")
"""Start of a file and of its first block, a STREAMINFO of 34 bytes that may be the last block."""
_HEAD_BYTES = 26
_LIMIT = (1 << 36) - 1
_WINDOW = 1 << 20


@dataclass(frozen=True)
class FlacFile:
    """The parts of a file for the decoder, and the number of samples that the original header states (0: unknown)."""

    parts: list[Part]
    stated: int


def joined_files(stream: BinaryIO, start: int) -> list[tuple[int, int]]:
    """Ranges `[start, end)` of the FLAC files in a stream, without the tags behind the last one."""
    total = stream.seek(0, 2)
    starts, place = [start], start
    while place < total:
        stream.seek(place)
        data = stream.read(_WINDOW)
        for mark in _MARKS:
            at = data.find(mark)
            while at >= 0:
                starts.append(place + at)
                at = data.find(mark, at + 1)
        if len(data) < _WINDOW:
            break
        # A mark may cross the border of two windows.
        place += len(data) - 7
    found = sorted(set(starts))
    return list(zip(found, [*found[1:], _without_tags(stream, start, total)], strict=True))


def _without_tags(stream: BinaryIO, start: int, end: int) -> int:
    """The end of the audio, before ID3v1 and APE tags."""
    for mark, size in ((b"TAG", 128), (b"APETAGEX", 32)):
        stream.seek(max(start, end - size))
        data = stream.read(size)
        if len(data) < size or not data.startswith(mark):
            continue
        if mark == b"TAG":
            end -= size
        else:
            items, flags = int.from_bytes(data[12:16], "little"), int.from_bytes(data[20:24], "little")
            end = max(start, end - items - (32 if flags & 0x8000_0000 else 0))
    return end


def with_largest_count(stream: BinaryIO, parts: Sequence[Part]) -> FlacFile:
    """Replace the number of samples in the header by the largest possible one.

    libsndfile stops at the number in the header, and reads nothing where it is 0.
    """
    head = View(stream, parts).read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES or head[4] & 0x7F:
        return FlacFile(list(parts), 0)
    packed = int.from_bytes(head[18:26], "big")
    known = head[:18] + (packed | _LIMIT).to_bytes(8, "big")
    return FlacFile([known, *_behind(parts, _HEAD_BYTES)], packed & _LIMIT)


def _behind(parts: Sequence[Part], count: int) -> list[Part]:
    """The parts without their first `count` bytes."""
    left: list[Part] = []
    for part in parts:
        if isinstance(part, bytes):
            left.append(part[count:])
            count = max(0, count - len(part))
        else:
            start = min(part[1], part[0] + count)
            count -= start - part[0]
            left.append((start, part[1]))
    return left
