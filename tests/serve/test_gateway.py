"""The HTTP side of the endpoint."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable

import httpx
import numpy as np
import pytest

from wakeword.audio.decoding.formats import containers_installed

from .conftest import TOKEN, LocalGateway, spoken

Start = Callable[..., LocalGateway]
AUTH = {"Authorization": f"Bearer {TOKEN}"}


def wav_bytes(audio: np.ndarray, rate_hz: int = 16_000) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        sound.writeframes(audio.tobytes())
    return buffer.getvalue()


def test_health_is_open_and_says_when_there_is_no_bundle(gateway: Start) -> None:
    server = gateway()
    answer = httpx.get(f"{server.http_url}/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    empty = gateway(bundle=None)
    assert httpx.get(f"{empty.http_url}/healthz").status_code == 503
    assert httpx.get(f"{empty.http_url}/v1/bundle", headers=AUTH).status_code == 503
    assert httpx.post(f"{empty.http_url}/v1/detect", headers=AUTH, content=b"x").status_code == 503


def test_everything_else_needs_the_token(gateway: Start) -> None:
    server = gateway()
    for method, path in (("GET", "/v1/bundle"), ("GET", "/v1/stats"), ("POST", "/v1/detect")):
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            answer = httpx.request(method, server.http_url + path, headers=headers)
            assert answer.status_code == 401, path
            assert "token" in answer.json()["error"]
        foreign = httpx.request(method, server.http_url + path, headers={**AUTH, "Origin": "https://evil.example"})
        assert foreign.status_code == 403
    assert httpx.get(f"{server.http_url}/v1/stats", headers=AUTH).json()["rss_mib"] > 10
    facts = httpx.get(f"{server.http_url}/v1/bundle", headers=AUTH).json()
    assert [word["label"] for word in facts["words"]] == ["alpha", "beta"]


def test_an_uploaded_file(gateway: Start) -> None:
    server = gateway()
    audio = spoken([("alpha", 0.5), ("beta", 1.5)], 2.5)
    answer = httpx.post(f"{server.http_url}/v1/detect", headers=AUTH, content=wav_bytes(audio)).json()
    assert [event["word"] for event in answer["detections"]] == ["alpha", "beta"]
    assert set(answer["detections"][0]) == {"word", "score", "probability", "start_s", "end_s"}
    assert answer["audio_s"] == pytest.approx(2.5)
    cut = wav_bytes(audio[: round(1.8 * 16_000)])
    answer = httpx.post(f"{server.http_url}/v1/detect", headers=AUTH, content=cut).json()
    assert [event["word"] for event in answer["detections"]] == ["alpha", "beta"], "the second ends with the file"
    bad = httpx.post(f"{server.http_url}/v1/detect", headers=AUTH, content=b"no audio at all")
    assert bad.status_code == 422
    assert "error" in bad.json()
    m4a = b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom" + bytes(3000)
    for content in (m4a, b"no audio at all", b"wvpk" + bytes(100), b"\x1a\x45\xdf\xa3\x42\x82\x84webm" + bytes(50)):
        answer = httpx.post(f"{server.http_url}/v1/detect", headers=AUTH, content=content)
        assert answer.status_code == 422
        assert " object at " not in answer.json()["error"]
        assert "0x" not in answer.json()["error"]
    if not containers_installed():
        answer = httpx.post(f"{server.http_url}/v1/detect", headers=AUTH, content=m4a).json()["error"]
        assert "this is MPEG-4 audio (m4a)" in answer
        assert "`ffmpeg -i in.m4a in.flac`" in answer
    assert httpx.post(f"{server.http_url}/v1/detect", headers=AUTH).status_code == 400


def test_uploads_are_limited(gateway: Start) -> None:
    audio = wav_bytes(spoken([("alpha", 0.5)], 2.0))
    assert httpx.post(f"{gateway().http_url}/v1/detect", headers=AUTH, content=audio).status_code == 200
    small = gateway(max_upload_mb=0.05)
    assert httpx.post(f"{small.http_url}/v1/detect", headers=AUTH, content=audio).status_code == 413
    # Without a Content-Length the limit holds too.
    pieces = (audio[i : i + 4096] for i in range(0, len(audio), 4096))
    assert httpx.post(f"{small.http_url}/v1/detect", headers=AUTH, content=pieces).status_code == 413
    short = gateway(max_upload_s=1.0)
    answer = httpx.post(f"{short.http_url}/v1/detect", headers=AUTH, content=audio)
    assert answer.status_code == 422
    assert "1 s" in answer.json()["error"]
