"""Containers of plain samples: the same samples as with libsndfile's parsers, and wrong sizes."""

from __future__ import annotations

import io
import logging
import struct

import numpy as np
import pytest
import soundfile

from wakeword.audio.decoding.sampled import reader_of
from wakeword.audio.io import AudioError, read_audio

RATE_HZ = 16_000


def sound(channels: int = 1, rate_hz: int = RATE_HZ) -> np.ndarray:
    noise = np.random.default_rng(channels).uniform(-0.8, 0.8, (rate_hz, channels))
    return noise[:, 0] if channels == 1 else noise


def written(form: str, subtype: str, channels: int = 1, endian: str = "FILE") -> bytes:
    sink = io.BytesIO()
    soundfile.write(sink, sound(channels), RATE_HZ, format=form, subtype=subtype, endian=endian)
    return sink.getvalue()


def wav(
    stated: int | None = None,
    data: bytes | None = None,
    *,
    riff: int | None = None,
    code: int = 1,
    bits: int = 16,
    channels: int = 1,
    behind: bytes = b"",
) -> bytes:
    """A WAV of one second whose data chunk states `stated`."""
    data = (sound() * 32767).astype("<i2").tobytes() if data is None else data
    frame = channels * ((bits + 7) // 8)
    form = struct.pack("<HHIIHH", code, channels, RATE_HZ, RATE_HZ * frame, frame, bits)
    stated = len(data) if stated is None else stated
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", stated) + data + behind
    return b"RIFF" + struct.pack("<I", len(body) if riff is None else riff) + body


def decode(data: bytes) -> tuple[int, list[str]]:
    notes: list[str] = []
    return len(read_audio(data, warn=notes.append)), notes


def reason(data: bytes) -> str:
    with pytest.raises(AudioError) as caught:
        read_audio(data)
    assert "0x7f" not in str(caught.value)
    return caught.value.reason


CASES = [
    *(("WAV", subtype, "FILE") for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")),
    *(("WAV", subtype, "FILE") for subtype in ("ULAW", "ALAW")),
    *(("WAV", subtype, "BIG") for subtype in ("PCM_16", "FLOAT")),
    *(("WAVEX", subtype, "FILE") for subtype in ("PCM_16", "PCM_24", "FLOAT", "ULAW")),
    *(("RF64", subtype, "FILE") for subtype in ("PCM_16", "FLOAT")),
    *(("W64", subtype, "FILE") for subtype in ("PCM_U8", "PCM_16", "PCM_24", "DOUBLE", "ALAW")),
    *(("AIFF", subtype, "FILE") for subtype in ("PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW")),
    *(("AIFF", subtype, "LITTLE") for subtype in ("PCM_16", "PCM_24")),
    ("AIFF", "PCM_U8", "FILE"),
    *(("AU", subtype, "FILE") for subtype in ("PCM_S8", "PCM_16", "PCM_24", "FLOAT", "ULAW", "ALAW")),
    *(("CAF", subtype, "FILE") for subtype in ("PCM_S8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE", "ULAW", "ALAW")),
    ("CAF", "PCM_16", "LITTLE"),
]


@pytest.mark.parametrize(("form", "subtype", "endian"), CASES)
def test_samples_are_those_of_libsndfiles_own_parser(form: str, subtype: str, endian: str) -> None:
    for channels in (1, 2):
        data = written(form, subtype, channels, endian)
        own, rate_hz = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
        assert rate_hz == RATE_HZ
        expected = own.mean(axis=1) if channels > 1 else own[:, 0]
        assert decode(data) == (RATE_HZ, [])
        np.testing.assert_array_equal(read_audio(data), np.clip(expected, -1.0, 1.0))


PLACEHOLDERS = (
    0,
    0x7FFFF000,  # sox, espeak
    0x7FFFFFFF,
    0x7FFFFFFF - 36,
    0x7FFFFFDB,
    0x80000000,  # arecord
    0x80000000 - 44,
    0xFFFFFFFF,  # ffmpeg
    0xFFFFFFFF - 36,
    0xFFFFFFFE,
    0xFFFFF000,
)


@pytest.mark.parametrize("stated", PLACEHOLDERS)
@pytest.mark.parametrize("riff", [None, 0, 0xFFFFFFFF])
def test_a_placeholder_for_the_size_is_ignored(stated: int, riff: int | None) -> None:
    samples, notes = decode(wav(stated, riff=riff))
    assert samples == RATE_HZ
    assert len(notes) == 1, "one warning"
    assert f"{stated} bytes" in notes[0]


@pytest.mark.parametrize("excess", [1, 2, 3, 8, 36, 44, 600])
def test_a_few_bytes_too_many_are_no_truncation(excess: int) -> None:
    samples, notes = decode(wav(2 * RATE_HZ + excess))
    assert samples == RATE_HZ
    assert [f"{excess} bytes more" in note for note in notes] == [True]


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9, 0.96])
def test_a_file_that_was_cut_stays_truncated(share: float) -> None:
    data = wav()
    assert reason(data[: 44 + int(share * 2 * RATE_HZ)]) == "truncated"


def test_sizes_that_are_too_small() -> None:
    samples = (sound() * 32767).astype("<i2").tobytes()
    note = b"LIST" + struct.pack("<I", 10) + b"INFOabcdef"
    assert decode(wav(behind=note)) == (RATE_HZ, [])
    assert decode(wav(1000, samples)) == (500, []), "the size is kept: what is behind it is something else"
    assert reason(wav(0, b"", behind=note)) == "no_samples"
    assert decode(wav(0))[0] == RATE_HZ
    # An odd size, and one that is no whole number of frames.
    assert decode(wav(2 * RATE_HZ - 1))[0] == RATE_HZ - 1
    assert decode(wav(None, samples + b"\0"))[0] == RATE_HZ
    assert decode(wav(None, samples[:-2], channels=2))[0] == RATE_HZ // 2 - 1


def test_a_size_short_by_4_gib_is_a_count_that_ran_over(tmp_path) -> None:
    path = tmp_path / "long.wav"
    head = wav(1000, b"")
    with path.open("wb") as file:
        file.write(head)
        # A hole in the file: the bytes are zeros that take no space.
        file.truncate(len(head) + (1 << 32) + 1000)
    from wakeword.audio.decoding.sampled import read_wav_header
    from wakeword.runtime.wav_header import extent

    with path.open("rb") as file:
        there = extent(read_wav_header(file), file, path.stat().st_size)
    assert there.size == (1 << 32) + 1000
    assert "a placeholder" in there.note


@pytest.mark.parametrize(
    ("form", "place", "stated"),
    [
        ("AIFF", lambda data: data.index(b"SSND") + 4, struct.pack(">I", 0)),
        ("AU", lambda data: 8, struct.pack(">I", 0xFFFFFFFF)),
        ("CAF", lambda data: data.index(b"data") + 4, struct.pack(">q", -1)),
        ("W64", lambda data: data.index(b"data") + 16, struct.pack("<Q", (1 << 63) - 1)),
        ("RF64", lambda data: data.index(b"ds64") + 16, struct.pack("<Q", 0)),
        ("RF64", lambda data: data.index(b"ds64") + 16, struct.pack("<Q", (1 << 64) - 1)),
    ],
)
def test_other_containers_from_a_pipe(form: str, place, stated: bytes) -> None:
    data = bytearray(written(form, "PCM_16"))
    at = place(data)
    data[at : at + len(stated)] = stated
    assert decode(bytes(data))[0] == RATE_HZ
    assert reason(written(form, "PCM_16")[:20_000]) == "truncated"


def test_headers_that_contradict_themselves() -> None:
    assert reason(wav(bits=20, channels=0)) == "undecodable"
    assert reason(wav(bits=128)) == "undecodable"
    assert reason(wav(code=0x55)) == "codec_not_allowed"
    assert reason(wav()[:30]) == "undecodable"
    aiff = bytearray(written("AIFF", "PCM_16"))
    at = aiff.index(b"COMM") + 16
    aiff[at : at + 2] = b"\x7f\xfe"  # a rate beyond every number
    assert reason(bytes(aiff)) == "bad_sample_rate"


def test_a_writer_that_forgets_the_byte_that_evens_a_chunk() -> None:
    data = wav()
    odd = b"LIST" + struct.pack("<I", 7) + b"INFOabc"
    for padding in (b"", b"\0"):
        assert decode(data[:36] + odd + padding + data[36:]) == (RATE_HZ, [])


def test_without_a_listener_the_log_is_told_once(caplog: pytest.LogCaptureFixture, tmp_path) -> None:
    path = tmp_path / "pipe.wav"
    path.write_bytes(wav(0xFFFFFFFF))
    with caplog.at_level(logging.WARNING, "wakeword.audio.io"):
        read_audio(path)
    assert [record.getMessage().startswith(str(path)) for record in caplog.records] == [True]


def test_only_known_containers_have_a_reader() -> None:
    for form in ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF"):
        assert reader_of(written(form, "PCM_16")[:64])
    for head in (b"", b"RIFF", b"RIFF\0\0\0\0AVI ", b"fLaC", b"FORM\0\0\0\0ILBM", b"caff"):
        assert reader_of(head) is None
