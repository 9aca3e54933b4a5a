"""Clips prepared per second through Ray Data, against a bare process pool and against a loader of the usual making.

    python -m benchmarks.prepare [--quick] [--json FILE]

Bar: at least 0.9 of the clips per second that a bare pool of as many processes makes of the same work function. All
sides take the same real recordings (copies with another gain where a large machine needs more), each in processes of
its own that are started and warm before the first turn. Ray and the pool take turns, the others run in the first round
alone; each figure is a median over the rounds, each ratio the median of the rounds' ratios. Start-up is measured apart.

What each side does with a clip:

* `Ray`: `wakeword prepare` as users have it: fingerprint (decode, hash of the samples, fingerprint for copies) and
  shard (hash of the file, decode, length, level, clipping, offset, word bounds, pitch, loudness, SNR, int16, atomic
  write, hash of the shard). Each worker decodes in its guarded child process.
* `pool`: the very same two stages over the same units of work, in a `concurrent.futures.ProcessPoolExecutor`; guarded
  too, and once more without the guard.
* `loader`: `librosa.load` to 16 kHz mono and the six transforms of audiomentations that `benchmarks.augment` lists, in
  a torch `DataLoader` of as many workers. It decodes once, checks nothing and writes nothing, and augments, which
  preparation does not: other work, told for the scale of it. Installed as `benchmarks.augment` does.

Ray gives its workers a low priority (nice 15); here both sides have the same, so that other work on the machine does
not decide. `CPU` is the processor time of a side's whole process tree for a clip: it says what a side costs on a busy
machine too, where clips per second say little.

`stages` is the time in which units of work run, the bar is on it; `whole` is all of preparation: also the manifest, the
search for copies among fingerprints, plan, receipts, index. The loader has no such thing.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.harness import RECORDINGS, Bar, run
from wakeword.config import SAMPLE_RATE_HZ, Config, validate_config
from wakeword.stages.ray_session import available_cpus

Times = dict[str, float]
SHARD_MB = 8.0
"""About 80 clips: enough units for all workers, and harder for Ray than the 128 MB of a real preparation."""
CLIPS_PER_WORKER, QUICK_CLIPS_PER_WORKER = 768, 64
ROUNDS, QUICK_ROUNDS = 3, 2
EACH_ROUND = ("Ray", "pool")
"""The bar's two sides; the others are figures to compare with and run in the first round alone."""
CUT_S = 30.0


def write_corpus(folder: Path, count: int) -> tuple[Path, float]:
    """A CSV manifest of `count` real recordings, and how many seconds they last; more than there are become copies."""
    listed = RECORDINGS / "manifest.csv"
    if not listed.is_file():
        raise SystemExit(f"the real recordings ({RECORDINGS}) are absent: this benchmark needs them")
    with listed.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        row["path"] = str(RECORDINGS / row["path"])
    chosen = rows[:: max(1, len(rows) // count)][:count]
    times = 1
    while len(chosen) < count:
        chosen += [_copy(row, folder, times) for row in rows[: count - len(chosen)]]
        times += 1
    path = folder / f"{count}.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(chosen)
    return path, sum(float(row["duration_s"]) for row in chosen)


def _copy(row: dict[str, str], folder: Path, times: int) -> dict[str, str]:
    """The same recording, quieter: other bytes and other samples, so that nothing is left out as a repetition."""
    import soundfile

    audio, rate_hz = soundfile.read(row["path"], dtype="float32")
    path = folder / f"copy{times}" / Path(row["path"]).relative_to(RECORDINGS)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio * 0.9**times, rate_hz, format="FLAC", subtype="PCM_16")
    return {**row, "path": str(path), "sha256": ""}


def config_of(manifest: Path, guarded: bool = True) -> Config:
    """Preparation with all its checks; any label of the recordings may be the wake word."""
    data = {
        "sources": [{"type": "csv", "uri": str(manifest)}],
        "shard_mb": SHARD_MB,
        "quality": {"guarded": guarded},
    }
    return validate_config({"words": [{"label": "computer"}], "data": data})


def prepared(manifest: Path, guarded: bool, runner: Callable[[Any, pa.Table], Iterator[pa.Table]]) -> Times:
    """Seconds of one preparation into an empty folder, of its stages alone, and the processor's seconds for it."""
    from wakeword.data.prepare import prepare

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
    """Processor time of this process and all below it, those that ended and were waited for included."""
    import psutil

    spent_s = 0.0
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            spent_s += sum(process.cpu_times()[:4])
    return spent_s


@contextmanager
def ray_side(folder: Path, workers: int) -> Iterator[Callable[[Path], Times]]:
    """Ray Data, as `wakeword prepare` runs it."""
    from wakeword.stages import ray_data as ray_stage
    from wakeword.stages.ray_session import ray_session

    with ray_session(config_of(folder)):
        yield lambda manifest: prepared(manifest, True, partial(ray_stage.run_stage, max_cpus=workers))


@contextmanager
def pool_side(folder: Path, workers: int, guarded: bool = True) -> Iterator[Callable[[Path], Times]]:
    """The standard library's pool: a unit of work after the other to whoever is free."""
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:

        def over_pool(stage: Any, table: pa.Table) -> Iterator[pa.Table]:
            # `take` copies: a slice would send the whole table with each row.
            units = [table.take([row]) for row in range(table.num_rows)]
            return pool.map(stage, units)

        yield lambda manifest: prepared(manifest, guarded, over_pool)


class Loaded:
    """A torch dataset: decode with librosa, augment with audiomentations."""

    def __init__(self, paths: Sequence[str], chain: Callable[[np.ndarray, int], np.ndarray]) -> None:
        self.paths, self.chain = paths, chain

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:
        import librosa

        warnings.simplefilter("ignore")
        audio, _ = librosa.load(self.paths[index], sr=SAMPLE_RATE_HZ, mono=True, duration=CUT_S)
        # audiomentations cannot shift what is shorter than its shift.
        return self.chain(librosa.util.fix_length(audio, size=max(len(audio), SAMPLE_RATE_HZ)), SAMPLE_RATE_HZ)


@contextmanager
def loader_side(folder: Path, workers: int) -> Iterator[Callable[[Path], Times]]:
    """A torch DataLoader with its workers."""
    from torch.utils.data import DataLoader

    from benchmarks.augment import Sounds, audiomentations_chain, install_peers

    reason = install_peers()
    if reason:
        raise ImportError(reason)
    (folder / "loader").mkdir()
    chain = audiomentations_chain(Sounds(), folder / "loader")
    loaders: dict[Path, DataLoader[Any]] = {}

    def epoch(manifest: Path) -> Times:
        if manifest not in loaders:
            with manifest.open(encoding="utf-8") as stream:
                paths = [row["path"] for row in csv.DictReader(stream)]
            # Forked, so that the workers find the noises and rooms in memory.
            loaders[manifest] = DataLoader(
                Loaded(paths, chain),
                32,
                num_workers=workers,
                persistent_workers=True,
                collate_fn=list,
                multiprocessing_context="fork",
            )
            # Its workers stay, and start again from the first clip.
            next(iter(loaders[manifest]))
        cpu_s, began_s = tree_cpu_s(), time.perf_counter()
        clips = sum(len(batch) for batch in loaders[manifest])
        stages_s = time.perf_counter() - began_s
        return {"stages_s": stages_s, "cpu_s": tree_cpu_s() - cpu_s, "clips": float(clips)}

    yield epoch


Side = Callable[[Path, int], AbstractContextManager[Callable[[Path], Times]]]
SIDES: dict[str, Side] = {
    "Ray": ray_side,
    "pool": pool_side,
    "pool without the guard": partial(pool_side, guarded=False),
    "loader": loader_side,
}


def side_process(name: str, folder: Path, workers: int, warm_up: Path, orders: Connection) -> None:
    """One side in a process of its own: says how long it took to start, then answers each manifest with its times."""
    began_s = time.perf_counter()
    with ExitStack() as stack:
        try:
            side = stack.enter_context(SIDES[name](folder, workers))
        except (ImportError, OSError) as error:
            orders.send(f"skipped: {name}, because it cannot be loaded here: {error}")
            return
        start_s = time.perf_counter() - began_s
        side(warm_up)
        orders.send({"start_s": start_s, "first_s": time.perf_counter() - began_s - start_s})
        while True:
            try:
                manifest = orders.recv()
            except EOFError:
                return
            orders.send(side(manifest))


def race(folder: Path, workers: int, manifest: Path, warm_up: Path, rounds: int) -> dict[str, list[Times]]:
    """Times of each side: its start first, then a round each in turns, every other time in reverse."""
    context = multiprocessing.get_context("spawn")
    found: dict[str, list[Times]] = {}
    lines: dict[str, Connection] = {}
    processes = []
    # One thread each, as Ray has it for its workers: as many processes as CPUs share them.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "RAY_worker_niceness": "0"}
    try:
        for name in SIDES:
            lines[name], theirs = context.Pipe()
            processes.append(context.Process(target=side_process, args=(name, folder, workers, warm_up, theirs)))
            processes[-1].start()
            theirs.close()
            answer = lines[name].recv()
            if isinstance(answer, str):
                print(answer)
                lines.pop(name).close()
                continue
            found[name] = [answer]
        for number in range(rounds):
            for name in [side for side in lines if side in EACH_ROUND or not number][:: -1 if number % 2 else 1]:
                lines[name].send(manifest)
                found[name].append(lines[name].recv())
    finally:
        # A side ends with its line.
        for line in lines.values():
            line.close()
        for process in processes:
            process.join()
    return found


def bars_of(found: dict[str, list[Times]], audio_s: float) -> list[Bar]:
    """Medians over the rounds, and ratios of each round's pair."""

    def per_s(name: str, key: str) -> list[float]:
        return [times["clips"] / times[key] for times in found[name][1:]]

    def ratio(name: str, key: str = "stages_s") -> float:
        # The others take part in the first round alone.
        pairs = zip(per_s("Ray", key), per_s(name, key), strict=False)
        return statistics.median(ours / theirs for ours, theirs in pairs)

    clips = found["Ray"][1]["clips"]
    bars = [Bar("clips in a round", clips, ""), Bar("audio in a round", audio_s / 3600, "h")]
    for name in found:
        bars.append(Bar(f"{name}: start", found[name][0]["start_s"], "s"))
        bars.append(Bar(f"{name}: first clips, workers starting", found[name][0]["first_s"], "s"))
    for name in found:
        bars.append(Bar(f"{name}: stages", statistics.median(per_s(name, "stages_s")), "clips/s"))
        if name != "loader":
            bars.append(Bar(f"{name}: whole", statistics.median(per_s(name, "whole_s")), "clips/s"))
        bars.append(Bar(f"{name}: CPU", statistics.median(1000 / rate for rate in per_s(name, "cpu_s")), "ms a clip"))
    hours = statistics.median(audio_s / times["whole_s"] for times in found["Ray"][1:])
    bars.append(Bar("Ray: whole, hours of audio prepared in an hour", hours, "h"))
    bars.append(Bar("Ray against the pool, stages", ratio("pool"), "x", 0.9, "least"))
    bars.append(Bar("Ray against the pool, whole", ratio("pool", "whole_s"), "x"))
    bars.append(Bar("Ray against the pool, clips for the same CPU time", ratio("pool", "cpu_s"), "x"))
    bars += [Bar(f"Ray against the {name}, stages", ratio(name), "x") for name in list(found)[2:]]
    return bars


def measure(args: argparse.Namespace) -> list[Bar]:
    """All sides over the same recordings."""
    workers = available_cpus()
    per_worker, rounds = (QUICK_CLIPS_PER_WORKER, QUICK_ROUNDS) if args.quick else (CLIPS_PER_WORKER, ROUNDS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest, audio_s = write_corpus(folder, per_worker * workers)
        warm_up, _ = write_corpus(folder, 48 * workers)
        found = race(folder, workers, manifest, warm_up, rounds)
    return bars_of(found, audio_s)


if __name__ == "__main__":
    sys.exit(run("prepare", measure))
