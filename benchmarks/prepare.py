"""Clips prepared per second through Ray Data, against a bare process pool.

    python -m benchmarks.prepare [--quick] [--json FILE]

Target: at least 0.9 of the clips per second of a pool of as many processes with the same work function. All sides read
the same real recordings (with copies at another gain where a large machine needs more). Each side is a separate
process, started and warm before the first round, and the sides take turns. Each figure is a median over the rounds,
each ratio the median of the rounds' ratios.

* `Ray`: `wakeword prepare` as users have it, with the stages fingerprint and shard; each worker decodes in its guarded
  child process.
* `pool`: the same stages over the same units of work in a `ProcessPoolExecutor`, with and without the guard.

Ray gives its workers a low priority (nice 15); here both sides have the same. `CPU` is the processor time of a side's
process tree per clip. `stages` is the time in which units of work run; the target is on it. `whole` is all of
preparation, with manifest, search for copies, plan, receipts and index.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import soundfile

from benchmarks.harness import RECORDINGS, Bar, recording_rows, run, write_manifest
from wakeword.config import Config, validate_config
from wakeword.data.prepare import prepare
from wakeword.stages import ray_data
from wakeword.stages.ray_session import available_cpus, ray_session

Times = dict[str, float]
SHARD_MB = 8.0
"""About 80 clips: enough units for all workers, and more tasks for Ray than with the 128 MB of a real preparation."""


def write_corpus(folder: Path, count: int) -> tuple[Path, float]:
    """A CSV manifest of `count` real recordings, and their seconds; more than there are become quieter copies."""
    rows = recording_rows()
    chosen = rows[:: max(1, len(rows) // count)][:count]
    times = 1
    while len(chosen) < count:
        chosen += [_copy(row, folder, times) for row in rows[: count - len(chosen)]]
        times += 1
    return write_manifest(chosen, folder / f"{count}.csv"), sum(float(row["duration_s"]) for row in chosen)


def _copy(row: dict[str, str], folder: Path, times: int) -> dict[str, str]:
    """A quieter copy: its bytes and samples differ, so that the search for copies keeps it."""
    audio, rate_hz = soundfile.read(row["path"], dtype="float32")
    path = folder / f"copy{times}" / Path(row["path"]).relative_to(RECORDINGS)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio * 0.9**times, rate_hz, format="FLAC", subtype="PCM_16")
    return {**row, "path": str(path), "sha256": ""}


def config_of(manifest: Path, guarded: bool = True) -> Config:
    """Preparation with all its checks; the label of the wake word is arbitrary."""
    sources = [{"type": "csv", "uri": str(manifest)}]
    data = {"sources": sources, "shard_mb": SHARD_MB, "quality": {"guarded": guarded}}
    return validate_config({"words": [{"label": "computer"}], "data": data})


def prepared(manifest: Path, guarded: bool, runner: Callable[[Any, pa.Table], Iterator[pa.Table]]) -> Times:
    """Seconds of one preparation into an empty folder, of its stages alone, and its CPU seconds."""
    stages_s: list[float] = []

    def timed(stage: Any, table: pa.Table, title: str) -> Iterator[pa.Table]:
        began_s = time.perf_counter()
        done = list(runner(stage, table))
        stages_s.append(time.perf_counter() - began_s)
        yield from done

    with tempfile.TemporaryDirectory() as name:
        cpu_s, began_s = tree_cpu_s(), time.perf_counter()
        summary = prepare(config_of(manifest, guarded), Path(name) / "out", timed, progress=False)
        whole_s = time.perf_counter() - began_s
    found = {"stages_s": sum(stages_s), "whole_s": whole_s, "cpu_s": tree_cpu_s() - cpu_s}
    return {**found, "clips": float(summary.clips())}


def tree_cpu_s() -> float:
    """CPU seconds of this process and its descendants, with those that have ended and were waited for."""
    spent_s = 0.0
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            spent_s += sum(process.cpu_times()[:4])
    return spent_s


@contextmanager
def ray_side(folder: Path, workers: int) -> Iterator[Callable[[Path], Times]]:
    """Ray Data, as `wakeword prepare` runs it."""
    with ray_session(config_of(folder)):
        yield lambda manifest: prepared(manifest, True, partial(ray_data.run_stage, max_cpus=workers))


@contextmanager
def pool_side(folder: Path, workers: int, guarded: bool = True) -> Iterator[Callable[[Path], Times]]:
    """The standard library's pool: each free worker takes the next unit of work."""
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:

        def over_pool(stage: Any, table: pa.Table) -> Iterator[pa.Table]:
            # `take` copies: a slice would send the whole table with each row.
            units = [table.take([row]) for row in range(table.num_rows)]
            return pool.map(stage, units)

        yield lambda manifest: prepared(manifest, guarded, over_pool)


Measure = Callable[[Path], Times]
SIDES: dict[str, Callable[[Path, int], AbstractContextManager[Measure]]] = {
    "Ray": ray_side,
    "pool": pool_side,
    "pool without the guard": partial(pool_side, guarded=False),
}
_stack = ExitStack()
_measure: list[Measure] = []
"""The side of this process, once it is open."""


def _open(name: str, folder: Path, workers: int, warm_up: Path) -> Times:
    """Start a side in this process; the seconds of its start and of its first clips."""
    began_s = time.perf_counter()
    _measure.append(_stack.enter_context(SIDES[name](folder, workers)))
    start_s = time.perf_counter() - began_s
    _measure[0](warm_up)
    return {"start_s": start_s, "first_s": time.perf_counter() - began_s - start_s}


def _round(manifest: Path) -> Times:
    return _measure[0](manifest)


def _close() -> None:
    _stack.close()


def race(folder: Path, workers: int, manifest: Path, warm_up: Path, rounds: int) -> dict[str, list[Times]]:
    """Times of each side: its start, then its rounds; every other round runs in reverse order."""
    context = multiprocessing.get_context("spawn")
    found: dict[str, list[Times]] = {}
    sides: dict[str, ProcessPoolExecutor] = {}
    # One thread per process, as Ray sets it for its workers.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "RAY_worker_niceness": "0"}
    with ExitStack() as stack:
        for name in SIDES:
            sides[name] = stack.enter_context(ProcessPoolExecutor(1, context))
            stack.callback(sides[name].submit, _close)
            found[name] = [sides[name].submit(_open, name, folder, workers, warm_up).result()]
        for number in range(rounds):
            for name in list(SIDES)[:: -1 if number % 2 else 1]:
                found[name].append(sides[name].submit(_round, manifest).result())
    return found


def bars_of(found: dict[str, list[Times]], audio_s: float) -> list[Bar]:
    """Medians over the rounds, and ratios of each round's pair."""

    def per_s(name: str, key: str) -> list[float]:
        return [times["clips"] / times[key] for times in found[name][1:]]

    def ratio(name: str, key: str = "stages_s") -> float:
        pairs = zip(per_s("Ray", key), per_s(name, key), strict=True)
        return statistics.median(ours / theirs for ours, theirs in pairs)

    bars = [Bar("clips in a round", found["Ray"][1]["clips"], ""), Bar("audio in a round", audio_s / 3600, "h")]
    for name, (first, *_) in found.items():
        bars += [
            Bar(f"{name}: start", first["start_s"], "s"),
            Bar(f"{name}: first clips, workers starting", first["first_s"], "s"),
            Bar(f"{name}: stages", statistics.median(per_s(name, "stages_s")), "clips/s"),
            Bar(f"{name}: whole", statistics.median(per_s(name, "whole_s")), "clips/s"),
            Bar(f"{name}: CPU", statistics.median(1000 / rate for rate in per_s(name, "cpu_s")), "ms a clip"),
        ]
    hours = statistics.median(audio_s / times["whole_s"] for times in found["Ray"][1:])
    return [
        *bars,
        Bar("Ray: whole, hours of audio prepared in an hour", hours, "h"),
        Bar("Ray against the pool, stages", ratio("pool"), "x", 0.9, "least"),
        Bar("Ray against the pool, whole", ratio("pool", "whole_s"), "x"),
        Bar("Ray against the pool, clips for the same CPU time", ratio("pool", "cpu_s"), "x"),
        Bar("Ray against the pool without the guard, stages", ratio("pool without the guard"), "x"),
    ]


def measure(args: argparse.Namespace) -> list[Bar]:
    """All sides over the same recordings."""
    workers = available_cpus()
    per_worker, rounds = (64, 2) if args.quick else (768, 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest, audio_s = write_corpus(folder, per_worker * workers)
        warm_up, _ = write_corpus(folder, 48 * workers)
        found = race(folder, workers, manifest, warm_up, rounds)
    return bars_of(found, audio_s)


if __name__ == "__main__":
    sys.exit(run("prepare", measure))
