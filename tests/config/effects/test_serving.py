"""Section `serving`: the real gateway in this process, and the deployment that Ray Serve gets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tests.bundles import write_tone_bundle
from tests.config.effects.effect import Effect, Effects, Observe, check, falls, outcome, rises, shared_folder
from tests.serve.conftest import free_port, spoken
from tests.serve.test_gateway import wav_bytes
from wakeword.config import Config

pytest.importorskip("ray.serve", reason="the extra [serve] is not installed")
from serve import app, replica
from serve.auth import Token
from serve.dashboard.launch import run_dashboard
from serve.gateway import build_gateway
from serve.query import stream_query
from serve.service import DetectionService, Refused

TOKEN = "test-token-0123456789"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
CHUNK = bytes(2560)


@cache
def bundle() -> Path:
    return write_tone_bundle(shared_folder("served") / "bundle")


@contextlib.contextmanager
def gateway(config: Config) -> Iterator[tuple[TestClient, DetectionService]]:
    """The gateway with a bundle, driven in this process."""
    service = DetectionService(config.serving, Token(TOKEN, "environment"))
    with TestClient(build_gateway(service), headers=HEADERS) as client:
        assert client.portal is not None
        client.portal.call(service.use_bundle, str(bundle()))
        yield client, service


def closed(*messages: bytes) -> Observe:
    """How a stream that sends these messages is ended: close code and reason."""

    def observe(config: Config, folder: Path) -> tuple[int, str]:
        with gateway(config) as (client, _):
            try:
                with client.websocket_connect("/v1/stream") as stream:
                    for message in messages:
                        stream.send_bytes(message)
                    while True:
                        stream.receive_json()
            except WebSocketDisconnect as end:
                return end.code, end.reason or ""

    return observe


def uploaded(**headers: str) -> Observe:
    """Status of an upload of 2 s of audio, 63 KiB."""

    def observe(config: Config, folder: Path) -> int:
        audio = wav_bytes(spoken([("alpha", 0.5)], 2.0))
        with gateway(config) as (client, _):
            return client.post("/v1/detect", content=audio, headers=headers).status_code

    return observe


class Watched(asyncio.SelectorEventLoop):
    """An event loop that notes how long its tasks sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses_s: list[float] = []

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        self.pauses_s.append(delay)
        return super().call_later(delay, callback, *args, context=context)


def as_service(use: Callable[[DetectionService], Any]) -> Observe:
    """Run a coroutine function on a service that holds the bundle."""

    def observe(config: Config, folder: Path) -> Any:
        async def run() -> Any:
            service = DetectionService(config.serving, Token(TOKEN, "environment"))
            await service.use_bundle(str(bundle()))
            try:
                return await use(service)
            finally:
                await service.stop()

        with asyncio.Runner(loop_factory=Watched) as runner:
            return runner.run(run())

    return observe


async def taken(service: DetectionService) -> int:
    """Streams that can be open at once, of five."""
    opened = []
    with contextlib.suppress(Refused):
        for _ in range(5):
            opened.append(await service.open_stream(stream_query([])))
    for session in opened:
        service.close_stream(session)
    return len(opened)


async def queued(service: DetectionService) -> float:
    """Seconds of audio that a client may queue before it has to wait."""
    session = await service.open_stream(stream_query([]))
    for _ in range(50):
        put = asyncio.ensure_future(session.put(CHUNK))
        await asyncio.sleep(0)
        if not put.done():
            put.cancel()
            break
    seconds = session.queued_s
    service.close_stream(session)
    return seconds


async def longest_pause_s(service: DetectionService) -> float:
    """How long a chunk waits for those of other streams."""
    session = await service.open_stream(stream_query([]))
    await session.put(CHUNK)
    while session.queued_s:
        await asyncio.sleep(0.001)
    service.close_stream(session)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Watched)
    return max(loop.pauses_s)


async def closed_at_once(service: DetectionService) -> bool:
    """Whether the order to stop leaves a stream no time."""
    session = await service.open_stream(stream_query([]))
    draining = asyncio.ensure_future(service.drain())
    await asyncio.sleep(0)
    at_once = session.closing.done()
    service.close_stream(session)
    await draining
    return at_once


def deployed(config: Config, folder: Path) -> Any:
    """Options of the deployment: replicas, CPUs of each, requests at once, time to stop."""
    bound = replica.deployment(config.serving, TOKEN)._bound_deployment
    deployed = bound._deployment_config
    cpus = bound.ray_actor_options["num_cpus"]
    return bound.num_replicas, cpus, deployed.max_ongoing_requests, deployed.graceful_shutdown_timeout_s


class Started(Exception):
    """Ray Serve would start now."""


def started(what: str) -> Observe:
    """What Ray Serve would be started with: `environment` of its ingress, or `cpus` of its Ray."""

    def observe(config: Config, folder: Path) -> Any:
        def session(config: Config, min_cpus: float = 0) -> Any:
            raise Started({"cpus": min_cpus, "environment": os.environ["RAY_SERVE_ENABLE_HA_PROXY"]}[what])

        with mock.patch.object(app, "ray_session", session), pytest.raises(Started) as caught:
            app.run(config, bundle(), block=False)
        return caught.value.args[0]

    return observe


@cache
def listeners() -> dict[str, socket.socket]:
    """Sockets that take ports: one on two addresses of loopback, two others."""
    found: dict[str, socket.socket] = {}
    for name, host in (("one", "127.0.0.1"), ("two", "127.0.0.1"), ("three", "127.0.0.1"), ("other", "127.0.0.2")):
        port = found["one"].getsockname()[1] if name == "other" else 0
        found[name] = socket.socket()
        found[name].bind((host, port))
        found[name].listen()
    return found


def port(name: str) -> Callable[[], int]:
    return lambda: int(listeners()[name].getsockname()[1])


def endpoint(config: Config, folder: Path) -> Any:
    """Why the endpoint cannot start on ports that are taken."""
    return outcome(lambda: app.run(config, bundle(), block=False))


def dashboard(config: Config, folder: Path) -> Any:
    return outcome(lambda: run_dashboard(config, bundle()))


@cache
def token_file() -> str:
    path = shared_folder("token") / "token"
    path.write_text("too short")
    return str(path)


ONE_PORT = {"serving.port": port("one")}
FREE = {"serving.port": cache(free_port)}

EFFECTS: Effects = {
    "serving.host": Effect(endpoint, "127.0.0.2", given=ONE_PORT),
    "serving.port": Effect(endpoint, port("two"), port("one")),
    "serving.replicas": Effect(deployed, 3),
    "serving.cpus_per_replica": Effect(deployed, 0.5),
    "serving.tick_ms": Effect(as_service(longest_pause_s), 200, holds=rises),
    "serving.max_streams": Effect(as_service(taken), 2, holds=falls),
    "serving.max_message_bytes": Effect(closed(CHUNK, b""), 640),
    "serving.max_queued_s": Effect(as_service(queued), 0.4, given={"serving.tick_ms": 200}, holds=falls),
    "serving.idle_timeout_s": Effect(closed(CHUNK), 0.05, given={"serving.max_session_s": 0.3}),
    "serving.max_session_s": Effect(closed(CHUNK), 0.05, given={"serving.idle_timeout_s": 0.3}),
    "serving.drain_s": Effect(as_service(closed_at_once), 0),
    "serving.max_upload_mb": Effect(uploaded(), 0.05),
    "serving.max_upload_s": Effect(uploaded(), 1),
    "serving.token_file": Effect(endpoint, token_file, given=ONE_PORT),
    "serving.allowed_origins": Effect(uploaded(Origin="https://home.example"), ["https://home.example"]),
    "serving.ha_proxy": Effect(started("environment"), False, given=FREE),
    "serving.dashboard": Effect(started("cpus"), True, given=FREE, holds=rises),
    "serving.dashboard_port": Effect(dashboard, port("two"), port("three")),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_the_field_has_its_effect(name: str) -> None:
    check(name, EFFECTS[name])
