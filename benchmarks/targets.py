"""Throughput of a teacher of features: a bare loop over parts in one process, and the actor pool of Ray Data.

    python -m benchmarks.targets [--quick] [--json FILE] [--teacher T] [--rounds N] [key=value …]

Both make the same parts of synthetic clips, with one worker of one thread. Rounds of both alternate, each from a warm
start: the time of a round is that from its first finished part to its last, so that the start of Ray and of the teacher
count in neither. The medians are compared; bytes must be equal.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.harness import Bar, run
from wakeword.config import Config, validate_config
from wakeword.data.manifest import clip_row
from wakeword.data.shards import INDEX_VERSION, write_shard
from wakeword.stages.ray_session import kept_ray, ray_session
from wakeword.stages.runner import Runner, run_stage
from wakeword.system.files import sha256_of, write_json
from wakeword.teachers.stages import FeatureStage

CLIP_S = 2.0
MOST_ADDED = 5.0
"""Per cent that Ray may add."""


def measure(args: argparse.Namespace) -> list[Bar]:
    """Alternate the rounds, compare medians and bytes."""
    tree = {
        "words": [{"label": "word"}],
        "compute": {"device": "cpu", "workers": 0, "data_cpus": 1},
        "distillation": {"teacher": args.teacher},
    }
    config = validate_config(tree, "benchmark")
    parts, clips = (4, 20) if args.quick else (20, 100)
    times: dict[Runner, list[float]] = {"local": [], "ray": []}
    with tempfile.TemporaryDirectory() as holder, kept_ray(), ray_session(config):
        folder = Path(holder)
        _write(folder / "prepared", parts * clips)
        for number in range(args.rounds):
            for runner in times:
                out = folder / f"{runner}-{number}"
                out.mkdir()
                times[runner].append(_round(config, folder / "prepared", out, parts, clips, runner))
        same = all(
            (folder / "local-0" / path.name).read_bytes() == path.read_bytes()
            for path in sorted((folder / "ray-0").glob("*.arrow"))
        )
    local_s, ray_s = (float(np.median(values)) for values in times.values())
    audio_s = (parts - 1) * clips * CLIP_S
    return [
        Bar("bare loop, audio per second", audio_s / local_s, "s"),
        Bar("actor pool, audio per second", audio_s / ray_s, "s"),
        Bar("Ray adds", 100 * (ray_s / local_s - 1), "%", MOST_ADDED),
        Bar("parts of the same bytes", float(same), "", 1.0, "least"),
    ]


def _round(config: Config, prepared: Path, out: Path, parts: int, clips: int, runner: Runner) -> float:
    """Seconds from the first finished part to the last."""
    table = pa.table(
        {
            "part": [f"part-{number:05d}.arrow" for number in range(parts)],
            "clips": [list(range(number * clips, (number + 1) * clips)) for number in range(parts)],
        }
    )
    began_s = ended_s = 0.0
    for number, _ in enumerate(_batches(FeatureStage(config, prepared, out), table, runner)):
        ended_s = time.monotonic()
        began_s = began_s if number else ended_s
    return ended_s - began_s


def _batches(stage: FeatureStage, table: pa.Table, runner: Runner) -> Iterator[pa.Table]:
    return run_stage(stage, table, runner, 1)


def _write(folder: Path, clips: int) -> None:
    """Noise with the loudness of speech: a teacher's cost does not depend on what it hears."""
    chance = np.random.default_rng(0)
    audio = (chance.normal(scale=0.05, size=round(CLIP_S * 16_000)) * 32767).astype("<i2").tobytes()
    rows = (
        {
            **clip_row(
                clip_id=str(number), uri="noise", kind="speech", label="speech", split="train", source="noise",
                duration_s=CLIP_S,
            ),
            "audio": audio,
        }
        for number in range(clips)
    )  # fmt: skip
    path = folder / "shards" / "train-0000.arrow"
    path.parent.mkdir(parents=True)
    count = write_shard(path, rows)
    entry = {"file": f"shards/{path.name}", "rows": count, "bytes": path.stat().st_size, "sha256": sha256_of(path)}
    index = {"version": INDEX_VERSION, "config_hash": "noise", "labels": ["word"]}
    write_json(folder / "index.json", {**index, "splits": {"train": {"shards": [entry]}}})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Teacher and rounds."""
    parser.add_argument("--teacher", default="hama")
    parser.add_argument("--rounds", type=int, default=3)


if __name__ == "__main__":
    sys.exit(run("targets", measure, add_arguments))
