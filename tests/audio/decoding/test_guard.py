"""A file that kills its decoder is a bad file; the next one is decoded as if nothing had been."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from wakeword.audio.decoding.guard import GuardedDecoder
from wakeword.audio.io import AudioError, read_audio, stream_blocks, write_wav


@pytest.fixture
def decoder() -> Iterator[GuardedDecoder]:
    guarded = GuardedDecoder()
    yield guarded
    guarded.close()


def noise(seconds: float, rate_hz: int = 16_000) -> np.ndarray:
    return np.random.default_rng(1).uniform(-0.5, 0.5, round(seconds * rate_hz)).astype(np.float32)


def test_the_child_gives_the_same_samples(tmp_path: Path, decoder: GuardedDecoder) -> None:
    for rate_hz in (16_000, 44_100):
        path = str(tmp_path / f"{rate_hz}.wav")
        write_wav(path, noise(2.5, rate_hz), rate_hz)
        np.testing.assert_array_equal(decoder.read_audio(path), read_audio(path))
        ours, theirs = list(stream_blocks(path, 1.0)), list(decoder.stream_blocks(path, 1.0))
        assert [len(block) for block in ours] == [len(block) for block in theirs]
    with pytest.raises(AudioError, match="longer than") as caught:
        decoder.read_audio(path, max_s=1.0)
    assert caught.value.reason == "too_long"
    assert len(decoder.read_audio(path)) == 40_000, "unread blocks do not belong to the next file"


def test_faults_keep_their_reason(tmp_path: Path, decoder: GuardedDecoder) -> None:
    (tmp_path / "bad.wav").write_bytes(b"RIFF but no more")
    (tmp_path / "empty.wav").touch()
    for name, reason in (("bad.wav", "undecodable"), ("empty.wav", "empty_file"), ("no.wav", "missing_file")):
        with pytest.raises(AudioError) as caught:
            decoder.read_audio(str(tmp_path / name))
        assert caught.value.reason == reason
    with pytest.raises(AudioError) as caught:
        decoder.read_audio(f"{tmp_path}/no.tar#k.wav")
    assert caught.value.reason == "missing_file"


def test_a_killed_child_costs_one_file(tmp_path: Path, decoder: GuardedDecoder) -> None:
    path = str(tmp_path / "long.wav")
    write_wav(path, noise(300))
    blocks = decoder.stream_blocks(path, 1.0)
    next(blocks)
    assert decoder._child is not None
    os.kill(decoder._child.pid, signal.SIGSEGV)
    with pytest.raises(AudioError, match=f"signal {signal.SIGSEGV:d}") as caught:
        list(blocks)
    assert caught.value.reason == "decoder_crashed"
    assert len(decoder.read_audio(path)) == 300 * 16_000


def test_memory_and_time_are_bounded(tmp_path: Path) -> None:
    path = str(tmp_path / "a.wav")
    write_wav(path, noise(200))
    small = GuardedDecoder(memory_bytes=64 << 20)
    with pytest.raises(AudioError) as caught:
        small.read_audio(path)
    assert caught.value.reason in ("too_large", "decoder_crashed")
    small.close()
    stopped = GuardedDecoder()
    list(stopped.stream_blocks(path, 10.0))
    assert stopped._child is not None
    os.kill(stopped._child.pid, signal.SIGSTOP)
    started_s = time.monotonic()
    with pytest.raises(AudioError) as caught:
        # The parent waits five seconds longer than the child's own limit.
        stopped.read_audio(path, timeout_s=-4.0)
    assert caught.value.reason == "decode_timeout"
    assert time.monotonic() - started_s < 5
    stopped.close()


def test_notes_come_from_the_child(tmp_path: Path, decoder: GuardedDecoder, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "pipe.wav"
    write_wav(path, noise(1.0))
    data = bytearray(path.read_bytes())
    data[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    notes: list[str] = []
    assert len(decoder.read_audio(str(path), warn=notes.append)) == 16_000
    expected: list[str] = []
    read_audio(path, warn=expected.append)
    assert notes == expected
    assert len(notes) == 1
    with caplog.at_level(logging.WARNING, "wakeword.audio.io"):
        decoder.read_audio(str(path))
    assert [record.getMessage() for record in caplog.records] == [f"{path}: {notes[0]}"]
