"""FLAC by its header (RFC 9639): the number of samples that it promises, joined files, tags behind the sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from wakeword.audio.views import Part, View

_MARKS = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")
"""The beginning of a file and of its first block, which is a STREAMINFO of 34 bytes and perhaps the last one."""
_HEAD_BYTES = 26
_LIMIT = (1 << 36) - 1
_WINDOW = 1 << 20


@dataclass(frozen=True)
class FlacFile:
    """What a decoder is to see, and how many samples the true header promises; 0: it does not say."""

    parts: list[Part]
    promised: int


def joined_files(stream: BinaryIO, start: int) -> list[tuple[int, int]]:
    """Where FLAC files lie in `[start, end)` of a stream, one behind the other; without tags behind the last."""
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
        # A mark may lie across the border of two windows.
        place += len(data) - 7
    found = sorted(set(starts))
    return list(zip(found, [*found[1:], _without_tags(stream, start, total)], strict=True))


def _without_tags(stream: BinaryIO, start: int, end: int) -> int:
    """The end without ID3v1 and APE tags."""
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
    """A file whose header gives the largest number of samples there is, so that a decoder does not end before it.

    libsndfile ends where the header says, and reads nothing of a stream whose header says 0.
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
