"""MP3 and AAC without a file header: recognised by three frames in a row, never by their two bytes of sync word.

Frame headers: ISO/IEC 11172-3 and 13818-3 (MPEG audio), 14496-3 (ADTS).
"""

from __future__ import annotations

from itertools import pairwise

FRAMES = 3
_MOST_ALIKE = 0.5
_KBPS = {
    (3, 3): range(32, 449, 32),
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""By version (3: MPEG-1, 2: MPEG-2 and 2.5) and layer (as coded: 3 is Layer I)."""
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_ADTS_HEAD_BYTES = 7


def compressed_frames(head: bytes) -> str | None:
    """The kind of file when `head` is such frames, "" when it is not, None while it may be.

    A periodic signal of raw samples may begin like a header, and then repeats it: frames that are much alike, or that
    hold their own header again, do not count.
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
    """Bytes of the frame, 0 for no header, and what all frames of a stream share."""
    version, layer = frame[1] >> 3 & 3, frame[1] >> 1 & 3
    rate, kbps = frame[2] >> 2 & 3, frame[2] >> 4
    nothing: tuple[int, tuple[int, ...]] = (0, ())
    if frame[0] != 0xFF or frame[1] & 0xE0 != 0xE0 or version == 1 or layer == 0:
        return nothing
    # Emphasis 2 is reserved; a free bit rate (0) tells no length.
    if rate == 3 or kbps in (0, 15) or frame[3] & 3 == 2:
        return nothing
    rate_hz, bits_per_s = _RATES_HZ[version][rate], 1000 * _KBPS[3 if version == 3 else 2, layer][kbps - 1]
    padding = frame[2] >> 1 & 1
    if layer == 3:
        size = (12 * bits_per_s // rate_hz + padding) * 4
    else:
        size = (72 if layer == 1 and version != 3 else 144) * bits_per_s // rate_hz + padding
    return size, (version, layer, rate)


def _adts(frame: bytes) -> tuple[int, tuple[int, ...]]:
    size = (frame[3] & 3) << 11 | frame[4] << 3 | frame[5] >> 5
    rate = frame[2] >> 2 & 15
    if frame[0] != 0xFF or frame[1] & 0xF6 != 0xF0 or rate > 12 or size <= _ADTS_HEAD_BYTES:
        return 0, ()
    return size, (frame[1], frame[2], frame[3] >> 6)
