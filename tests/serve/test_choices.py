"""Words and thresholds that one client requests in its query, and the reasons of refusals."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.exceptions import InvalidStatus

from serve.client import stream_audio
from wakeword.errors import ServingError

from .conftest import TOKEN, LocalGateway, spoken
from .test_formats import EVENTS, SECONDS, detected, file_of
from .test_stream import HEADERS, same, send_and_see


def test_thresholds_of_one_client_are_its_own(server: LocalGateway, pointed_bundle: Path) -> None:
    """All stream the same audio at the same time; the two without parameters get the bundle's detections."""
    audio = spoken(EVENTS, SECONDS)
    cases: list[tuple[dict[str, float], Any]] = [
        ({}, None),
        ({"threshold": 1.0}, 1.0),
        ({"threshold": 0.0}, 0.0),
        ({"fah_target": 0.1}, [1.0, 0.5]),
        ({"fah_target": 1.0}, [0.3, 0.3]),
        ({}, None),
    ]

    async def together() -> list[Any]:
        return await asyncio.gather(*(stream_audio(server.stream_url, TOKEN, audio, **given) for given, _ in cases))

    results = asyncio.run(together())
    for (given, threshold), result in zip(cases, results, strict=True):
        assert same(result.detections, detected(pointed_bundle, audio, threshold=threshold)), given
    assert [[d.word for d in results[i].detections] for i in (1, 3)] == [[], ["beta"]]
    assert len(results[2].detections) > 2
    assert results[3].ready["thresholds"] == {"alpha": 1.0, "beta": 0.5}
    server.wait_idle()
    # Their slots keep no state for the next stream.
    again = asyncio.run(stream_audio(server.stream_url, TOKEN, audio))
    assert same(again.detections, detected(pointed_bundle, audio))


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("sample_rate_hz=48000", "unknown query parameter 'sample_rate_hz': did you mean sample_rate?"),
        ("rate=48000", "Allowed: words, threshold, fah_target, sample_rate, encoding, channels"),
        ("sample_rate=48000&sample_rate=48000", "sample_rate is given twice"),
        ("sample_rate=48k", "whole number of Hz"),
        ("encoding=mp3", "send pcm_s16le or pcm_f32le"),
        ("channels=6", "send 1, or 2"),
        ("threshold=2", "from 0 to 1"),
        ("fah_target=1&threshold=0.5", "send one of them"),
    ],
)
def test_queries_that_cannot_be_meant_are_denied(server: LocalGateway, query: str, says: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        asyncio.run(send_and_see(f"{server.stream_url}?{query}"))
    assert refused.value.response.status_code == 400
    assert says in json.loads(refused.value.response.body)["error"]
    # The token is checked first, so that a client without it gets no information.
    with pytest.raises(InvalidStatus) as stranger:
        asyncio.run(send_and_see(f"{server.stream_url}?{query}", headers={}))
    assert stranger.value.response.status_code == 401


def test_a_server_that_cannot_deny_closes_with_1008() -> None:
    """ASGI servers without the extension for denials: accepted and closed at once, with the same reason."""
    from serve.auth import Token
    from serve.gateway import build_gateway
    from serve.service import DetectionService
    from wakeword.config.serving import ServingConfig

    app = build_gateway(DetectionService(ServingConfig(), Token(TOKEN, "environment")))
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "websocket",
        "path": "/v1/stream",
        "raw_path": b"/v1/stream",
        "query_string": b"sample_rate_hz=48000",
        "headers": [(b"authorization", f"Bearer {TOKEN}".encode())],
        "subprotocols": [],
        "extensions": {},
    }

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert sent[1]["code"] == 1008
    assert "did you mean sample_rate?" in sent[1]["reason"]
    assert len(sent[1]["reason"].encode()) <= 123


def test_what_the_bundle_lacks_closes_with_1008(server: LocalGateway) -> None:
    code, reason = asyncio.run(send_and_see(server.stream_url + "?fah_target=0.5"))
    assert (code, reason) == (1008, "no operating point for fah_target=0.5: there are 0.1, 1")
    code, reason = asyncio.run(send_and_see(server.stream_url + "?words=" + "g" * 300))
    assert code == 1008
    assert "no word 'ggg" in reason
    server.wait_idle()


def test_the_client_tells_the_servers_sentence(server: LocalGateway) -> None:
    def error_of(**given: Any) -> str:
        with pytest.raises(ServingError) as raised:
            asyncio.run(stream_audio(server.stream_url, TOKEN, np.zeros(1600, np.int16), **given))
        return str(raised.value)

    assert "HTTP 400; sample_rate='1' is not a whole number" in error_of(sample_rate_hz=1)
    assert "no operating point for fah_target=7: there are 0.1, 1" in error_of(fah_target=7)
    assert "encoding='opus' is not known" in error_of(encoding="opus")
    assert "HTTP 400; threshold='3' is not a number from 0 to 1" in error_of(threshold=3)


def test_uploads_take_words_and_thresholds(server: LocalGateway, pointed_bundle: Path) -> None:
    data = file_of("FLAC", "PCM_16")
    url = f"{server.http_url}/v1/detect"

    def words(query: str) -> list[str]:
        answer = httpx.post(url + query, headers=HEADERS, content=data)
        assert answer.status_code == 200, answer.text
        return [event["word"] for event in answer.json()["detections"]]

    assert words("") == ["alpha", "beta"]
    assert words("?threshold=1") == []
    assert words("?fah_target=0.1") == ["beta"]
    assert words("?fah_target=1&words=alpha") == ["alpha"]
    for query, says in (
        ("?sample_rate=48000", "unknown query parameter 'sample_rate'"),
        ("?treshold=0.5", "did you mean threshold?"),
        ("?threshold=0.5&threshold=0.5", "given twice"),
        ("?threshold=high", "from 0 to 1"),
        ("?fah_target=3", "no operating point for fah_target=3: there are 0.1, 1"),
        ("?words=gamma", "no word 'gamma'"),
    ):
        answer = httpx.post(url + query, headers=HEADERS, content=data)
        assert answer.status_code == 400, query
        assert says in answer.json()["error"]
    assert httpx.post(url + "?treshold=1", headers={}, content=data).status_code == 401
