"""Phone recordings through PyAV, in the guard's child alone. Skipped without the extra [containers]."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.audio.decoding.mutations import mutated
from tests.audio.decoding.test_fuzz import HANG_S, MOST_MIB, decoded, peak_mib
from wakeword.audio.decoding import guard
from wakeword.audio.decoding.guard import GuardedDecoder
from wakeword.audio.io import AudioError, read_audio, stream_blocks

av = pytest.importorskip("av", reason="the extra [containers] is not installed")
SECONDS = 3
KINDS = [("mp4", "aac"), ("mp4", "alac"), ("webm", "libopus"), ("matroska", "aac"), ("adts", "aac")]


def written(
    container: str,
    codec: str,
    rate_hz: int = 48_000,
    channels: int = 1,
    seconds: float = SECONDS,
    options: dict[str, str] | None = None,
    folder: Path | None = None,
) -> bytes:
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    audio = np.tile((0.5 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32), (channels, 1))
    sink: Any = str(folder / "written") if folder else io.BytesIO()
    with av.open(sink, "w", format=container, options=options or {}) as out:
        track = out.add_stream(codec, rate=rate_hz, layout="mono" if channels == 1 else "stereo")
        frame: Any = av.AudioFrame.from_ndarray(audio, format="fltp", layout="mono" if channels == 1 else "stereo")
        frame.sample_rate = rate_hz
        out.mux([*track.encode(frame), *track.encode(None)])
    return (folder / "written").read_bytes() if folder else sink.getvalue()


@pytest.mark.parametrize(("container", "codec"), KINDS)
def test_the_sound_is_that_of_the_file(container: str, codec: str, tmp_path: Path) -> None:
    path = tmp_path / "x.m4a"
    path.write_bytes(written(container, codec, 44_100, channels=2) if codec != "libopus" else written(container, codec))
    audio = read_audio(path)
    assert len(audio) / 16_000 == pytest.approx(SECONDS, abs=0.1)
    assert 0.4 < np.abs(audio[8000:-8000]).max() < 0.6
    spectrum = np.abs(np.fft.rfft(audio))
    assert spectrum.argmax() * 16_000 / len(audio) == pytest.approx(440, abs=2)
    np.testing.assert_array_equal(read_audio(path.read_bytes()), audio)
    decoder = GuardedDecoder()
    np.testing.assert_array_equal(decoder.read_audio(str(path)), audio)
    decoder.close()


def test_this_process_never_opens_one(monkeypatch: pytest.MonkeyPatch) -> None:
    data = written("mp4", "aac")

    def opened(*_: object, **__: object) -> None:
        raise AssertionError("opened outside the child")

    monkeypatch.setattr(av, "open", opened)
    assert not guard.is_child()
    assert len(read_audio(data)) > 2 * 16_000


def test_damage_is_a_reason_and_limits_hold(tmp_path: Path) -> None:
    data = written("mp4", "aac")
    files = [written(container, codec, seconds=0.3) for container, codec in KINDS]
    path = tmp_path / "case"
    decoder = GuardedDecoder(cpu_s=HANG_S)
    found = set()
    for number in range(200):
        chosen, done, broken = mutated(files, number)
        path.write_bytes(broken)
        found.add(decoded(decoder, path, f"mutation {number} ({KINDS[chosen]}: {done})"))
    assert peak_mib(decoder) < MOST_MIB
    decoder.close()
    assert {"audio", "undecodable"} <= found
    assert "decoder_crashed" not in found
    with pytest.raises(AudioError) as caught:
        read_audio(data, max_s=1.0)
    assert caught.value.reason == "too_long"
    assert len(read_audio(data)) > 2 * 16_000


def test_threads_and_interleaved_files_each_have_a_child() -> None:
    data = {seconds: written("mp4", "aac", seconds=seconds) for seconds in (2, 4)}
    expected = {seconds: read_audio(data[seconds]) for seconds in data}
    first, second = stream_blocks(data[2], 0.5), stream_blocks(data[4], 0.5)
    got: dict[int, list[np.ndarray]] = {2: [], 4: []}
    for _ in range(3):
        got[2].append(next(first))
        got[4].append(next(second))
    got[2] += first
    got[4] += second
    for seconds, blocks in got.items():
        np.testing.assert_array_equal(np.concatenate(blocks), expected[seconds])
    lengths: list[int] = []
    threads = [threading.Thread(target=lambda: lengths.append(len(read_audio(data[2])))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lengths == [len(expected[2])] * 3


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        ("mp4", "aac", {"movflags": "faststart"}),
        ("webm", "libopus", {}),
    ],
)
def test_fewer_samples_than_stated_are_truncated(
    container: str, codec: str, options: dict[str, str], tmp_path: Path
) -> None:
    data = written(container, codec, options=options, folder=tmp_path)
    assert len(read_audio(data)) > 2.9 * 16_000
    with pytest.raises(AudioError, match="the file holds") as caught:
        read_audio(data[: len(data) // 2])
    assert caught.value.reason == "truncated"


def test_a_video_without_sound_is_refused() -> None:
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as out:
        track = out.add_stream("mpeg4", rate=10)
        track.width = track.height = 64
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        out.mux([*track.encode(frame), *track.encode(None)])
    with pytest.raises(AudioError, match="no audio stream") as caught:
        read_audio(sink.getvalue())
    assert caught.value.reason == "no_samples"


@pytest.mark.parametrize(("head", "frame"), [(b"#!AMR\n", b"\x3c" + bytes(31)), (b"#!AMR-WB\n", b"\x04" + bytes(17))])
def test_amr_of_both_widths(head: bytes, frame: bytes) -> None:
    assert len(read_audio(head + 100 * frame)) == 2 * 16_000
