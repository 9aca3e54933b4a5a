"""Streams of declared formats, files by mistake, and thresholds of one client, through a real server."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from websockets.asyncio.client import connect

from serve.client import stream_audio
from wakeword.runtime.bundle import load_bundle
from wakeword.runtime.detector import Detector
from wakeword.runtime.events import Detection

from .conftest import TOKEN, LocalGateway, spoken
from .test_stream import CHUNK, HEADERS, closed_by, same, send_and_see

EVENTS = [("alpha", 0.5), ("beta", 1.5)]
SECONDS = 2.5
RATES_HZ = [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000]


def at_rate(audio: np.ndarray, rate_hz: int) -> np.ndarray:
    """16 kHz int16 as int16 of another rate."""
    moved = soxr.resample(audio.astype(np.float32) / 32768, 16_000, rate_hz, quality="VHQ")
    return np.clip(np.rint(moved * 32768), -32768, 32767).astype(np.int16)


def detected(bundle: Path, audio: np.ndarray, rate_hz: int = 16_000, threshold: Any = None) -> list[Detection]:
    detector = Detector(load_bundle(bundle), threshold=threshold, sample_rate_hz=rate_hz)
    return detector.process(audio) + detector.flush()


async def conversation(url: str, *messages: Any) -> list[dict[str, Any]]:
    """The server's messages up to `end`."""
    received = []
    async with connect(url, additional_headers=HEADERS) as connection:
        for message in (*messages, b""):
            await connection.send(message)
        async for text in connection:
            received.append(json.loads(text))
    assert received[-1]["type"] == "end", received
    return received


def words_and_times(messages: list[dict[str, Any]]) -> list[tuple[str, float]]:
    return [(m["word"], m["end_s"]) for m in messages if m["type"] == "detection"]


def test_every_rate_and_encoding_gives_the_detectors_events(server: LocalGateway, pointed_bundle: Path) -> None:
    """Times are seconds of the client's audio; all streams share batches."""
    audio = spoken(EVENTS, SECONDS)
    reference = detected(pointed_bundle, audio)
    assert [e.word for e in reference] == ["alpha", "beta"]
    cases = [(rate, encoding) for rate in RATES_HZ for encoding in ("pcm_s16le", "pcm_f32le")]

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(
            *(
                stream_audio(
                    server.stream_url, TOKEN, at_rate(audio, rate), sample_rate_hz=rate, encoding=encoding, chunk_ms=37
                )
                for rate, encoding in cases
            )
        )

    for (rate, encoding), result in zip(cases, asyncio.run(all_of_them()), strict=True):
        assert same(result.detections, detected(pointed_bundle, at_rate(audio, rate), rate)), (rate, encoding)
        for found, wanted in zip(result.detections, reference, strict=True):
            assert found.word == wanted.word
            assert abs(found.end_s - wanted.end_s) <= 0.021
        assert result.audio_s == pytest.approx(SECONDS, abs=1e-3)
        assert (result.ready["sample_rate_hz"], result.ready["encoding"]) == (rate, encoding)
    server.wait_idle()
    # Without the parameter, 48 kHz is scored as 16 kHz.
    undeclared = asyncio.run(stream_audio(server.stream_url, TOKEN, at_rate(audio, 48_000)))
    assert [d.word for d in undeclared.detections] != ["alpha", "beta"]


def test_ready_says_what_was_understood(server: LocalGateway) -> None:
    ready = asyncio.run(conversation(server.stream_url))[0]
    assert ready == {
        "type": "ready",
        "sample_rate_hz": 16_000,
        "encoding": "pcm_s16le",
        "channels": 1,
        "chunk_ms": 80.0,
        "words": ["alpha", "beta"],
        "thresholds": {"alpha": 0.4, "beta": 0.45},
        "bundle": "tones",
    }
    url = f"{server.stream_url}?sample_rate=44100&encoding=pcm_f32le&channels=2&threshold=0.7&words=beta"
    ready = asyncio.run(conversation(url))[0]
    assert (ready["sample_rate_hz"], ready["encoding"], ready["channels"]) == (44_100, "pcm_f32le", 2)
    assert ready["thresholds"] == {"beta": 0.7}


def test_two_channels_are_averaged(server: LocalGateway, pointed_bundle: Path) -> None:
    audio = spoken(EVENTS, SECONDS)
    both = np.stack([audio, np.zeros_like(audio)], axis=1)
    messages = asyncio.run(conversation(f"{server.stream_url}?channels=2", both.tobytes()))
    wanted = detected(pointed_bundle, audio.astype(np.float32) / 65536)
    assert words_and_times(messages) == [(e.word, e.end_s) for e in wanted]
    assert messages[-1]["audio_s"] == pytest.approx(SECONDS)
    code, reason = asyncio.run(send_and_see(f"{server.stream_url}?channels=2", bytes(1002)))
    assert (code, reason) == (1007, "a message of 1002 bytes is not a whole number of int16 frames of 2 channels")


def file_of(format: str, subtype: str) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, spoken(EVENTS, SECONDS), 16_000, format=format, subtype=subtype)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("format", "subtype", "name"),
    [
        ("OGG", "OPUS", "an Ogg file"),
        ("FLAC", "PCM_16", "a FLAC file"),
        ("MP3", "MPEG_LAYER_III", "an MP3 file"),
        ("AIFF", "PCM_16", "an AIFF file"),
    ],
)
def test_files_are_refused_by_name(server: LocalGateway, format: str, subtype: str, name: str) -> None:
    """In one message, in pieces of odd length, and in one that is too large."""
    data = file_of(format, subtype)
    sentence = f"this is {name}, not raw samples: send PCM, or POST the file to /v1/detect"
    for pieces in ([data], [data[:7], data[7:1001], data[1001:]], [data + bytes(300_000)]):
        assert asyncio.run(send_and_see(server.stream_url, *pieces)) == (1003, sentence)
    server.wait_idle()


@pytest.mark.parametrize("piece", [100, 1281, 10**6])
@pytest.mark.parametrize(("rate_hz", "format", "subtype"), [(48_000, "WAV", "PCM_16"), (44_100, "WAVEX", "FLOAT")])
def test_a_wav_header_is_read(
    server: LocalGateway, pointed_bundle: Path, piece: int, rate_hz: int, format: str, subtype: str
) -> None:
    audio = at_rate(spoken(EVENTS, SECONDS), rate_hz).astype(np.float32) / 32768
    stream = io.BytesIO()
    soundfile.write(stream, audio, rate_hz, format=format, subtype=subtype)
    data = stream.getvalue()
    step = min(piece, 200_000)
    messages = asyncio.run(conversation(server.stream_url, *(data[at : at + step] for at in range(0, len(data), step))))
    encoding = "pcm_s16le" if subtype == "PCM_16" else "pcm_f32le"
    assert messages[1] == {"type": "format", "sample_rate_hz": rate_hz, "encoding": encoding, "channels": 1}
    assert words_and_times(messages) == [(e.word, e.end_s) for e in detected(pointed_bundle, audio, rate_hz)]
    assert len(words_and_times(messages)) == 2
    assert messages[-1]["audio_s"] == pytest.approx(SECONDS)
    code, reason = asyncio.run(send_and_see(f"{server.stream_url}?sample_rate=16000", data[:1000]))
    assert code == 1007
    assert f"header says sample_rate={rate_hz}, the query sample_rate=16000" in reason


def test_samples_that_cannot_be_meant(server: LocalGateway) -> None:
    url = f"{server.stream_url}?encoding=pcm_f32le"
    quiet = np.zeros(640, "<f4")
    bad = quiet.copy()
    bad[100] = np.nan
    code, reason = asyncio.run(send_and_see(url, quiet.tobytes(), bad.tobytes()))
    assert code == 1007
    assert "NaN" in reason
    code, reason = asyncio.run(send_and_see(url, spoken(EVENTS, SECONDS).astype("<f4").tobytes()))
    assert code == 1007
    assert "divide int16 by 32768" in reason
    floats = (spoken(EVENTS, SECONDS) / 32768).astype("<f4").tobytes()
    code, reason = asyncio.run(send_and_see(server.stream_url, CHUNK, floats[:2560], floats[2560:5120]))
    assert (code, reason) == (1007, "these are float32 samples, not int16: add encoding=pcm_f32le to the query")
    code, reason = asyncio.run(send_and_see(url, CHUNK, bytes(1002)))
    assert (code, reason) == (1007, "a message of 1002 bytes is not a whole number of float32 samples")
    code, reason = asyncio.run(send_and_see(f"{url}&sample_rate=48000", "hello"))
    assert (code, reason) == (
        1003,
        "text is not audio: send binary messages of float32 little-endian samples at 48 kHz",
    )
    server.wait_idle()


def test_the_queue_is_counted_in_seconds(pointed_bundle: Path) -> None:
    """48 kHz float32 has six times the bytes of 16 kHz int16: the client waits after the same time."""
    gateway = LocalGateway(pointed_bundle, max_queued_s=0.5, tick_ms=20)
    audio = spoken([("alpha", t) for t in range(1, 19, 2)], 20.0)

    async def watch(rate_hz: int, encoding: str) -> float:
        seen = 0.0
        moved = at_rate(audio, rate_hz)
        streaming = asyncio.create_task(
            stream_audio(gateway.stream_url, TOKEN, moved, sample_rate_hz=rate_hz, encoding=encoding)
        )
        while not streaming.done():
            for session in list(gateway.service._batcher.sessions):  # type: ignore[union-attr]
                seen = max(seen, session.queued_s)
            await asyncio.sleep(0.002)
        assert same((await streaming).detections, detected(pointed_bundle, moved, rate_hz))
        return seen

    try:
        for rate_hz, encoding in ((8_000, "pcm_s16le"), (48_000, "pcm_f32le")):
            before = gateway.service.statistics.audio_s
            assert 0.3 < asyncio.run(watch(rate_hz, encoding)) <= 0.59
            assert gateway.service.statistics.audio_s - before == pytest.approx(20.0)
    finally:
        gateway.stop()


def test_one_message_limit_for_all(pointed_bundle: Path) -> None:
    """`max_message_bytes` counts bytes in every format."""
    gateway = LocalGateway(pointed_bundle, max_message_bytes=4096)
    try:
        url = f"{gateway.stream_url}?sample_rate=48000&encoding=pcm_f32le"
        code, reason = asyncio.run(send_and_see(url, bytes(4096), bytes(4100)))
        assert (code, reason) == (1009, "a message of 4100 bytes is too large: send at most 4096 bytes")
    finally:
        gateway.stop()


def test_without_soxr_other_rates_are_refused_and_16_khz_goes_on(
    server: LocalGateway, pointed_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "soxr", None)
    code, reason = asyncio.run(send_and_see(f"{server.stream_url}?sample_rate=48000"))
    assert code == 1011
    assert "needs the extra [resampling]" in reason
    stream = io.BytesIO()
    soundfile.write(stream, spoken(EVENTS, SECONDS), 44_100, format="WAV", subtype="PCM_16")
    assert asyncio.run(send_and_see(server.stream_url, stream.getvalue()))[0] == 1011
    server.wait_idle()
    audio = spoken(EVENTS, SECONDS)
    good = asyncio.run(stream_audio(server.stream_url, TOKEN, audio))
    assert same(good.detections, detected(pointed_bundle, audio))


def test_a_client_that_leaves_while_it_is_recognised_gives_its_slot_back(server: LocalGateway) -> None:
    async def leave(head: bytes) -> None:
        async with connect(server.stream_url, additional_headers=HEADERS) as connection:
            await connection.send(head)
            await connection.recv()

    for head in (b"Og", b"RIFF\0\0\0\0WAVEfmt ", b"\xff\xfb\x94\xc4"):
        asyncio.run(leave(head))
    server.wait_idle()

    async def end_early(head: bytes) -> tuple[int, str]:
        async with connect(server.stream_url, additional_headers=HEADERS) as connection:
            await connection.send(head)
            await connection.send(b"")
            return await closed_by(connection)

    assert asyncio.run(end_early(b"Og"))[0] == 1000
    assert asyncio.run(end_early(b"RIFF\0\0\0\0WAVEfmt "))[0] == 1007
