"""Does one replica serve many real-time streams, exactly and in little memory?

Starts the endpoint (Ray Serve, HAProxy, one replica), opens N WebSocket streams of real recordings in real time, and
compares every stream's events with those of the runtime's detector on the same audio.

    python -m benchmarks.serving [--quick] [--bundle DIR] [--streams 40] [--json FILE]

Bars: all events the same (word, end_s; score to 1e-4), no stream lost, replica memory <= 600 MiB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np

from serve.app import run
from serve.client import StreamResult, stream_audio
from wakeword.audio.io import read_audio
from wakeword.config import SAMPLE_RATE_HZ, Config, validate_config
from wakeword.export.manifest import build_manifest, graph_metadata, write_bundle_files
from wakeword.runtime.bundle import Bundle, load_bundle
from wakeword.runtime.detector import Detector
from wakeword.runtime.events import Detection
from wakeword.system.files import write_json

RECORDINGS = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
_GAIN = 30.0
"""An untrained net's scores hardly move; a steeper classifier spreads them over 0 to 1, so that there are events."""


def real_tracks(folder: Path, count: int, seconds: float) -> list[np.ndarray]:
    """`count` different tracks of real recordings, each `(seconds * 16000,)` int16."""
    files = sorted(folder.glob("positive/*/*.flac")) + sorted(folder.glob("speech/**/*.flac"))
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


def untrained_bundle(folder: Path, tracks: list[np.ndarray]) -> Path:
    """A real student of the default size with random weights, exported; thresholds low enough that it fires."""
    import torch

    from wakeword.export.onnx import export_onnx
    from wakeword.models.streaming import StreamingModel

    torch.manual_seed(0)
    config = validate_config({"name": "untrained", "words": [{"label": "one"}, {"label": "two"}]})
    model = StreamingModel(config, config.labels).eval()
    with torch.no_grad():
        classifier: Any = model.network.classify
        classifier.weight *= _GAIN
        audio = torch.from_numpy(np.stack(tracks[:4]).astype(np.float32) / 32768)
        logits = model.offline(audio)
        # Centre each word's output a few spreads below 0: rare excursions become events.
        classifier.bias -= logits.mean((0, 1)) + 1.5 * logits.std((0, 1))
    manifest = build_manifest(config, model.step_samples, model.state_size, model.context_samples, {})
    graph = export_onnx(model, config.export.opset, graph_metadata(manifest))
    write_bundle_files(folder, graph, manifest)
    return folder


def detector_events(bundle: Bundle, audio: np.ndarray) -> list[Detection]:
    """What `wakeword detect` finds."""
    detector = Detector(bundle)
    return detector.process(audio) + detector.flush()


def same_events(found: list[Detection], wanted: list[Detection]) -> bool:
    """Same words at the same end times, scores to 1e-4."""
    return [(e.word, e.end_s) for e in found] == [(e.word, e.end_s) for e in wanted] and all(
        abs(a.score - b.score) <= 1e-4 for a, b in zip(found, wanted, strict=True)
    )


async def stream_all(url: str, token: str, tracks: list[np.ndarray]) -> list[StreamResult | BaseException]:
    """All tracks at once, each in real time; starts spread over one chunk as independent microphones are."""

    async def one(index: int, audio: np.ndarray) -> StreamResult:
        await asyncio.sleep(0.08 * index / len(tracks))
        return await stream_audio(url, token, audio, real_time=True)

    return await asyncio.gather(*(one(i, a) for i, a in enumerate(tracks)), return_exceptions=True)


def read_stats(http_url: str, token: str) -> dict[str, Any]:
    """The replica's own figures."""
    request = urllib.request.Request(f"{http_url}/v1/stats", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return dict(json.load(answer))


def measure(config: Config, bundle_path: Path, tracks: list[np.ndarray]) -> dict[str, Any]:
    """Serve, stream, compare; figures by name."""
    with run(config, bundle_path, block=False) as endpoint:
        results = asyncio.run(stream_all(endpoint.stream_url, endpoint.token.value, tracks))
        stats = read_stats(endpoint.http_url, endpoint.token.value)
    bundle = load_bundle(bundle_path)
    wanted = [detector_events(bundle, track) for track in tracks]
    good = [
        isinstance(result, StreamResult) and same_events(result.detections, events)
        for result, events in zip(results, wanted, strict=True)
    ]
    return {**stats, "events": sum(map(len, wanted)), "streams_equal": sum(good)}


def bars_of(figures: dict[str, Any], streams: int) -> list[dict[str, Any]]:
    """The claims with their targets."""
    return [
        _bar("streams with exactly the detector's events", figures["streams_equal"], "streams", streams, "min"),
        _bar("events compared", figures["events"], "events", streams, "min"),
        _bar("replica memory", figures["rss_mib"], "MiB", 600, "max"),
        _bar("chunk latency p99", figures["chunk_latency_p99_ms"], "ms", 250, "max"),
    ]


def _bar(name: str, value: float, unit: str, target: float, kind: str) -> dict[str, Any]:
    ok = value >= target if kind == "min" else value <= target
    return {"name": name, "value": value, "unit": unit, "target": target, "ok": bool(ok)}


def _commit() -> str:
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def main() -> int:
    """Run, print the table, write the JSON; 0 when every bar holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10 s of audio per stream instead of 60")
    parser.add_argument("--bundle", type=Path, help="bundle to serve; default: an untrained student, exported here")
    parser.add_argument("--streams", type=int, default=40)
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--json", type=Path, help="write the bars here")
    args = parser.parse_args()
    if not (RECORDINGS / "manifest.csv").is_file():
        print("the real recordings (../shared/data) are absent: this benchmark needs them", file=sys.stderr)
        return 3
    tracks = real_tracks(RECORDINGS, args.streams, 10 if args.quick else 60)
    with tempfile.TemporaryDirectory() as folder:
        bundle = args.bundle or untrained_bundle(Path(folder) / "bundle", tracks)
        config = validate_config(
            {"words": [{"label": "one"}], "serving": {"port": args.port, "max_streams": args.streams}}
        )
        figures = measure(config, bundle, tracks)
    bars = bars_of(figures, args.streams)
    for bar in bars:
        mark = "ok  " if bar["ok"] else "MISS"
        print(f"{mark}  {bar['name']:<46} {bar['value']:>10g} {bar['unit']:<8} target {bar['target']:g}")
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
    if args.json:
        write_json(args.json, {"machine": machine, "commit": _commit(), "bars": bars, "figures": figures})
    return 0 if all(bar["ok"] for bar in bars) else 1


if __name__ == "__main__":
    sys.exit(main())
