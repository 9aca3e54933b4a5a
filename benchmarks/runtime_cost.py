"""Cost of a detector: CPU time per second of audio, for one stream and in a batch of 40, and memory.

    python -m benchmarks.runtime_cost [--quick] [--json FILE] [--bundle BUNDLE [--variant tflite]]

Without a bundle, the default model with random weights is exported first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness import Bar, python, run, untrained_bundle
from wakeword.system.resources import peak_rss_mib

CHUNK_S = 0.08
STREAMS = 40


def measure(bundle_path: str, variant: str, streams: int, audio_s: float) -> None:
    """Print CPU milliseconds per second of audio and stream, load time and peak memory of this process as JSON."""
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
    # The median, since other work on the machine only adds time.
    cpu_ms = 1000 * statistics.median(costs) / (CHUNK_S * streams)
    print(json.dumps({"cpu_ms": cpu_ms, "load_s": load_s, "rss_mib": peak_rss_mib()}))


def measure_bars(args: argparse.Namespace) -> list[Bar]:
    """The figures with their targets, each from a new interpreter, whose memory holds nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(args.bundle) if args.bundle else untrained_bundle(Path(folder) / "bundle")
        code = f"from benchmarks.runtime_cost import measure; measure({str(bundle.resolve())!r}, {args.variant!r}, "
        alone = json.loads(python("-c", f"{code}1, {20.0 if args.quick else 120.0})"))
        batch = json.loads(python("-c", f"{code}{STREAMS}, {4.0 if args.quick else 30.0})"))
    return [
        Bar("CPU per second of audio, one stream", alone["cpu_ms"], "ms", 60.0),
        Bar(f"CPU per second of audio and stream, batch of {STREAMS}", batch["cpu_ms"], "ms", 25.0),
        Bar("import, load and check a bundle", alone["load_s"], "s", 2.0),
        Bar("peak memory, one stream", alone["rss_mib"], "MiB", 120.0),
        Bar(f"peak memory, {STREAMS} streams", batch["rss_mib"], "MiB", 160.0),
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The bundle."""
    parser.add_argument("--bundle", metavar="BUNDLE", help="bundle to measure; default: an untrained model")
    parser.add_argument(
        "--variant", choices=("float32", "int8", "tflite"), default="float32", help="form of the bundle's model"
    )


if __name__ == "__main__":
    sys.exit(run("runtime_cost", measure_bars, add_arguments))
