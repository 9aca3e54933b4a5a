"""Parse the headers of containers with uncompressed samples: WAV, RF64, Wave64, AIFF, AU and CAF.

libsndfile reads only the samples, as raw audio. Its parsers of these containers, where most of its faults were found,
are not used, and wrong sizes in headers can be corrected.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable
from typing import BinaryIO

from wakeword.runtime.wav_header import HeaderError, SampleLayout, is_wav, read_format, read_wav_header

SAMPLE_CODECS = ("PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
"""Supported encodings, by libsndfile's names."""
MAX_CHANNELS = 1024
_MOST_CHUNKS = 10_000
_W64_RIFF = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
_W64_END = bytes.fromhex("f3acd3118cd100c04f8edb8a")
"""The name of a Wave64 chunk is four letters and these bytes."""
_AIFC = {
    b"NONE": ("PCM", True), b"twos": ("PCM", True), b"in24": ("PCM", True), b"in32": ("PCM", True),
    b"sowt": ("PCM", False), b"42n1": ("PCM", False), b"23ni": ("PCM", False), b"raw ": ("U8", True),
    b"fl32": ("FLOAT", True), b"FL32": ("FLOAT", True), b"fl64": ("DOUBLE", True), b"FL64": ("DOUBLE", True),
    b"ulaw": ("ULAW", True), b"ULAW": ("ULAW", True), b"alaw": ("ALAW", True), b"ALAW": ("ALAW", True),
}  # fmt: skip
"""AIFF-C compression: codec, and whether it is big-endian."""
_PCM = {1: "PCM_S8", 2: "PCM_16", 3: "PCM_24", 4: "PCM_32"}
_FIXED = {"U8": ("PCM_U8", 1), "FLOAT": ("FLOAT", 4), "DOUBLE": ("DOUBLE", 8), "ULAW": ("ULAW", 1), "ALAW": ("ALAW", 1)}
_AU = {
    1: ("ULAW", 1), 2: ("PCM_S8", 1), 3: ("PCM_16", 2), 4: ("PCM_24", 3), 5: ("PCM_32", 4), 6: ("FLOAT", 4),
    7: ("DOUBLE", 8), 27: ("ALAW", 1),
}  # fmt: skip


def reader_of(head: bytes) -> Callable[[BinaryIO], SampleLayout] | None:
    """The header parser for a file with these first 40 bytes; None for any other container."""
    if is_wav(head):
        return read_wav_header
    if head[:16] == _W64_RIFF and head[24:40] == b"wave" + _W64_END:
        return read_w64_header
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return read_aiff_header
    if head[:4] == b".snd":
        return read_au_header
    return read_caf_header if head[:6] == b"caff\0\1" else None


def read_w64_header(stream: BinaryIO) -> SampleLayout:
    """Parse Wave64 (WAV with 64-bit sizes). Raises HeaderError."""
    total = stream.seek(0, io.SEEK_END)
    place, form = 40, None
    for _ in range(_MOST_CHUNKS):
        stream.seek(place)
        chunk = stream.read(24)
        if len(chunk) < 24:
            break
        name, size = chunk[:4], struct.unpack("<Q", chunk[16:])[0]
        if chunk[4:16] == _W64_END and name == b"data":
            if form is None:
                raise HeaderError("undecodable", "the data comes before the format chunk")
            codec, rate_hz, channels, frame_bytes = form
            return SampleLayout("W64", codec, rate_hz, channels, frame_bytes, place + 24, max(0, size - 24))
        if chunk[4:16] == _W64_END and name == b"fmt ":
            form = read_format(stream.read(min(64, max(0, size - 24))))
        place += max(24, size + -size % 8)
        if place > total:
            break
    raise HeaderError("undecodable", "the header ends before any audio: no data chunk")


def read_aiff_header(stream: BinaryIO) -> SampleLayout:
    """Parse AIFF and AIFF-C. Raises HeaderError."""
    stream.seek(12)
    form: tuple[str, bool, int, int, int, int] | None = None
    sound: tuple[int, int] | None = None
    for _ in range(_MOST_CHUNKS):
        chunk = stream.read(8)
        if len(chunk) < 8 or (form and sound):
            break
        name, size = struct.unpack(">4sI", chunk)
        body = stream.tell()
        if name == b"COMM":
            form = _common(stream.read(min(size, 22)))
        if name == b"SSND":
            fields = stream.read(8)
            if len(fields) < 8:
                break
            offset = struct.unpack(">I", fields[:4])[0]
            sound = (body + 8 + offset, max(0, size - 8 - offset))
            if form:
                break
        stream.seek(body + size + size % 2)
    if form is None or sound is None:
        raise HeaderError("undecodable", f"the header has no {'COMM' if form is None else 'SSND'} chunk")
    codec, big_endian, rate_hz, channels, frame_bytes, frames = form
    start, size = sound
    # A writer into a pipe leaves 0; COMM may still have the number of frames.
    size = size or frames * frame_bytes
    return SampleLayout("AIFF", codec, rate_hz, channels, frame_bytes, start, size, big_endian)


def _common(body: bytes) -> tuple[str, bool, int, int, int, int]:
    """Codec, byte order, rate in Hz, channels, bytes per frame and frames of a COMM chunk."""
    if len(body) < 18:
        raise HeaderError("undecodable", f"the COMM chunk has {len(body)} bytes, at least 18 are needed")
    channels, frames, bits, exponent, mantissa = struct.unpack(">HIHHQ", body[:18])
    name = body[18:22] if len(body) >= 22 else b"NONE"
    # An 80-bit float; rates beyond 2 GHz count as 0.
    rate_hz = _whole_hz(math.ldexp(mantissa, exponent - 16383 - 63)) if exponent < 16383 + 31 else 0
    if name not in _AIFC:
        return f"other: AIFF-C {name.decode('latin-1').strip()!r}", True, rate_hz, channels, max(1, channels), frames
    kind, big_endian = _AIFC[name]
    codec, width = _fixed_or_pcm(kind, (bits + 7) // 8)
    return codec, big_endian, rate_hz, channels, width * _some(channels), frames


def read_au_header(stream: BinaryIO) -> SampleLayout:
    """Parse Sun AU. Raises HeaderError."""
    stream.seek(0)
    head = stream.read(24)
    if len(head) < 24:
        raise HeaderError("undecodable", "the header ends before any audio")
    start, size, code, rate_hz, channels = struct.unpack(">5I", head[4:])
    codec, width = _AU.get(code, (f"other: AU code {code}", 1))
    stated = None if size == 0xFFFFFFFF else size
    return SampleLayout("AU", codec, rate_hz, channels, width * _some(channels), max(24, start), stated, True)


def read_caf_header(stream: BinaryIO) -> SampleLayout:
    """Parse Apple CAF with linear PCM, A-law or mu-law. Raises HeaderError."""
    total = stream.seek(0, io.SEEK_END)
    place, form = 8, None
    for _ in range(_MOST_CHUNKS):
        stream.seek(place)
        chunk = stream.read(12)
        if len(chunk) < 12:
            break
        name, size = struct.unpack(">4sq", chunk)
        if name == b"data":
            if form is None:
                raise HeaderError("undecodable", "the data comes before the format chunk")
            codec, rate_hz, channels, frame_bytes, big_endian = form
            stated = None if size < 0 else max(0, size - 4)
            return SampleLayout("CAF", codec, rate_hz, channels, frame_bytes, place + 16, stated, big_endian)
        if name == b"desc":
            form = _described(stream.read(32))
        place += 12 + max(0, size)
        if place > total:
            break
    raise HeaderError("undecodable", "the header ends before any audio: no data chunk")


def _described(body: bytes) -> tuple[str, int, int, int, bool]:
    if len(body) < 32:
        raise HeaderError("undecodable", "the header ends within its description")
    rate, name, flags, packet_bytes, _, channels, bits = struct.unpack(">d4s5I", body)
    rate_hz = _whole_hz(rate)
    if name not in (b"lpcm", b"alaw", b"ulaw"):
        return f"other: {name.decode('latin-1').strip()!r}", rate_hz, channels, 1, True
    number = "PCM" if not flags & 1 else "DOUBLE" if bits == 64 else "FLOAT"
    kind = {b"alaw": "ALAW", b"ulaw": "ULAW"}.get(name, number)
    codec, width = _fixed_or_pcm(kind, (bits + 7) // 8)
    if packet_bytes and packet_bytes != width * channels:
        raise HeaderError(
            "undecodable", f"{packet_bytes} bytes per frame do not match {channels} channels of {bits} bits"
        )
    return codec, rate_hz, channels, width * _some(channels), not flags & 2


def _fixed_or_pcm(kind: str, width: int) -> tuple[str, int]:
    if kind != "PCM":
        return _FIXED[kind]
    if width not in _PCM:
        raise HeaderError("undecodable", f"the header gives samples of {width} bytes")
    return _PCM[width], width


def _some(channels: int) -> int:
    if not channels:
        raise HeaderError("undecodable", "the header gives 0 channels")
    return channels


def _whole_hz(rate: float) -> int:
    return round(rate) if math.isfinite(rate) and 0 < rate < 1 << 31 else 0
