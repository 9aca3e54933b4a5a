"""Many real-time streams on one replica: equal events, no stream lost, little memory.

    python -m benchmarks.serving [--quick] [--bundle DIR] [--streams 40] [--json FILE]

Starts the endpoint (Ray Serve, HAProxy, one replica), opens N WebSocket streams of real recordings in real time, and
compares every stream's events with those of the runtime's detector on the same audio.

Targets: all events equal (word, end_s; score to 1e-4), no stream lost, replica memory <= 600 MiB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Bar, recording_rows, run, untrained_bundle
from serve.app import run as run_endpoint
from serve.client import StreamResult, stream_audio
from wakeword.audio.io import read_audio
from wakeword.config import SAMPLE_RATE_HZ, Config, validate_config
from wakeword.runtime.bundle import Bundle, load_bundle
from wakeword.runtime.detector import Detector
from wakeword.runtime.events import Detection

WORDS = ("one", "two")


def real_tracks(count: int, seconds: float) -> list[np.ndarray]:
    """`count` different tracks of real recordings, each `(seconds * 16000,)` int16.

    Raises DataError where the recordings are absent.
    """
    files = [row["path"] for row in recording_rows() if row["kind"] in ("wakeword", "speech")]
    order = np.random.default_rng(0).permutation(len(files))
    wanted = round(seconds * SAMPLE_RATE_HZ)
    tracks: list[np.ndarray] = []
    position = 0
    for _ in range(count):
        pieces: list[np.ndarray] = []
        while sum(map(len, pieces)) < wanted:
            pieces.append(read_audio(files[order[position % len(files)]]))
            position += 1
        audio = np.concatenate(pieces)[:wanted]
        tracks.append(np.clip(np.rint(audio * 32768), -32768, 32767).astype(np.int16))
    return tracks


def detector_events(bundle: Bundle, audio: np.ndarray) -> list[Detection]:
    """Events of `wakeword detect`."""
    detector = Detector(bundle)
    return detector.process(audio) + detector.flush()


def same_events(found: list[Detection], wanted: list[Detection]) -> bool:
    """Same words at the same end times, scores to 1e-4."""
    return [(e.word, e.end_s) for e in found] == [(e.word, e.end_s) for e in wanted] and all(
        abs(a.score - b.score) <= 1e-4 for a, b in zip(found, wanted, strict=True)
    )


async def stream_all(url: str, token: str, tracks: list[np.ndarray]) -> list[StreamResult | BaseException]:
    """All tracks at once in real time; starts are spread over one chunk as those of independent microphones are."""

    async def one(index: int, audio: np.ndarray) -> StreamResult:
        await asyncio.sleep(0.08 * index / len(tracks))
        return await stream_audio(url, token, audio, real_time=True)

    return await asyncio.gather(*(one(i, a) for i, a in enumerate(tracks)), return_exceptions=True)


def measure_streams(config: Config, bundle_path: Path, tracks: list[np.ndarray]) -> dict[str, Any]:
    """Serve, stream, compare; figures by name."""
    with run_endpoint(config, bundle_path, block=False) as endpoint:
        results = asyncio.run(stream_all(endpoint.stream_url, endpoint.token.value, tracks))
        headers = {"Authorization": f"Bearer {endpoint.token.value}"}
        request = urllib.request.Request(f"{endpoint.http_url}/v1/stats", headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            stats = json.load(answer)
    bundle = load_bundle(bundle_path)
    wanted = [detector_events(bundle, track) for track in tracks]
    good = [
        isinstance(result, StreamResult) and same_events(result.detections, events)
        for result, events in zip(results, wanted, strict=True)
    ]
    return {**stats, "events": sum(map(len, wanted)), "streams_equal": sum(good)}


def measure(args: argparse.Namespace) -> list[Bar]:
    """The figures with their targets."""
    tracks = real_tracks(args.streams, 10 if args.quick else 60)
    config = validate_config(
        {"words": [{"label": WORDS[0]}], "serving": {"port": args.port, "max_streams": args.streams}}
    )
    with tempfile.TemporaryDirectory() as folder:
        bundle = args.bundle or untrained_bundle(Path(folder) / "bundle", WORDS, tracks[:4])
        figures = measure_streams(config, bundle, tracks)
    return [
        Bar("streams with the detector's events", figures["streams_equal"], "streams", args.streams, "least"),
        Bar("events compared", figures["events"], "events", args.streams, "least"),
        Bar("replica memory", figures["rss_mib"], "MiB", 600),
        Bar("chunk latency p50", figures["chunk_latency_p50_ms"], "ms"),
        Bar("chunk latency p99", figures["chunk_latency_p99_ms"], "ms", 250),
        Bar("audio scored", figures["audio_s"], "s"),
        Bar("calls of the model", figures["batches"], "calls"),
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The bundle, the number of streams and the port."""
    parser.add_argument("--bundle", type=Path, help="bundle to serve; default: an untrained model")
    parser.add_argument("--streams", type=int, default=40)
    parser.add_argument("--port", type=int, default=8123)


if __name__ == "__main__":
    sys.exit(run("serving", measure, add_arguments))
