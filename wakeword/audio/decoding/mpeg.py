"""Find and count the frames of MPEG audio (MP3), and read the number of frames that a Xing frame states.

A stream without a Xing or Info frame does not state its length: libsndfile estimates it from the file size and the
first frame, and stops there. This module counts the frames and passes each stretch of frames of one kind to the decoder
behind an Info frame with their number. Tags and bytes that are not frames are skipped.

Sources: ISO/IEC 11172-3 and 13818-3 (frame header), id3.org (ID3v2), the Xing and LAME descriptions of the Info frame.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from wakeword.audio.views import Part

_KBITS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates by version (2 includes 2.5) and layer; layer III of version 2 has those of layer II."""
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
"""By the two version bits: 3 is MPEG-1, 2 is MPEG-2, 0 is MPEG-2.5."""
_WINDOW = 1 << 18
SEARCH_BYTES = 1 << 16
"""How far a file of unknown format is searched for a first frame."""
_IN_A_ROW = 3
"""Successive frames that are needed to accept bytes as MPEG audio."""


@dataclass(frozen=True)
class Frame:
    """The header of a frame."""

    size: int
    rate_hz: int
    version: int
    layer: int
    mono: bool
    samples: int

    @property
    def key(self) -> tuple[int, int, int, bool]:
        """The properties that are constant within a stream."""
        return self.rate_hz, self.version, self.layer, self.mono


@dataclass
class Stretch:
    """Successive frames of one kind: their ranges, their number, and the number that a Xing frame states."""

    first: Frame
    header: bytes
    parts: list[tuple[int, int]] = field(default_factory=list)
    frames: int = 0
    xing: tuple[int, int] | None = None
    stated: int | None = None

    @property
    def missing(self) -> int:
        """Frames that the Xing frame states but the file lacks; some encoders count the Xing frame too."""
        return max(0, (self.stated or 0) - self.frames - 1)

    def view(self) -> list[Part]:
        """The stretch as a separate file whose first frame states the true number of frames."""
        if self.xing and self.stated in (self.frames, self.frames + 1):
            return [self.xing, *self.parts]
        return [info_frame(self.header, self.first, self.frames), *self.parts]


@dataclass
class Walk:
    """All stretches of a file, and the bytes that are neither frames nor tags: their number and first offset."""

    stretches: list[Stretch] = field(default_factory=list)
    skipped_bytes: int = 0
    skipped_at: int = 0


def frame_of(head: bytes) -> Frame | None:
    """The frame that begins with these 4 bytes; None for other bytes and for a free bit rate."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bits, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 4 or bits in (0, 15) or rate == 3 or head[3] & 3 == 2:
        return None
    rate_hz = _RATES_HZ[version][rate]
    full = version == 3
    kbits = _KBITS[(1, layer) if full else (2, min(layer, 2))][bits - 1]
    samples = 384 if layer == 1 else 1152 if layer == 2 or full else 576
    size = (12_000 * kbits // rate_hz + padding) * 4 if layer == 1 else samples * 125 * kbits // rate_hz + padding
    return Frame(size, rate_hz, version, layer, head[3] >> 6 == 3, samples)


def _side_bytes(frame: Frame) -> int:
    """Length of the side information of layer III."""
    if frame.version == 3:
        return 17 if frame.mono else 32
    return 9 if frame.mono else 17


def info_frame(header: bytes, first: Frame, frames: int) -> bytes:
    """A silent frame whose Info tag states that `frames` frames of the kind of `first` follow."""
    head = bytearray(header)
    head[1] |= 1  # no checksum
    head[2] &= 0xFD  # no padding
    room = 4 + _side_bytes(first) + 12
    for bits in range(1, 15):
        head[2] = bits << 4 | head[2] & 0x0F
        frame = frame_of(bytes(head))
        if frame and frame.size >= room:
            tag = b"Info" + struct.pack(">II", 1, frames)
            return (bytes(head) + bytes(_side_bytes(first)) + tag).ljust(frame.size, b"\0")
    raise AssertionError("no bit rate has room for the tag")


def _stated_frames(data: bytes, frame: Frame) -> int | None:
    """Number of frames in the Xing, Info or VBRI tag of a frame; -1 for a tag without a number; None without a tag."""
    place = 4 + _side_bytes(frame)
    for extra in (0, 2):  # a checksum lies before the side information
        tag = data[place + extra : place + extra + 12]
        if tag[:4] in (b"Xing", b"Info"):
            flags, frames = struct.unpack(">II", tag[4:12].ljust(8, b"\0"))
            return frames if flags & 1 else -1
    if data[36:40] == b"VBRI" and len(data) >= 54:
        return int(struct.unpack(">I", data[50:54])[0])
    return None


class _Window:
    """A file that is read forwards with a buffer."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = stream.seek(0, 2)
        self._start = 0
        self._data = b""

    def at(self, place: int, count: int) -> bytes:
        if not self._start <= place <= place + count <= self._start + len(self._data):
            self._stream.seek(place)
            self._start, self._data = place, self._stream.read(max(count, _WINDOW))
        return self._data[place - self._start : place - self._start + count]


def id3_bytes(head: bytes) -> int:
    """Length of the ID3v2 tag that begins with these 10 bytes, with its own header and footer; 0 without one."""
    if len(head) < 10 or head[:3] != b"ID3" or head[3] == 0xFF or max(head[6:10]) > 0x7F:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)


def first_frame(stream: BinaryIO) -> Frame | None:
    """The first frame behind the tags of a file; None if the next 64 KiB hold no MPEG audio."""
    window = _Window(stream)
    place = _behind_tags(window, 0)
    for start in _candidates(window, place, place + SEARCH_BYTES):
        if _run(window, start):
            return frame_of(window.at(start, 4))
    return None


def walk(stream: BinaryIO) -> Walk:
    """Find all frames of layers I to III; moves the position of `stream`."""
    window, found = _Window(stream), Walk()
    place = _behind_tags(window, 0)
    while place + 4 <= window.size:
        frame = frame_of(window.at(place, 4))
        last = found.stretches[-1] if found.stretches else None
        if frame is not None and (_goes_on(last, place, frame) or _run(window, place)):
            if place + frame.size > window.size:
                break
            _add(found, window, place, frame)
            place += frame.size
        else:
            place = _resume(window, place, found)
    found.stretches = [stretch for stretch in found.stretches if stretch.frames]
    return found


def _goes_on(last: Stretch | None, place: int, frame: Frame) -> bool:
    return last is not None and last.parts[-1][1] == place and last.first.key == frame.key


def _add(found: Walk, window: _Window, place: int, frame: Frame) -> None:
    end = place + frame.size
    stated = _stated_frames(window.at(place, min(frame.size, 64)), frame) if frame.layer == 3 else None
    last = found.stretches[-1] if found.stretches else None
    if stated is not None or last is None or last.first.key != frame.key:
        last = Stretch(frame, window.at(place, 4))
        found.stretches.append(last)
    if stated is not None:
        last.xing, last.stated = (place, end), stated if stated >= 0 else None
        last.parts.append((end, end))
        return
    last.frames += 1
    if last.parts and last.parts[-1][1] == place:
        last.parts[-1] = (last.parts[-1][0], end)
    else:
        last.parts.append((place, end))


def _run(window: _Window, place: int) -> bool:
    """Whether frames of one kind follow each other from `place` on, up to the end of the file or a tag."""
    key = None
    for number in range(_IN_A_ROW):
        frame = frame_of(window.at(place, 4))
        if frame is None or (key and frame.key[:3] != key[:3]):
            return number > 0 and (place == window.size or window.at(place, 3) in (b"TAG", b"ID3", b"APE"))
        key = key or frame.key
        place += frame.size
    return True


def _candidates(window: _Window, place: int, end: int) -> Iterator[int]:
    """Offsets of the bytes 0xFF in `[place, end)`."""
    end = min(end, window.size)
    while place < end:
        data = window.at(place, min(_WINDOW, end - place))
        at = data.find(b"\xff")
        while at >= 0:
            yield place + at
            at = data.find(b"\xff", at + 1)
        place += max(1, len(data))


def _behind_tags(window: _Window, place: int) -> int:
    while size := id3_bytes(window.at(place, 10)):
        place += size
    return place


def _resume(window: _Window, place: int, found: Walk) -> int:
    """Offset behind a tag, or of the next frames; the skipped bytes are counted."""
    head = window.at(place, 128)
    if tag := id3_bytes(head):
        return place + tag
    if head[:3] == b"TAG" and len(head) == 128:
        return place + 128
    if head[:8] == b"APETAGEX" and len(head) >= 32:
        # The size includes items and footer, but not the header of 32 bytes.
        size, flags = struct.unpack("<I4xI", head[12:24])
        return place + (32 + size if flags & 0x2000_0000 else 32)
    end = next((start for start in _candidates(window, place + 1, window.size) if _run(window, start)), window.size)
    inside = bool(found.stretches) and end < window.size
    if inside or end - place > SEARCH_BYTES:
        found.skipped_at = found.skipped_at or place
        found.skipped_bytes += end - place
    return end
