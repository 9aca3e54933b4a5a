"""Where the samples of a WAV file lie, and how many there are; the standard library alone.

A size in a header is a promise only where somebody can have meant it. Programs that write into a pipe, and recorders
that were cut off, leave 0, `0x7FFFF000`, `0x80000000`, `0xFFFFFFFF` or a value next to these; others count a header
into the data. `extent` is the one rule of what is taken then.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

_GUID_END = bytes.fromhex("000000001000800000aa00389b71")
"""A WAVEFORMATEXTENSIBLE sub-format is a WAVE code and these bytes."""
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
"""A size within so many bytes of 2 GiB, or below 4 GiB, is taken for "not known": header and rounding come off it."""
SMALL_EXCESS_S = 0.02
MOST_HEADER_BYTES = 512
"""A header that promises no more than `SMALL_EXCESS_S` beyond what is there, or than its own length up to this, counted
wrongly."""


class HeaderError(ValueError):
    """A header that cannot be meant; `reason` is `undecodable`, `wrong_rate` or `codec_not_allowed`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class SampleLayout:
    """Samples in a file: `codec` is libsndfile's name (`PCM_16`, `ULAW`, …), or `other: NAME` for one with frames of
    changing size. `stated_bytes` is None where the container says that the length is not known.
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
    """Bytes to take, a whole number of frames; `note` says what was odd; `missing` > 0: the file is truncated."""

    size: int
    note: str = ""
    missing: int = 0


def is_wav(head: bytes) -> bool:
    """Whether 12 bytes begin a WAV file: RIFF, its big-endian form RIFX, or the 64-bit RF64 and BW64."""
    return len(head) >= 12 and head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE"


def read_wav_header(stream: BinaryIO) -> SampleLayout:
    """Read up to the data chunk. The stream begins at the RIFF header and can seek; its position is lost.

    Raises:
        HeaderError: a chunk is absent, or the header contradicts itself.
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
                told = struct.unpack("<QQ", sizes)[1]
                long_size = None if told >= 1 << 63 else told
        if name == b"fmt ":
            form = read_format(stream.read(min(size, 64)), order)
        stream.seek(_next_chunk(stream, body + size, total))
    raise HeaderError("undecodable", "the header ends before any audio: no data chunk")


def _next_chunk(stream: BinaryIO, end: int, total: int) -> int:
    """Chunks begin at even places; some writers forget the byte that takes them there."""
    if end % 2 == 0 or end + 8 > total:
        return end + end % 2
    stream.seek(end)
    name = stream.read(5)
    return end if _is_name(name[:4]) and not _is_name(name[1:]) else end + 1


def _is_name(name: bytes) -> bool:
    return len(name) == 4 and all(32 <= value < 127 for value in name)


def read_format(body: bytes, order: str = "<") -> tuple[str, int, int, int]:
    """Codec, rate in Hz, channels and bytes a frame of a `fmt ` chunk.

    Raises:
        HeaderError: too short, or numbers that contradict each other.
    """
    if len(body) < 16:
        raise HeaderError("undecodable", f"a format chunk of {len(body)} bytes, at least 16 are needed")
    code, channels, rate_hz, bytes_per_s, frame_bytes, bits = struct.unpack(f"{order}HHIIHH", body[:16])
    if code == 0xFFFE and len(body) >= 40 and body[26:40] == _GUID_END:
        code = struct.unpack(f"{order}H", body[24:26])[0]
    if code not in _CODES:
        return f"other: {_OTHER_CODES.get(code, f'WAVE code 0x{code:04X}')}", rate_hz, channels, max(1, frame_bytes)
    if not channels:
        raise HeaderError("undecodable", "the header gives 0 channels")
    if bytes_per_s and frame_bytes:
        told_hz = bytes_per_s / frame_bytes
        if abs(told_hz - rate_hz) > _RATE_SLACK * rate_hz:
            detail = (
                f"the header says {rate_hz} Hz, and by its bytes a second {told_hz:.0f} Hz: write the true one into it"
            )
            raise HeaderError("wrong_rate", detail)
    width = (bits + 7) // 8
    # 24 bits may lie in 4 bytes; other disagreements are decided by the bits, as other readers do.
    if frame_bytes == 4 * channels and width == 3:
        width = 4
    codec = _WIDTHS[_CODES[code]].get(width)
    if codec is None:
        raise HeaderError("undecodable", f"the header gives samples of {bits} bits, which WAV does not have")
    return codec, rate_hz, channels, width * channels


def extent(layout: SampleLayout, stream: BinaryIO, total: int) -> Extent:
    """How many of the bytes behind `layout.data_start` are samples, in a file of `total` bytes.

    * The promised bytes are there: they are taken.
    * The size is 0, or lies within 1 MiB of 2 GiB or below 4 GiB, and is not what is there: a placeholder. All bytes
      to the end are taken, unless (0) only chunks follow. So they are where the size is short by whole 4 GiB, the
      most that a 32-bit field counts.
    * At most 20 ms, or the header's own length (up to 512 bytes), are missing: counted wrongly. What is there is taken.
    * More is missing: `Extent.missing` says how much; the file was cut.

    Of what is taken, a last frame that is not whole is left out.
    """
    there = max(0, total - layout.data_start)
    told, frame = layout.stated_bytes, layout.frame_bytes
    if told is None:
        return Extent(there - there % frame)
    if told <= there:
        wrapped = told < 1 << 32 <= there and (there - told) % (1 << 32) < PLACEHOLDER_SLACK
        if wrapped or (told == 0 < there and not _chunks_follow(layout, stream, total)):
            return Extent(there - there % frame, _placeholder(told, there))
        return Extent(told - told % frame)
    if is_placeholder(told):
        return Extent(there - there % frame, _placeholder(told, there))
    missing = told - there
    second = max(1, layout.rate_hz) * frame
    if missing <= max(min(layout.data_start, MOST_HEADER_BYTES), SMALL_EXCESS_S * second):
        note = f"the header promises {missing} bytes of audio more than there are: the {there} that are there are taken"
        return Extent(there - there % frame, note)
    return Extent(there - there % frame, missing=missing)


def is_placeholder(stated_bytes: int) -> bool:
    """Whether a size is one that is written where the length is not known, and not met by accident."""
    return (
        any(abs(stated_bytes - limit) < PLACEHOLDER_SLACK for limit in (1 << 31, 1 << 32))
        or stated_bytes >= (1 << 63) - PLACEHOLDER_SLACK
    )


def _placeholder(told: int, there: int) -> str:
    return f"the header gives {told} bytes of audio, as where the length is not known: the {there} there are taken"


def _chunks_follow(layout: SampleLayout, stream: BinaryIO, total: int) -> bool:
    """Whether what comes after an empty data chunk are chunks to the end of the file, and so no samples."""
    place, order = layout.data_start, ">" if layout.big_endian else "<"
    while place + 8 <= total:
        stream.seek(place)
        chunk = stream.read(8)
        if len(chunk) < 8 or not _is_name(chunk[:4]):
            return False
        size = struct.unpack(f"{order}I", chunk[4:])[0]
        place += 8 + size + size % 2
    return total - 1 <= place <= total + 1
