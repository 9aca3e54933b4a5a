"""What a detector costs where it runs: CPU time per second of audio, alone and in a batch of 40, and memory.

    python -m benchmarks.runtime_cost [--quick] [--json FILE] [--bundle BUNDLE [--variant tflite]]

Without a bundle, the default student with random weights is exported first: its weights do not change its cost.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness import ROOT, Bar, run
from wakeword.system.resources import peak_rss_mib

CHUNK_S = 0.08
STREAMS = 40


def measure(bundle_path: str, variant: str, streams: int, audio_s: float) -> dict[str, float]:
    """CPU milliseconds per second of audio and stream, load time and peak memory of a process of its own."""
    began = time.perf_counter()
    import numpy as np

    from wakeword.runtime import Detector, load_bundle

    detector = Detector(load_bundle(bundle_path, variant), streams=streams)
    load_s = time.perf_counter() - began
    samples = round(CHUNK_S * 16_000)
    chunks = (0.05 * np.random.default_rng(0).standard_normal((16, streams, samples))).astype(np.float32)
    for chunk in chunks[:4]:
        detector.process(chunk)
    costs = []
    for number in range(round(audio_s / CHUNK_S)):
        began_cpu = time.process_time()
        detector.process(chunks[number % len(chunks)])
        costs.append(time.process_time() - began_cpu)
    # The median: other work on the machine only ever adds.
    return {
        "cpu_ms": 1000 * statistics.median(costs) / (CHUNK_S * streams),
        "load_s": load_s,
        "rss_mib": peak_rss_mib(),
    }


def in_own_process(bundle: Path, variant: str, streams: int, audio_s: float) -> dict[str, float]:
    """`measure` in a fresh interpreter, so that nothing else counts."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.runtime_cost",
        "--measure",
        str(bundle.resolve()),
        variant,
        str(streams),
        str(audio_s),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout)


def default_bundle(folder: Path, label: str = "hey_nova") -> Path:
    """The default student with random weights, exported."""
    from wakeword.config import validate_config
    from wakeword.export.manifest import build_manifest, graph_metadata, write_bundle_files
    from wakeword.export.onnx import export_onnx
    from wakeword.models.streaming import StreamingModel

    config = validate_config({"words": [{"label": label}]})
    model = StreamingModel(config, config.labels)
    manifest = build_manifest(config, model.step_samples, model.state_size, model.context_samples, {})
    write_bundle_files(folder, export_onnx(model, config.export.opset, graph_metadata(manifest)), manifest)
    return folder


def measure_bars(args: argparse.Namespace) -> list[Bar]:
    """The figures with their targets."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(args.bundle) if args.bundle else default_bundle(Path(folder) / "bundle")
        alone = in_own_process(bundle, args.variant, 1, 20.0 if args.quick else 120.0)
        batch = in_own_process(bundle, args.variant, STREAMS, 4.0 if args.quick else 30.0)
    return [
        Bar("CPU per second of audio, one stream", alone["cpu_ms"], "ms", 60.0),
        Bar(f"CPU per second of audio and stream, batch of {STREAMS}", batch["cpu_ms"], "ms", 25.0),
        Bar("import, load and check a bundle", alone["load_s"], "s", 2.0),
        Bar("peak memory, one stream", alone["rss_mib"], "MiB", 120.0),
        Bar(f"peak memory, {STREAMS} streams", batch["rss_mib"], "MiB", 160.0),
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The bundle, and the process that measures."""
    parser.add_argument("--bundle", metavar="BUNDLE", help="a bundle of yours instead of the default student")
    parser.add_argument(
        "--variant", choices=("float32", "int8", "tflite"), default="float32", help="form of the bundle's model"
    )
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)


def measure_or_compare(args: argparse.Namespace) -> list[Bar]:
    """In the measuring process, print the figures and stop; else all bars."""
    if args.measure:
        bundle, variant, streams, audio_s = args.measure
        print(json.dumps(measure(bundle, variant, int(streams), float(audio_s))))
        raise SystemExit(0)
    return measure_bars(args)


if __name__ == "__main__":
    sys.exit(run("runtime_cost", measure_or_compare, add_arguments))
