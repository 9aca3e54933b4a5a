"""The one rule of how many bytes of a WAV are sound, where soundfile is not installed too."""

from __future__ import annotations

import io
import logging
import struct
from pathlib import Path

import numpy as np
import pytest

from wakeword.errors import DataError
from wakeword.runtime.wav import wav_blocks
from wakeword.runtime.wav_header import HeaderError, SampleLayout, extent, is_placeholder, read_wav_header

RATE_HZ = 16_000
LAYOUT = SampleLayout("WAV", "PCM_16", RATE_HZ, 1, 2, 44, None)


def wav(stated: int, samples: int = RATE_HZ) -> bytes:
    data = np.arange(samples, dtype="<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    return b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + form + b"data" + struct.pack("<I", stated) + data


def taken(stated: int | None, there: int, layout: SampleLayout = LAYOUT) -> tuple[int, bool, int]:
    """Bytes, whether something is noted, bytes that are missing."""
    values = {**layout.__dict__, "stated_bytes": stated}
    found = extent(SampleLayout(**values), io.BytesIO(bytes(44)), 44 + there)
    return found.size, bool(found.note), found.missing


@pytest.mark.parametrize(
    ("stated", "there", "expected"),
    [
        (1000, 1000, (1000, False, 0)),
        (1000, 1001, (1000, False, 0)),
        (999, 1000, (998, False, 0)),
        (None, 1001, (1000, False, 0)),
        (1640, 1000, (1000, True, 0)),  # 20 ms
        (1642, 1000, (1000, False, 642)),
        (2000, 1000, (1000, False, 1000)),
        (0, 1000, (1000, True, 0)),
        (0, 0, (0, False, 0)),
        (0x7FFFF000, 1000, (1000, True, 0)),
        (0x7FFFF000, 0x7FFFF000, (0x7FFFF000, False, 0)),
        (0x70000000, 1000, (1000, False, 0x70000000 - 1000)),
        (0xFFFFFFFF, 0, (0, True, 0)),
        (1000, (1 << 32) + 1000, ((1 << 32) + 1000, True, 0)),
        (1000, (1 << 32) + (1 << 31), (1000, False, 0)),
    ],
)
def test_what_is_taken(stated: int | None, there: int, expected: tuple[int, bool, int]) -> None:
    assert taken(stated, there) == expected


def test_placeholders_lie_around_two_and_four_gib() -> None:
    for value in (
        0x7FFFFFFF,
        0x80000000,
        0x7FFFF000,
        0x8000002C,
        0xFFFFFFFF,
        0xFFFFFFDB,
        (1 << 64) - 1,
        (1 << 63) - 25,
    ):
        assert is_placeholder(value), hex(value)
    for value in (0, 1, 1 << 30, 0x7FE00000, 0x80200000, 0xFFE00000):
        assert not is_placeholder(value), hex(value)


def test_a_runtime_alone_reads_what_a_pipe_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "pipe.wav"
    for stated in (0, 0x7FFFF000, 0xFFFFFFFF, 2 * RATE_HZ + 36):
        path.write_bytes(wav(stated))
        caplog.clear()
        with caplog.at_level(logging.WARNING, "wakeword.runtime.wav"):
            blocks = list(wav_blocks(path, 0.3))
        assert [len(block) for block in blocks] == [4800, 4800, 4800, 1600]
        np.testing.assert_array_equal(np.concatenate(blocks) * 32768, np.arange(RATE_HZ))
        assert len(caplog.records) == 1
    path.write_bytes(wav(2 * RATE_HZ)[:-9000])
    with pytest.raises(DataError, match="truncated"):
        list(wav_blocks(path))


def test_a_header_needs_its_chunks() -> None:
    whole = wav(200, 100)
    for cut in (0, 11, 12, 30, 43):
        with pytest.raises(HeaderError):
            read_wav_header(io.BytesIO(whole[:cut]))
    assert read_wav_header(io.BytesIO(whole[:44])).data_start == 44
    with pytest.raises(HeaderError, match="before the format"):
        read_wav_header(io.BytesIO(whole[:12] + whole[36:]))
