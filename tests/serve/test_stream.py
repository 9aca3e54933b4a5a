"""The protocol of /v1/stream through a real server and real clients: events, close codes, slots given back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from serve.client import stream_audio
from tests.bundles import tone_manifest, write_tone_bundle
from wakeword.runtime.bundle import load_bundle
from wakeword.runtime.detector import Detector
from wakeword.runtime.events import Detection

from .conftest import TOKEN, LocalGateway, spoken

Start = Callable[..., LocalGateway]
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
CHUNK = b"\0" * 2560


def expected(bundle: Path, audio: np.ndarray) -> list[Detection]:
    detector = Detector(load_bundle(bundle))
    return detector.process(audio) + detector.flush()


def same(found: list[Detection], wanted: list[Detection]) -> bool:
    return [(d.word, d.end_s) for d in found] == [(d.word, d.end_s) for d in wanted] and all(
        abs(a.score - b.score) <= 1e-4 and abs(a.start_s - b.start_s) < 1e-9 for a, b in zip(found, wanted, strict=True)
    )


async def closed_by(connection: ClientConnection) -> tuple[int, str]:
    """Read until the server closes; its code and reason."""
    with suppress(ConnectionClosed):
        async with asyncio.timeout(10):
            async for _ in connection:
                pass
    return connection.close_code or 0, connection.close_reason or ""


async def send_and_see(url: str, *messages: Any, headers: dict[str, str] = HEADERS) -> tuple[int, str]:
    async with connect(url, additional_headers=headers) as connection:
        with suppress(ConnectionClosed):
            for message in messages:
                await connection.send(message)
        return await closed_by(connection)


def test_streams_give_the_detectors_events_at_any_chunking(gateway: Start, tone_bundle: Path) -> None:
    server = gateway()
    audios = [spoken([("alpha", 0.5 + 0.1 * i), ("beta", 2.0), ("alpha", 3.0)], 4.0, seed=i) for i in range(8)]

    async def all_streams() -> list[Any]:
        return await asyncio.gather(
            *(stream_audio(server.stream_url, TOKEN, a, chunk_ms=7 + 31 * i) for i, a in enumerate(audios))
        )

    for audio, result in zip(audios, asyncio.run(all_streams()), strict=True):
        wanted = expected(tone_bundle, audio)
        assert len(wanted) == 3
        assert same(result.detections, wanted)
        assert result.audio_s == pytest.approx(4.0)
        assert result.ready["words"] == ["alpha", "beta"]
    stats = server.service.stats()
    assert stats["streams_total"] == 8
    assert stats["detections"] == 24
    assert stats["chunk_latency_p99_ms"] > 0
    server.wait_idle()


def test_a_detection_holds_its_probability_or_null(gateway: Start, tmp_path: Path) -> None:
    words = tone_manifest(["alpha", "beta"])["words"]
    words[0]["probability_map"] = {"slope": 0.5, "offset": -1.0, "prior": 0.3}
    mapped = write_tone_bundle(tmp_path / "bundle", words=words)
    server = gateway(mapped)
    audio = spoken([("alpha", 0.5), ("beta", 1.5)], 2.5)
    wanted = expected(mapped, audio)
    alpha, beta = asyncio.run(stream_audio(server.stream_url, TOKEN, audio)).detections
    assert same([alpha, beta], wanted)
    assert alpha.probability == pytest.approx(wanted[0].probability, abs=1e-4)
    assert beta.probability is wanted[1].probability is None

    async def messages() -> list[dict[str, Any]]:
        async with connect(server.stream_url, additional_headers=HEADERS) as connection:
            await connection.send(audio.tobytes())
            await connection.send(b"")
            return [json.loads(text) async for text in connection]

    kinds = {"ready", "detection", "end"}
    found = asyncio.run(messages())
    assert {message["type"] for message in found} == kinds
    fields = {"type", "word", "score", "probability", "start_s", "end_s"}
    assert all(set(message) == fields for message in found if message["type"] == "detection")


def test_a_word_that_ends_with_the_stream_is_detected(gateway: Start, tone_bundle: Path) -> None:
    """The empty message ends the audio at the word's last sample: its detection comes before `end`."""
    server = gateway()
    whole = spoken([("alpha", 0.5)], 2.0)
    cuts = [whole[: round((0.5 + 0.3) * 16_000) + extra] for extra in (0, 7, 320)]

    async def all_streams() -> list[Any]:
        return await asyncio.gather(*(stream_audio(server.stream_url, TOKEN, cut) for cut in cuts))

    for cut, result in zip(cuts, asyncio.run(all_streams()), strict=True):
        assert [event.word for event in result.detections] == ["alpha"]
        assert same(result.detections, expected(tone_bundle, cut))
        assert result.audio_s == pytest.approx(len(cut) / 16_000)


def test_words_of_the_query_filter_and_unknown_ones_are_refused(gateway: Start) -> None:
    server = gateway()
    audio = spoken([("alpha", 0.5), ("beta", 1.5)], 2.5)
    only = asyncio.run(stream_audio(server.stream_url, TOKEN, audio, words=["beta"]))
    assert [d.word for d in only.detections] == ["beta"]
    code, reason = asyncio.run(send_and_see(server.stream_url + "?words=gamma", b""))
    assert code == 1008
    assert "gamma" in reason
    assert "alpha" in reason


@pytest.mark.parametrize(
    ("message", "code", "says"),
    [
        ("hello", 1003, "int16"),
        (b"\0" * 101, 1007, "101 bytes"),
        (b"\0" * 10_000_000, 1009, "262144"),
    ],
)
def test_bad_messages_close_their_stream_only(
    gateway: Start, tone_bundle: Path, message: str | bytes, code: int, says: str
) -> None:
    server = gateway()
    audio = spoken([("alpha", 0.3), ("beta", 1.2)], 2.0)

    async def beside() -> tuple[Any, tuple[int, str]]:
        good = asyncio.create_task(stream_audio(server.stream_url, TOKEN, audio, real_time=True))
        await asyncio.sleep(0.4)
        seen = await send_and_see(server.stream_url, CHUNK, message)
        return await good, seen

    good, seen = asyncio.run(beside())
    assert seen[0] == code
    assert says in seen[1]
    assert same(good.detections, expected(tone_bundle, audio))
    server.wait_idle()


def test_largest_message(gateway: Start) -> None:
    server = gateway(max_message_bytes=640)
    code, reason = asyncio.run(send_and_see(server.stream_url, b"\0" * 640, b"\0" * 642))
    assert code == 1009
    assert "642 bytes" in reason
    assert "640" in reason


def test_more_streams_than_slots(gateway: Start, tone_bundle: Path) -> None:
    server = gateway(max_streams=2)
    audio = spoken([("alpha", 0.5)], 1.5)

    async def crowd() -> tuple[int, str]:
        async with connect(server.stream_url, additional_headers=HEADERS) as one:
            await one.recv()
            async with connect(server.stream_url, additional_headers=HEADERS) as two:
                await two.recv()
                refused = await send_and_see(server.stream_url)
        return refused

    code, reason = asyncio.run(crowd())
    assert code == 1013
    assert "2 streams" in reason
    server.wait_idle()
    # The slots are free and reset: a later stream gets the events of a new detector.
    again = asyncio.run(stream_audio(server.stream_url, TOKEN, audio))
    assert same(again.detections, expected(tone_bundle, audio))


def test_a_slot_forgets_its_last_stream(gateway: Start, tone_bundle: Path) -> None:
    server = gateway(max_streams=1)
    audio = spoken([("alpha", 0.1)], 1.0)

    async def leave_in_the_middle() -> None:
        async with connect(server.stream_url, additional_headers=HEADERS) as connection:
            await connection.send(audio[:5600].tobytes())
            await asyncio.sleep(0.1)
            connection.transport.abort()

    asyncio.run(leave_in_the_middle())
    server.wait_idle()
    quiet = np.zeros(16_000, np.int16)
    assert asyncio.run(stream_audio(server.stream_url, TOKEN, quiet)).detections == []
    server.wait_idle()
    assert same(asyncio.run(stream_audio(server.stream_url, TOKEN, audio)).detections, expected(tone_bundle, audio))


def test_idle_streams_are_closed(gateway: Start) -> None:
    server = gateway(idle_timeout_s=0.3)
    code, reason = asyncio.run(send_and_see(server.stream_url, CHUNK))
    assert code == 1008
    assert "0.3 s" in reason
    server.wait_idle()


def test_sessions_end(gateway: Start) -> None:
    server = gateway(max_session_s=0.5)

    async def talk_on() -> tuple[int, str]:
        async with connect(server.stream_url, additional_headers=HEADERS) as connection:
            reading = asyncio.create_task(closed_by(connection))
            for _ in range(100):
                if reading.done():
                    break
                try:
                    await connection.send(CHUNK)
                except ConnectionClosed:
                    break
                await asyncio.sleep(0.05)
            return await reading

    code, reason = asyncio.run(talk_on())
    assert code == 1008
    assert "limit of 0.5 s" in reason


def test_a_fast_client_is_held_back(gateway: Start, tone_bundle: Path) -> None:
    """A whole file at once: the queue stays short and no event is lost."""
    audio = spoken([("alpha", t) for t in range(1, 59, 2)], 60.0)
    longest = {}
    for limit in (0.5, 4.0):
        server = gateway(max_queued_s=limit, tick_ms=20)

        async def watch(server: LocalGateway = server) -> float:
            seen = 0.0
            streaming = asyncio.create_task(stream_audio(server.stream_url, TOKEN, audio))
            while not streaming.done():
                for session in list(server.service._batcher.sessions):  # type: ignore[union-attr]
                    seen = max(seen, session.queued_s)
                await asyncio.sleep(0.002)
            assert same((await streaming).detections, expected(tone_bundle, audio))
            return seen

        longest[limit] = asyncio.run(watch())
    assert longest[0.5] <= 0.58 < longest[4.0] <= 4.08


def test_the_tick_gathers_chunks(gateway: Start) -> None:
    """A longer tick makes fewer calls for the same audio."""
    audio = spoken([("alpha", 0.5)], 2.0)
    calls = {}
    for tick_ms in (2, 150):
        server = gateway(tick_ms=tick_ms)
        asyncio.run(stream_audio(server.stream_url, TOKEN, audio, chunk_ms=20, real_time=True))
        calls[tick_ms] = server.service.statistics.engine_calls
    assert calls[150] < 0.5 * calls[2]


def test_wrong_and_missing_tokens(gateway: Start) -> None:
    server = gateway()
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        with pytest.raises(InvalidStatus) as refused:
            asyncio.run(send_and_see(server.stream_url, headers=headers))
        assert refused.value.response.status_code == 401
        assert "token" in json.loads(refused.value.response.body)["error"]
    assert server.service.statistics.streams_total == 0


def test_a_browser_sends_its_token_as_a_subprotocol(gateway: Start) -> None:
    server = gateway()

    async def offered(*subprotocols: str) -> str | None:
        async with connect(server.stream_url, subprotocols=subprotocols) as connection:  # type: ignore[arg-type]
            assert json.loads(await connection.recv())["type"] == "ready"
            return connection.subprotocol

    assert asyncio.run(offered("wakeword.v1", f"bearer.{TOKEN}")) == "wakeword.v1"
    with pytest.raises(InvalidStatus):
        asyncio.run(offered("wakeword.v1", "bearer.wrong-token"))


def test_other_pages_are_refused(gateway: Start) -> None:
    server = gateway(allowed_origins=["https://home.example"])
    own = f"http://127.0.0.1:{server.port}"
    for origin in (own, "https://home.example"):
        assert asyncio.run(send_and_see(server.stream_url, b"", headers={**HEADERS, "Origin": origin}))[0] == 1000
    with pytest.raises(InvalidStatus) as refused:
        asyncio.run(send_and_see(server.stream_url, headers={**HEADERS, "Origin": "https://evil.example"}))
    assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus):
        asyncio.run(send_and_see(gateway().stream_url, headers={**HEADERS, "Origin": "https://home.example"}))


def test_a_new_bundle_leaves_streams_in_flight_on_the_old_one(
    gateway: Start, tone_bundle: Path, tmp_path: Path
) -> None:
    """The new bundle has only `beta`; a stream that began before the change still detects `alpha`."""
    server = gateway()
    newer = write_tone_bundle(tmp_path / "newer", labels=("beta",), name="newer")
    audio = spoken([("alpha", 0.3), ("alpha", 2.0), ("beta", 3.0)], 4.0)

    async def across() -> tuple[Any, Any]:
        old = asyncio.create_task(stream_audio(server.stream_url, TOKEN, audio, real_time=True))
        await asyncio.sleep(1.0)
        await asyncio.to_thread(server.call, server.service.use_bundle(str(newer)))
        fresh = await stream_audio(server.stream_url, TOKEN, audio)
        return await old, fresh

    old, fresh = asyncio.run(across())
    assert old.ready["bundle"] == "tones"
    assert same(old.detections, expected(tone_bundle, audio))
    assert fresh.ready["bundle"] == "newer"
    assert [d.word for d in fresh.detections] == ["beta"]


def test_a_broken_bundle_does_not_replace_a_good_one(gateway: Start, tmp_path: Path) -> None:
    server = gateway()
    broken = write_tone_bundle(tmp_path / "broken")
    model = bytearray((broken / "model.onnx").read_bytes())
    model[len(model) // 2] ^= 1
    (broken / "model.onnx").write_bytes(bytes(model))
    server.call(server.service.use_bundle(str(broken)))
    status, body = server.service.health()
    assert status == 200
    assert "model.onnx" in body["update_error"]
    audio = spoken([("alpha", 0.5)], 1.5)
    assert len(asyncio.run(stream_audio(server.stream_url, TOKEN, audio)).detections) == 1


def test_draining_lets_streams_finish_and_closes_the_late_ones(gateway: Start) -> None:
    audio = spoken([("alpha", 0.3)], 1.2)

    async def drained(server: LocalGateway) -> tuple[Any, tuple[int, str]]:
        finishing = asyncio.create_task(stream_audio(server.stream_url, TOKEN, audio, real_time=True))
        await asyncio.sleep(0.4)
        stopping = asyncio.create_task(asyncio.to_thread(server.call, server.service.drain()))
        await asyncio.sleep(0.1)
        assert server.service.health()[0] == 503
        refused = await send_and_see(server.stream_url)
        await stopping
        return (await asyncio.gather(finishing, return_exceptions=True))[0], refused

    done, refused = asyncio.run(drained(gateway(drain_s=5)))
    assert len(done.detections) == 1
    assert refused[0] == 1013
    assert "shutting down" in refused[1]
    cut, _ = asyncio.run(drained(gateway(drain_s=0)))
    assert "1001" in str(cut)
    assert "shutting down" in str(cut)
