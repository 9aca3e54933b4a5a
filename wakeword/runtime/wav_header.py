"""Parse WAV headers and find the range of the samples.

The size in a header can be wrong. Programs that write into a pipe, and interrupted recorders, leave a placeholder: 0,
`0x7FFFF000`, `0x80000000`, `0xFFFFFFFF` or a value near these. Other programs include a header in the size. `extent`
decides which bytes are samples.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

_GUID_END = bytes.fromhex("000000001000800000aa00389b71")
"""End of a WAVEFORMATEXTENSIBLE sub-format, behind the WAVE code."""
_CODES = {0x0001: "PCM", 0x0003: "FLOAT", 0x0006: "ALAW", 0x0007: "ULAW"}
_OTHER_CODES = {
    0x0002: "Microsoft ADPCM",
    0x0011: "IMA ADPCM",
    0x0031: "GSM 6.10",
    0x0040: "G.721 ADPCM",
    0x0050: "MPEG audio",
    0x0055: "MP3",
    0x00FF: "AAC",
    0x0160: "Windows Media Audio",
    0x0161: "Windows Media Audio",
    0x0162: "Windows Media Audio",
    0x1602: "AAC",
    0xF1AC: "FLAC",
}
_PCM = {1: "PCM_U8", 2: "PCM_16", 3: "PCM_24", 4: "PCM_32"}
_WIDTHS = {"FLOAT": {4: "FLOAT", 8: "DOUBLE"}, "ALAW": {1: "ALAW"}, "ULAW": {1: "ULAW"}, "PCM": _PCM}
_RATE_SLACK = 0.01
_MOST_CHUNKS = 10_000
PLACEHOLDER_SLACK = 1 << 20
"""A size this near to 2 GiB or 4 GiB is a placeholder, with header and rounding subtracted."""
SMALL_EXCESS_S = 0.02
MOST_HEADER_BYTES = 512
"""A size that exceeds the file by up to `SMALL_EXCESS_S`, or by the header up to this length, was miscounted."""


class HeaderError(ValueError):
    """An invalid header; `reason` is `undecodable`, `wrong_rate` or `codec_not_allowed`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class SampleLayout:
    """The samples of a file. `codec` is libsndfile's name (`PCM_16`, `ULAW`, …), or `other: NAME` if it is not
    supported. `stated_bytes` is None if the container marks the length as unknown.
    """

    container: str
    codec: str
    rate_hz: int
    channels: int
    frame_bytes: int
    data_start: int
    stated_bytes: int | None
    big_endian: bool = False


@dataclass(frozen=True)
class Extent:
    """Bytes of whole frames, a warning `note` or an empty text, and the `missing` bytes of a truncated file."""

    size: int
    note: str = ""
    missing: int = 0


def is_wav(head: bytes) -> bool:
    """Whether a file that begins with these 12 bytes is WAV: RIFF, big-endian RIFX, or 64-bit RF64 and BW64."""
    return len(head) >= 12 and head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE"


def read_wav_header(stream: BinaryIO) -> SampleLayout:
    """Parse the header of a seekable stream, whose position moves.

    Raises:
        HeaderError: a chunk is missing, or the header contradicts itself.
    """
    total = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    head = stream.read(12)
    if not is_wav(head):
        raise HeaderError("undecodable", "it does not begin like a WAV file")
    order = ">" if head[:4] == b"RIFX" else "<"
    form: tuple[str, int, int, int] | None = None
    long_size: int | None = None
    for _ in range(_MOST_CHUNKS):
        chunk = stream.read(8)
        if len(chunk) < 8:
            break
        name, size = struct.unpack(f"{order}4sI", chunk)
        body = stream.tell()
        if name == b"data":
            if form is None:
                raise HeaderError("undecodable", "the data comes before the format chunk")
            if head[:4] in (b"RF64", b"BW64") and size == 0xFFFFFFFF:
                size = long_size
            codec, rate_hz, channels, frame_bytes = form
            return SampleLayout("WAV", codec, rate_hz, channels, frame_bytes, body, size, order == ">")
        if name == b"ds64":
            sizes = stream.read(16)
            if len(sizes) == 16:
                stated = struct.unpack("<QQ", sizes)[1]
                long_size = None if stated >= 1 << 63 else stated
        if name == b"fmt ":
            form = read_format(stream.read(min(size, 64)), order)
        stream.seek(_next_chunk(stream, body + size, total))
    raise HeaderError("undecodable", "the header ends before any audio: no data chunk")


def _next_chunk(stream: BinaryIO, end: int, total: int) -> int:
    """Offset of the next chunk, which is even; some writers omit the padding byte."""
    if end % 2 == 0 or end + 8 > total:
        return end + end % 2
    stream.seek(end)
    name = stream.read(5)
    return end if _is_name(name[:4]) and not _is_name(name[1:]) else end + 1


def _is_name(name: bytes) -> bool:
    return len(name) == 4 and all(32 <= value < 127 for value in name)


def read_format(body: bytes, order: str = "<") -> tuple[str, int, int, int]:
    """Codec, rate in Hz, channels and bytes per frame of a `fmt ` chunk.

    Raises:
        HeaderError: the chunk is too short or contradicts itself.
    """
    if len(body) < 16:
        raise HeaderError("undecodable", f"the format chunk has {len(body)} bytes, at least 16 are needed")
    code, channels, rate_hz, bytes_per_s, frame_bytes, bits = struct.unpack(f"{order}HHIIHH", body[:16])
    if code == 0xFFFE and len(body) >= 40 and body[26:40] == _GUID_END:
        code = struct.unpack(f"{order}H", body[24:26])[0]
    if code not in _CODES:
        return f"other: {_OTHER_CODES.get(code, f'WAVE code 0x{code:04X}')}", rate_hz, channels, max(1, frame_bytes)
    if not channels:
        raise HeaderError("undecodable", "the header gives 0 channels")
    if bytes_per_s and frame_bytes:
        other_hz = bytes_per_s / frame_bytes
        if abs(other_hz - rate_hz) > _RATE_SLACK * rate_hz:
            detail = f"the header states {rate_hz} Hz and bytes per second for {other_hz:.0f} Hz: correct the header"
            raise HeaderError("wrong_rate", detail)
    width = (bits + 7) // 8
    # 24 bits may be stored in 4 bytes; otherwise the number of bits counts, as in other readers.
    if frame_bytes == 4 * channels and width == 3:
        width = 4
    codec = _WIDTHS[_CODES[code]].get(width)
    if codec is None:
        raise HeaderError("undecodable", f"the header states samples of {bits} bits, which WAV does not support")
    return codec, rate_hz, channels, width * channels


def extent(layout: SampleLayout, stream: BinaryIO, total: int) -> Extent:
    """Find how many of the bytes behind `layout.data_start` are samples, in a file of `total` bytes.

    * The file holds the stated bytes: these are the samples.
    * The stated size is a placeholder (0, within 1 MiB of 2 GiB or 4 GiB, or short by a multiple of 4 GiB, the limit of
      a 32-bit field): all bytes to the end are samples, except that only chunks may follow a size of 0.
    * At most 20 ms, or the length of the header (up to 512 bytes), are missing: all bytes to the end are samples.
    * More is missing: the file is truncated.

    An incomplete last frame is excluded.
    """
    there = max(0, total - layout.data_start)
    whole = there - there % layout.frame_bytes
    stated = layout.stated_bytes
    if stated is None:
        return Extent(whole)
    if stated <= there:
        wrapped = stated < 1 << 32 <= there and (there - stated) % (1 << 32) < PLACEHOLDER_SLACK
        unknown = wrapped or (stated == 0 < there and not _chunks_follow(layout, stream, total))
        if not unknown:
            return Extent(stated - stated % layout.frame_bytes)
    else:
        unknown = is_placeholder(stated)
    if unknown:
        return Extent(whole, f"the header states {stated} bytes, a placeholder: all {there} bytes of audio are read")
    missing = stated - there
    small = SMALL_EXCESS_S * max(1, layout.rate_hz) * layout.frame_bytes
    if missing <= max(min(layout.data_start, MOST_HEADER_BYTES), small):
        return Extent(whole, f"the header states {missing} bytes more than the {there} bytes of audio, which are read")
    return Extent(whole, missing=missing)


def is_placeholder(stated_bytes: int) -> bool:
    """Whether a size is a typical placeholder for an unknown length."""
    return (
        any(abs(stated_bytes - limit) < PLACEHOLDER_SLACK for limit in (1 << 31, 1 << 32))
        or stated_bytes >= (1 << 63) - PLACEHOLDER_SLACK
    )


def _chunks_follow(layout: SampleLayout, stream: BinaryIO, total: int) -> bool:
    """Whether only chunks follow an empty data chunk, and so no samples."""
    place, order = layout.data_start, ">" if layout.big_endian else "<"
    while place + 8 <= total:
        stream.seek(place)
        chunk = stream.read(8)
        if len(chunk) < 8 or not _is_name(chunk[:4]):
            return False
        size = struct.unpack(f"{order}I", chunk[4:])[0]
        place += 8 + size + size % 2
    return total - 1 <= place <= total + 1
