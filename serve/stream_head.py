"""Recognition of a stream's first bytes: raw samples, a WAV header, or a file of another kind.

Raw samples may begin with any bytes. A file is therefore recognised by at least 6 bytes of its header, and compressed
frames without a header by three in a row.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from wakeword.runtime.resampling import MAX_RATE_HZ, MIN_RATE_HZ
from wakeword.runtime.wav_header import HeaderError, is_placeholder, read_format

from .audio_format import MAX_CHANNELS, AudioFormat
from .mpeg_frames import compressed_frames

MAX_WAV_HEAD_BYTES, MAX_WAV_CHUNKS = 1 << 16, 64
"""Largest size and number of chunks before the samples of a WAV."""
WAV = "WAV"
_ANY = frozenset(range(256))
_TEXT = frozenset(range(0x20, 0x7F))
_ID3_FLAGS = frozenset(range(0, 256, 16))
_FRAME_NAME = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_JSON = re.compile(rb'\{\s{0,8}"[A-Za-z_]\w{0,31}"\s{0,8}:')
_JSON_BEGUN = re.compile(rb'\{\s{0,8}("([A-Za-z_]\w{0,31}("\s{0,8})?)?)?')
_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_DOCUMENT_TYPE = b"\x42\x82"
_EBML = b"\x1a\x45\xdf\xa3"
_EBML_HEAD_BYTES = 64

_Part = bytes | int | frozenset[int]


def _pattern(*parts: _Part) -> tuple[frozenset[int], ...]:
    """Allowed values of each byte; an int stands for that many bytes of any value, a set for one byte."""
    allowed: list[frozenset[int]] = []
    for part in parts:
        if isinstance(part, bytes):
            allowed += [frozenset([byte]) for byte in part]
        elif isinstance(part, int):
            allowed += [_ANY] * part
        else:
            allowed.append(part)
    return tuple(allowed)


def _below(limit: int) -> frozenset[int]:
    return frozenset(range(limit))


_PATTERNS: tuple[tuple[str, tuple[frozenset[int], ...]], ...] = (
    (WAV, _pattern(b"RIFF", 4, b"WAVE")),
    ("an AVI file", _pattern(b"RIFF", 4, b"AVI ")),
    ("an RF64 file", _pattern(b"RF64", 4, b"WAVE")),
    ("an RF64 file", _pattern(b"BW64", 4, b"WAVE")),
    ("a big-endian WAV file", _pattern(b"RIFX", 4, b"WAVE")),
    ("a Wave64 file", _pattern(b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb")),
    ("an Ogg file", _pattern(b"OggS\0\x02", bytes(8), 4, bytes(4))),
    ("a FLAC file", _pattern(b"fLaC", frozenset([0x00, 0x80]), b"\0\0\x22")),
    (
        "an MP3 file",
        _pattern(b"ID3", frozenset([2, 3, 4]), _below(255), _ID3_FLAGS, *[_below(128)] * 4, *[_FRAME_NAME] * 3),
    ),
    ("an MPEG-4 (mp4) file", _pattern(b"\0\0", _below(16), 1, b"ftyp", *[_TEXT] * 4)),
    ("an AIFF file", _pattern(b"FORM", 4, b"AIF", frozenset(b"FC"))),
    ("a CAF file", _pattern(b"caff\0\x01\0\0")),
    ("an AU file", _pattern(b".snd\0\0", 1, frozenset(range(24, 256, 4)), 4, b"\0\0\0", _below(28) - {0})),
    ("a Windows Media (wma) file", _pattern(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11")),
    ("an AMR file", _pattern(b"#!AMR", frozenset(b"\n-"))),
    ("a Flash video file", _pattern(b"FLV\x01", frozenset([1, 4, 5]), b"\0\0\0\x09")),
    ("a True Audio file", _pattern(b"TTA1\x01\0", _below(9) - {0}, b"\0", frozenset([8, 16, 24]), b"\0")),
    ("a Creative Voice file", _pattern(b"Creative Voice File\x1a")),
    ("a WavPack file", _pattern(b"wvpk", 4, _below(17) - _below(2), b"\x04\0\0")),
    ("a NIST SPHERE file", _pattern(b"NIST_1A\n")),
    ("base64 text", _pattern(b"UklGR", *[_BASE64] * 11)),
    ("base64 text", _pattern(b"T2dnUwAC")),
    ("base64 text", _pattern(b"data:audio/")),
)


def recognised(head: bytes) -> str | None:
    """Kind of a stream that begins with `head`: `WAV`, "an Ogg file" etc., "" for samples, None to wait for more."""
    undecided = False
    for name, pattern in _PATTERNS:
        if all(byte in allowed for byte, allowed in zip(head, pattern, strict=False)):
            if len(head) >= len(pattern):
                return name
            undecided = True
    for found in (_json(head), _matroska(head), compressed_frames(head)):
        if found:
            return found
        undecided |= found is None
    return None if undecided else ""


def _json(head: bytes) -> str | None:
    if _JSON.match(head):
        return "JSON text"
    return None if not head or _JSON_BEGUN.fullmatch(head) else ""


def _matroska(head: bytes) -> str | None:
    if not (head.startswith(_EBML) or _EBML.startswith(head)):
        return ""
    start = head[4:_EBML_HEAD_BYTES]
    for name, kind in ((b"webm", "a WebM file"), (b"matroska", "a Matroska file")):
        if _DOCUMENT_TYPE in start and name in start:
            return kind
    return None if len(head) < _EBML_HEAD_BYTES else ""


class HeadError(ValueError):
    """A WAV header of samples that a stream does not support."""


@dataclass(frozen=True)
class WavHead:
    """Contents of a WAV header."""

    format: AudioFormat
    size: int
    """Bytes of the header, before the samples."""
    data_bytes: int | None
    """Bytes of samples; None where the header does not state them."""


def wav_head(head: bytes) -> WavHead | None:
    """The header at the start of `head`, a WAV by `recognised`; None while it is incomplete.

    Raises HeadError for samples other than 16-bit PCM and float32, more than two channels, an impossible rate, or a
    header without end.
    """
    at, chunks, audio = 12, 0, None
    while len(head) >= at + 8:
        name, size = struct.unpack_from("<4sI", head, at)
        if name == b"data":
            if audio is None:
                raise HeadError("the WAV header does not state the format of its samples")
            return WavHead(audio, at + 8, None if size == 0 or is_placeholder(size) else size)
        if name == b"fmt ":
            if len(head) < at + 8 + min(size, 40):
                break
            audio = _declared(head[at + 8 : at + 8 + min(size, 40)])
        at, chunks = at + 8 + size + size % 2, chunks + 1
        if at > MAX_WAV_HEAD_BYTES or chunks > MAX_WAV_CHUNKS:
            raise HeadError(f"a WAV header without samples in its first {MAX_WAV_HEAD_BYTES} bytes")
    return None


def _declared(chunk: bytes) -> AudioFormat:
    try:
        codec, rate_hz, channels, _ = read_format(chunk)
    except HeaderError as error:
        raise HeadError(str(error)) from error
    encoding = {"PCM_16": "pcm_s16le", "FLOAT": "pcm_f32le"}.get(codec)
    if encoding is None:
        name = codec.removeprefix("other: ")
        raise HeadError(f"a WAV of {name} samples: send 16-bit PCM or float32, or POST it to /v1/detect")
    if not 1 <= channels <= MAX_CHANNELS:
        raise HeadError(f"a WAV of {channels} channels: send one or two, or POST it to /v1/detect")
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise HeadError(f"the WAV header says {rate_hz} Hz, which is impossible")
    return AudioFormat(rate_hz, encoding, channels)
