"""A real bundle, the gateway under a real ASGI server, and helpers to talk to it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.bundles import tone, write_tone_bundle
from wakeword.config.serving import ServingConfig

TOKEN = "test-token-0123456789"


def free_port() -> int:
    """A free port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def tone_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose words are tones: its events are known in advance."""
    return write_tone_bundle(tmp_path_factory.mktemp("serve") / "bundle")


def spoken(events: list[tuple[str, float]], seconds: float, seed: int = 0) -> np.ndarray:
    """Noise with a swelling 0.3 s tone for each (label, start_s): int16 `(samples,)`.

    Unlike that of a plain tone, the highest score is well above its neighbours, so that its place does not depend on
    the last bits, which differ with the number of streams in a call.
    """
    audio = 0.05 * np.random.default_rng(seed).standard_normal(round(seconds * 16_000))
    for label, start_s in events:
        sound = tone(label, 0.3, 0.3) * np.hanning(4800)
        start = round(start_s * 16_000)
        audio[start : start + sound.size] += sound
    return np.clip(np.rint(audio * 32768), -32768, 32767).astype(np.int16)


class LocalGateway:
    """The gateway and its service on a real port, without Ray."""

    def __init__(self, bundle: Path | None, **settings: object) -> None:
        import asyncio

        import uvicorn

        from serve.auth import Token
        from serve.gateway import build_gateway
        from serve.service import DetectionService

        self.port = free_port()
        self.service = DetectionService(ServingConfig.model_validate(settings), Token(TOKEN, "environment"))
        config = uvicorn.Config(build_gateway(self.service), host="127.0.0.1", port=self.port, log_level="warning")
        self.server = uvicorn.Server(config)
        self.loop = asyncio.new_event_loop()

        async def main() -> None:
            if bundle is not None:
                await self.service.use_bundle(str(bundle))
            await self.server.serve()

        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(main(),), daemon=True)
        self.thread.start()
        deadline = time.monotonic() + 20
        while not self.server.started:
            assert self.thread.is_alive(), "the gateway ended"
            assert time.monotonic() < deadline, "the gateway did not start"
            time.sleep(0.02)

    @property
    def stream_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/stream"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, coroutine: object) -> object:
        """Run a coroutine of the service in the server's own event loop."""
        import asyncio

        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)  # type: ignore[arg-type]

    def wait_idle(self) -> None:
        """Wait until no stream is open (a slot is freed when the client's close arrives)."""
        deadline = time.monotonic() + 5
        while self.service.statistics.streams:
            assert time.monotonic() < deadline, f"{self.service.statistics.streams} streams were not given back"
            time.sleep(0.02)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        self.loop.close()


@pytest.fixture
def gateway(tone_bundle: Path) -> Iterator[Callable[..., LocalGateway]]:
    """Start gateways with the given `serving` fields; all end with the test."""
    with contextlib.ExitStack() as stack:

        def start(bundle: Path | None = tone_bundle, **settings: object) -> LocalGateway:
            server = LocalGateway(bundle, **settings)
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture(scope="module")
def pointed_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones with two operating points; at 0.1 false alarms per hour alpha is never detected."""
    low, high = {"fah_target": 1, "threshold": 0.3}, {"fah_target": 0.1, "threshold": 1.0}
    words = [
        {"label": "alpha", "phrase": "alpha", "threshold": 0.4, "ready": True, "operating_points": [low, high]},
        {
            "label": "beta",
            "phrase": "beta",
            "threshold": 0.45,
            "ready": True,
            "operating_points": [low, {"fah_target": 0.1, "threshold": 0.5}],
        },
    ]
    return write_tone_bundle(tmp_path_factory.mktemp("pointed") / "bundle", words=words)


@pytest.fixture(scope="module")
def server(pointed_bundle: Path) -> Iterator[LocalGateway]:
    """One gateway for this module."""
    gateway = LocalGateway(pointed_bundle)
    yield gateway
    gateway.stop()
