"""Ogg by its pages: links of a chained file one by one, and FLAC taken out of its pages (RFC 3533).

libsndfile ends after the first link of a chain (what a recorder appends to, or a radio stream with a new title), and
does not read FLAC in Ogg. Each link is given to it as a file of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from wakeword.audio.views import Part

_HEAD = struct.Struct("<4sBBqIIIB")
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_WINDOW = 1 << 18
_NAMES = (
    (b"\x01vorbis", "Vorbis"), (b"OpusHead", "Opus"), (b"\x7fFLAC", "FLAC"), (b"Speex   ", "Speex"),
    (b"\x80theora", "Theora video"), (b"fishead\0", "Skeleton"), (b"\x80kate", "Kate"), (b"PCM     ", "PCM"),
)  # fmt: skip
"""How the first packet of a stream begins."""


@dataclass
class Link:
    """One link of a chain, bytes `[start, end)`: codec by serial number, and whether its last page says it is one."""

    start: int
    end: int
    codecs: dict[int, str] = field(default_factory=dict)
    ended: bool = False


@dataclass(frozen=True)
class _Page:
    start: int
    flags: int
    serial: int
    lengths: bytes
    body: int

    @property
    def end(self) -> int:
        return self.body + sum(self.lengths)


def _pages(stream: BinaryIO, start: int, end: int) -> Iterator[_Page]:
    """Pages in order; bytes between them that are none are passed over."""
    place = start
    while place + _HEAD.size <= end:
        stream.seek(place)
        head = stream.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return
        mark, version, flags, _, serial, _, _, count = _HEAD.unpack(head)
        if mark != b"OggS" or version:
            found = _find(stream, place + 1, end)
            if found < 0:
                return
            place = found
            continue
        lengths = stream.read(count)
        page = _Page(place, flags, serial, lengths, place + _HEAD.size + count)
        if len(lengths) < count or page.end > end:
            return
        yield page
        place = page.end


def _find(stream: BinaryIO, place: int, end: int) -> int:
    while place < end:
        stream.seek(place)
        data = stream.read(min(_WINDOW, end - place))
        at = data.find(b"OggS")
        if at >= 0:
            return place + at
        if len(data) < 4:
            return -1
        place += len(data) - 3
    return -1


def links(stream: BinaryIO) -> list[Link]:
    """The links of the file in order; the position of `stream` is lost."""
    total = stream.seek(0, 2)
    found: list[Link] = []
    heads = False
    for page in _pages(stream, 0, total):
        if page.flags & _FIRST and not (heads and found):
            if found:
                found[-1].end = page.start
            found.append(Link(page.start, total))
        heads = bool(page.flags & _FIRST)
        if not found:
            continue
        if heads:
            stream.seek(page.body)
            packet = stream.read(min(16, sum(page.lengths)))
            name = next((name for start, name in _NAMES if packet.startswith(start)), "an unknown codec")
            found[-1].codecs[page.serial] = name
        found[-1].ended = bool(page.flags & _LAST)
    return found


def flac_parts(stream: BinaryIO, link: Link) -> list[Part]:
    """The first FLAC stream of a link as a FLAC file: what lies in its pages, without the mapping's header."""
    serial = next(serial for serial, name in link.codecs.items() if name == "FLAC")
    parts: list[Part] = []
    for page in _pages(stream, link.start, link.end):
        if page.serial == serial:
            # The first packet: 0x7F FLAC, version, number of headers, and then the file as it would begin.
            parts.append((page.body + 9 if page.flags & _FIRST else page.body, page.end))
    return parts
