"""Recognition of MP3 and AAC without a file header, by three frames in a row; the two-byte sync word is not enough.

ADTS frame headers: ISO/IEC 14496-3.
"""

from __future__ import annotations

from itertools import pairwise

from wakeword.audio.decoding.mpeg import frame_of

FRAMES = 3
_MOST_ALIKE = 0.5
_ADTS_HEAD_BYTES = 7


def compressed_frames(head: bytes) -> str | None:
    """The kind of file for such frames, "" for other data, None where more bytes are needed.

    Raw samples of a periodic signal may begin like a header and repeat it: frames that are nearly equal, or that
    contain their own header, do not count.
    """
    if len(head) < 2:
        return None if head in (b"", b"\xff") else ""
    if head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return ""
    adts = head[1] & 0xF6 == 0xF0
    at, kind = 0, None
    bodies: list[bytes] = []
    while len(bodies) < FRAMES:
        frame = head[at:]
        if len(frame) < (_ADTS_HEAD_BYTES if adts else 4):
            return None
        size, this = _adts(frame) if adts else _mpeg(frame)
        if not size or kind not in (None, this):
            return ""
        kind, at = this, at + size
        if frame[:3] in frame[3:size]:
            return ""
        bodies.append(frame[4:size])
    if len(head) < at:
        return None
    if any(_alike(one, other) > _MOST_ALIKE for one, other in pairwise(bodies)):
        return ""
    if adts:
        return "an AAC (ADTS) file"
    return "an MP3 file" if head[1] >> 1 & 3 == 1 else "an MPEG audio file"


def _alike(one: bytes, other: bytes) -> float:
    """Share of equal bytes."""
    return sum(a == b for a, b in zip(one, other, strict=False)) / max(1, min(len(one), len(other)))


def _mpeg(frame: bytes) -> tuple[int, tuple[int, ...]]:
    """Bytes of the frame, 0 without a header, and the header fields common to all frames."""
    found = frame_of(frame[:4])
    return (found.size, (found.version, found.layer, found.rate_hz)) if found else (0, ())


def _adts(frame: bytes) -> tuple[int, tuple[int, ...]]:
    size = (frame[3] & 3) << 11 | frame[4] << 3 | frame[5] >> 5
    rate = frame[2] >> 2 & 15
    if frame[0] != 0xFF or frame[1] & 0xF6 != 0xF0 or rate > 12 or size <= _ADTS_HEAD_BYTES:
        return 0, ()
    return size, (frame[1], frame[2], frame[3] >> 6)
