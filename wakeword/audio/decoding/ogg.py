"""Parse Ogg pages (RFC 3533): the links of a chained file, and FLAC inside Ogg.

libsndfile stops after the first link of a chain (recordings that were appended to, radio streams) and does not read
FLAC in Ogg. Each link is passed to it as a separate file.
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
"""First bytes of the first packet of a stream."""


@dataclass
class Link:
    """One link of a chain, bytes `[start, end)`: codecs by serial number, and whether its last page is marked so."""

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
    """Pages in order; other bytes between them are skipped."""
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
    """The links of the file in order; moves the position of `stream`."""
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
    """The first FLAC stream of a link as a FLAC file: the contents of its pages without the Ogg mapping header."""
    serial = next(serial for serial, name in link.codecs.items() if name == "FLAC")
    parts: list[Part] = []
    for page in _pages(stream, link.start, link.end):
        if page.serial == serial:
            # The first packet is 0x7F FLAC, version, number of headers, then the start of a FLAC file.
            parts.append((page.body + 9 if page.flags & _FIRST else page.body, page.end))
    return parts
