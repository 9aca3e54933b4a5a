"""Damaged audio files: small real ones of every container, and one mutation of them for every number."""

from __future__ import annotations

import io
import struct
from itertools import pairwise

import numpy as np
import soundfile

HEADER = 160
"""Mutations of single fields and bits fall into so many bytes at the beginning, where most headers end."""
EXTREMES = (0, 1, 2, 3, 0x7F, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
FORMS = (
    ("WAV", "PCM_16", 16_000, 1),
    ("WAV", "PCM_24", 48_000, 2),
    ("WAV", "PCM_32", 8_000, 1),
    ("WAV", "FLOAT", 44_100, 2),
    ("WAVEX", "PCM_16", 16_000, 2),
    ("FLAC", "PCM_16", 16_000, 1),
    ("FLAC", "PCM_24", 44_100, 2),
    ("OGG", "VORBIS", 16_000, 1),
    ("OGG", "OPUS", 48_000, 2),
    ("MP3", "MPEG_LAYER_III", 16_000, 1),
    ("WAV", "PCM_U8", 8_000, 1),
    ("WAV", "DOUBLE", 16_000, 1),
    ("WAV", "ALAW", 8_000, 2),
    ("WAV", "ULAW", 16_000, 1),
    ("RF64", "PCM_16", 16_000, 1),
    ("W64", "PCM_16", 16_000, 2),
    ("AIFF", "PCM_16", 16_000, 1),
    ("AIFF", "ALAW", 8_000, 1),
    ("AU", "PCM_24", 16_000, 1),
    ("CAF", "FLOAT", 16_000, 1),
    # Refused whole, and so are their mutations.
    ("WAV", "IMA_ADPCM", 16_000, 1),
    ("CAF", "ALAC_16", 16_000, 1),
)
"""Container, codec, sample rate in Hz, channels."""
Bytes = bytearray


def whole_files() -> list[bytes]:
    """A tenth of a second of a tone with noise in each of `FORMS`."""
    files = []
    for form, subtype, rate_hz, channels in FORMS:
        time_s = np.arange(rate_hz // 10)[:, None] / rate_hz
        noise = np.random.default_rng(rate_hz).uniform(-0.1, 0.1, (len(time_s), channels))
        sink = io.BytesIO()
        soundfile.write(sink, 0.5 * np.sin(2 * np.pi * 440 * time_s) + noise, rate_hz, format=form, subtype=subtype)
        files.append(sink.getvalue())
    return files


def mutated(files: list[bytes], number: int) -> tuple[int, str, bytes]:
    """Mutation `number`, the same every time: which file, what was done to it, and what came of it."""
    draw = np.random.default_rng([number, 20])
    chosen = int(draw.integers(len(files)))
    data, done = Bytes(files[chosen]), []
    # Mostly one: two at once hide each other behind the first check that fails.
    for _ in range(1 + int(draw.random() < 0.2)):
        name, mutate = MUTATIONS[int(draw.integers(len(MUTATIONS)))]
        if len(data) > 16:
            data = mutate(data, draw, files)
            done.append(name)
    return chosen, "+".join(done), bytes(data)


def _bits(data: Bytes, draw: np.random.Generator, files: list[bytes]) -> Bytes:
    for place in draw.integers(0, 8 * min(HEADER, len(data)), int(draw.integers(1, 9))).tolist():
        data[place // 8] ^= 1 << place % 8
    return data


def _body_bits(data: Bytes, draw: np.random.Generator, files: list[bytes]) -> Bytes:
    for place in draw.integers(0, 8 * len(data), int(draw.integers(1, 33))).tolist():
        data[place // 8] ^= 1 << place % 8
    return data


def _truncated(data: Bytes, draw: np.random.Generator, files: list[bytes]) -> Bytes:
    end = HEADER if draw.random() < 0.5 else len(data)
    return data[: int(draw.integers(1, min(end, len(data)) + 1))]


def _field(data: Bytes, draw: np.random.Generator, files: list[bytes]) -> Bytes:
    place = int(draw.integers(0, min(HEADER, len(data)) - 4))
    _put(data, place, draw)
    return data


def _put(data: Bytes, place: int, draw: np.random.Generator) -> None:
    value = EXTREMES[int(draw.integers(len(EXTREMES)))]
    order = "<" if draw.random() < 0.5 else ">"
    if draw.random() < 0.5:
        data[place : place + 4] = struct.pack(f"{order}I", value)
    else:
        data[place : place + 2] = struct.pack(f"{order}H", value & 0xFFFF)


def _chunk_size(data: Bytes, draw: np.random.Generator, files: list[bytes]) -> Bytes:
    """The four bytes behind a chunk's name; FLAC's blocks and Ogg's pages have theirs close behind a mark as well."""
    marks = [place for place, _ in _marks(data)]
    if marks:
        place = marks[int(draw.integers(len(marks)))] + 4
        if place + 4 <= len(data):
            _put(data, place, draw)
    return data


def _swapped(data: Bytes, draw: np.random.Generator, files: list[bytes]) -> Bytes:
    """Two chunks (or pages) change places; without chunks two stretches of bytes do."""
    parts = _chunks(data)
    if len(parts) > 3:
        first, second = sorted(draw.choice(np.arange(1, len(parts)), 2, replace=False).tolist())
        parts[first], parts[second] = parts[second], parts[first]
    return Bytes(b"".join(parts))


def _repeated(data: Bytes, draw: np.random.Generator, files: list[bytes]) -> Bytes:
    parts = _chunks(data)
    place = int(draw.integers(len(parts)))
    return Bytes(b"".join([*parts[: place + 1], *parts[place:]]))


def _left_out(data: Bytes, draw: np.random.Generator, files: list[bytes]) -> Bytes:
    parts = _chunks(data)
    del parts[int(draw.integers(len(parts)))]
    return Bytes(b"".join(parts)) or Bytes(b"\0")


def _inserted(data: Bytes, draw: np.random.Generator, files: list[bytes]) -> Bytes:
    place = int(draw.integers(0, min(HEADER, len(data))))
    data[place:place] = draw.bytes(int(draw.integers(1, 65)))
    return data


def _spliced(data: Bytes, draw: np.random.Generator, files: list[bytes]) -> Bytes:
    """The head of one format before the body of another."""
    other = files[int(draw.integers(len(files)))]
    return data[: int(draw.integers(4, HEADER))] + Bytes(other[int(draw.integers(0, HEADER)) :])


_NAMES = (
    b"RIFF", b"WAVE", b"fmt ", b"fact", b"data", b"PEAK", b"LIST", b"fLaC", b"OggS", b"FORM", b"COMM", b"SSND", b"desc",
    b"OpusHead", b"OpusTags", b"vorbis", b"Xing", b"Info", b"ID3", b"caff", b"pakt",
)  # fmt: skip


def _marks(data: Bytes) -> list[tuple[int, bytes]]:
    found = []
    for name in _NAMES:
        place = data.find(name)
        while place >= 0 and len(found) < 64:
            found.append((place, name))
            place = data.find(name, place + 1)
    return sorted(found)


def _chunks(data: Bytes) -> list[bytes]:
    """The file cut before each known name (FLAC: in blocks of 42 bytes, of which the first ends its STREAMINFO)."""
    places = [place for place, _ in _marks(data)]
    if len(places) < 3:
        places += [42, 84, 126]
    bounds = sorted({0, len(data), *(place for place in places if place < len(data))})
    return [bytes(data[start:end]) for start, end in pairwise(bounds)]


MUTATIONS = (
    ("bits", _bits),
    ("bits of the body", _body_bits),
    ("truncated", _truncated),
    ("field", _field),
    ("chunk size", _chunk_size),
    ("swapped", _swapped),
    ("repeated", _repeated),
    ("left out", _left_out),
    ("inserted", _inserted),
    ("spliced", _spliced),
)
