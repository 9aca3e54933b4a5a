"""The whole endpoint: Ray Serve, HAProxy, one replica, real clients, in a separate process that SIGTERM ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from benchmarks.harness import RECORDINGS, untrained_bundle
from benchmarks.serving import WORDS, detector_events, real_tracks, same_events, stream_all
from serve.app import run
from serve.client import StreamResult, stream_audio
from tests.bundles import write_tone_bundle
from wakeword.config import save_config, validate_config
from wakeword.errors import BundleError, ServingError
from wakeword.runtime.bundle import load_bundle
from wakeword.runtime.events import Detection

from .conftest import TOKEN, free_port, spoken
from .test_stream import CHUNK, HEADERS, expected, same, send_and_see

pytestmark = [pytest.mark.ray, pytest.mark.timeout(900)]
STREAMS = 40
SECONDS = 20.0
MAX_RSS_MIB = 600
ROOT = Path(__file__).resolve().parents[2]
SERVER = """
import sys
from wakeword.config import load_config
from serve.app import run
run(load_config(sys.argv[1]), sys.argv[2])
print("ended", flush=True)
"""


class Served:
    """`run(config, bundle)` in a separate process."""

    def __init__(self, folder: Path, bundle: Path, token: str | None = TOKEN, **serving: object) -> None:
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        tree = {"words": [{"label": "alpha"}], "serving": {"port": self.port, **serving}, "runs_dir": str(folder)}
        save_config(validate_config(tree), folder / "config.yaml")
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "disabled"}
        environment.pop("RAY_ADDRESS", None)
        environment.pop("WAKEWORD_TOKEN", None)
        if token is not None:
            environment["WAKEWORD_TOKEN"] = token
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVER, str(folder / "config.yaml"), str(bundle)],
                env=environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 400
        while "listening on" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, f"the endpoint did not start: {self.log.read_text()}"
            time.sleep(0.3)
        self.family = psutil.Process(self.process.pid).children(recursive=True)

    @property
    def stream_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/stream"

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=HEADERS, timeout=30)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(120)
        finally:
            self.process.kill()


@dataclass
class Material:
    """A bundle, audio for every stream, and the detector's events."""

    bundle: Path
    tracks: list[np.ndarray]
    wanted: list[list[Detection]]
    real: bool


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory, tone_bundle: Path) -> Material:
    """Real recordings and an untrained model, or tones where the recordings are absent."""
    real = (RECORDINGS / "manifest.csv").is_file()
    if real:
        tracks = real_tracks(STREAMS, SECONDS)
        bundle_path = untrained_bundle(tmp_path_factory.mktemp("untrained") / "bundle", WORDS, tracks[:4])
    else:
        tracks = [spoken([("alpha", 1.0 + i / 10), ("beta", 9.0)], SECONDS, seed=i) for i in range(STREAMS)]
        bundle_path = tone_bundle
    bundle = load_bundle(bundle_path)
    return Material(bundle_path, tracks, [detector_events(bundle, track) for track in tracks], real)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, material: Material) -> Iterator[Served]:
    """One endpoint for this module, with a short idle limit and just enough slots."""
    endpoint = Served(
        tmp_path_factory.mktemp("endpoint"), material.bundle, max_streams=STREAMS, idle_timeout_s=5, drain_s=1
    )
    yield endpoint
    endpoint.stop()


def test_what_runs_is_what_was_configured(served: Served) -> None:
    replicas, proxies = [], []
    for process in served.family:
        if not process.is_running():
            continue
        command = " ".join(process.cmdline())
        if "ServeReplica" in command:
            replicas.append(process)
        if "haproxy" in process.name():
            proxies.append(process)
    assert len(replicas) == 1
    assert proxies, "HAProxy is the ingress by default"
    listening = {(c.laddr.ip, c.laddr.port) for p in proxies for c in p.net_connections() if c.status == "LISTEN"}
    assert ("127.0.0.1", served.port) in listening
    assert ("0.0.0.0", served.port) not in listening
    # With HAProxy clients reach the replica itself: it too must listen on this machine only.
    own = {c.laddr.ip for c in replicas[0].net_connections() if c.status == "LISTEN" and c.laddr.port >= 30000}
    assert "0.0.0.0" not in {ip for ip in own if ip}


def test_forty_real_time_streams_give_the_detectors_events(served: Served, material: Material) -> None:
    """The bar: 40 streams on one replica, events equal to the detector's, memory within 600 MiB."""
    assert sum(map(len, material.wanted)) >= STREAMS, "the bundle must fire for the comparison to say anything"
    results = asyncio.run(stream_all(served.stream_url, TOKEN, material.tracks))
    stats = served.get("/v1/stats").json()
    for result, events in zip(results, material.wanted, strict=True):
        assert isinstance(result, StreamResult), result
        assert result.audio_s == pytest.approx(SECONDS)
        assert same_events(result.detections, events)
    kind = "real recordings" if material.real else "tones (the real recordings are absent)"
    print(f"{STREAMS} streams of {kind}: replica memory {stats['rss_mib']} MiB,", end=" ")
    print(f"chunk latency p50 {stats['chunk_latency_p50_ms']} ms, p99 {stats['chunk_latency_p99_ms']} ms")
    assert stats["rss_mib"] <= MAX_RSS_MIB
    assert stats["streams_total"] == STREAMS


def test_bad_clients_harm_only_themselves(served: Served, material: Material) -> None:
    """Text, odd bytes, 10 MB, wrong and missing token, too many streams, idle: through Ray Serve and HAProxy."""
    busiest = max(range(STREAMS), key=lambda index: len(material.wanted[index]))
    audio, wanted = material.tracks[busiest], material.wanted[busiest]
    url = served.stream_url

    async def trouble() -> tuple[StreamResult, dict[str, int]]:
        good = asyncio.create_task(stream_audio(url, TOKEN, audio, real_time=True))
        await asyncio.sleep(0.5)
        codes = {
            "text": (await send_and_see(url, CHUNK, "hello"))[0],
            "odd": (await send_and_see(url, CHUNK, b"\0" * 101))[0],
            "large": (await send_and_see(url, CHUNK, b"\0" * 10_000_000))[0],
            "file": (await send_and_see(url, b"fLaC\0\0\0\x22" + CHUNK))[0],
            "declared": (await send_and_see(url + "?sample_rate=48000&encoding=pcm_f32le", CHUNK, b""))[0],
        }
        try:
            await send_and_see(url + "?sample_rate_hz=48000")
        except InvalidStatus as refused:
            codes["query"] = refused.response.status_code
            codes["query explained"] = int(b"did you mean sample_rate?" in (refused.response.body or b""))
        for name, headers in (("wrong token", {"Authorization": "Bearer wrong"}), ("no token", {})):
            try:
                await send_and_see(url, headers=headers)
            except InvalidStatus as refused:
                codes[name] = refused.response.status_code
        others = [await connect(url, additional_headers=HEADERS) for _ in range(STREAMS - 1)]
        for other in others:
            await other.recv()
        codes["full"] = (await send_and_see(url))[0]
        for other in others:
            await other.wait_closed()
        codes["idle"] = others[0].close_code or 0
        return await good, codes

    good, codes = asyncio.run(trouble())
    assert codes == {
        "text": 1003,
        "odd": 1007,
        "large": 1009,
        "file": 1003,
        "declared": 1000,
        "query": 400,
        "query explained": 1,
        "wrong token": 401,
        "no token": 401,
        "full": 1013,
        "idle": 1008,
    }
    assert wanted
    assert same_events(good.detections, wanted)
    assert served.get("/v1/stats").json()["streams"] == 0


def test_sigterm_drains_and_leaves_no_process(served: Served) -> None:
    """Health is 503 while a stream is open, the stream is closed with a reason, no process is left."""

    async def in_flight() -> tuple[int, int]:
        async with connect(served.stream_url, additional_headers=HEADERS) as connection:
            await connection.recv()
            served.process.send_signal(signal.SIGTERM)
            seen = 200
            while seen == 200:
                await connection.send(CHUNK)
                await asyncio.sleep(0.05)
                async with httpx.AsyncClient() as client:
                    seen = (await client.get(f"http://127.0.0.1:{served.port}/healthz", timeout=30)).status_code
            await connection.wait_closed()
            return seen, connection.close_code or 0

    assert served.get("/healthz").status_code == 200
    assert asyncio.run(in_flight()) == (503, 1001)
    assert served.process.wait(120) == 0
    assert "ended" in served.log.read_text()
    assert TOKEN not in served.log.read_text()
    left = psutil.wait_procs([p for p in served.family if p.is_running()], timeout=20)[1]
    assert not [process.name() for process in left]


@pytest.mark.slow
@pytest.mark.parametrize("ha_proxy", [True, False])
def test_the_dashboard_beside_the_endpoint(tmp_path: Path, tone_bundle: Path, ha_proxy: bool) -> None:
    """`dashboard` adds /ui with a login; `ha_proxy: false` serves without HAProxy; a new token is printed once."""
    endpoint = Served(tmp_path, tone_bundle, token=None, dashboard=True, ha_proxy=ha_proxy, drain_s=0)
    try:
        assert ha_proxy == any("haproxy" in p.name() for p in endpoint.family if p.is_running())
        log = endpoint.log.read_text()
        token = log.split("printed once): ")[1].split()[0]
        assert log.count(token) == 1
        audio = spoken([("alpha", 0.5)], 1.5)
        found = asyncio.run(stream_audio(endpoint.stream_url, token, audio))
        assert same(found.detections, expected(tone_bundle, audio))
        ui = f"http://127.0.0.1:{endpoint.port}/ui"
        assert httpx.get(f"{ui}/config", timeout=60, follow_redirects=True).status_code == 401
        with httpx.Client(timeout=60, follow_redirects=True) as client:
            assert client.post(f"{ui}/login", data={"username": "me", "password": token}).status_code == 200
            assert client.get(f"{ui}/config").status_code == 200
            assert "wakeword" in client.get(f"{ui}/").text
    finally:
        assert endpoint.stop() == 0


def test_faults_before_anything_starts(tmp_path: Path, tone_bundle: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        tree = {"words": [{"label": "alpha"}], "serving": {"port": taken.getsockname()[1]}}
        with pytest.raises(ServingError, match="cannot listen"):
            run(validate_config(tree), tone_bundle)
    changed = write_tone_bundle(tmp_path / "changed")
    (changed / "MODEL_CARD.md").write_text("another card")
    with pytest.raises(BundleError, match="MODEL_CARD"):
        run(validate_config({"words": [{"label": "alpha"}]}), changed)
