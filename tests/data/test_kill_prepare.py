"""`wakeword prepare` on real recordings, killed at random moments with all its processes: the same bytes after all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest

from tests.data.corpus import config_for
from wakeword.config import Config, save_config

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(1800)]

POINTS = 20
EVERY = 16
"""Of the recordings' manifest every so many rows are prepared: 206 clips of all kinds."""


@dataclass
class Undisturbed:
    """The command's config and what it writes when nobody interferes."""

    config: Path
    files: dict[str, bytes]
    clips: int

    def command(self, runs_dir: Path) -> list[str]:
        """The command line, as a user types it."""
        wakeword = "import sys; sys.argv[0] = 'wakeword'; from wakeword.cli.main import main; sys.exit(main())"
        return [sys.executable, "-c", wakeword, "prepare", str(self.config), f"runs_dir={runs_dir}"]

    def start(self, runs_dir: Path) -> subprocess.Popen[bytes]:
        """The command in a process group of its own."""
        # Ray's workers at its low default priority would get nothing on a busy machine, and the test no end.
        environment = os.environ | {"RAY_worker_niceness": "0"}
        log = (runs_dir.parent / f"{runs_dir.name}.log").open("ab")
        with log:
            command = self.command(runs_dir)
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)


def written(runs_dir: Path) -> dict[str, bytes]:
    """Every file of the prepared folder, without what a killed process left under a temporary name."""
    (prepared,) = runs_dir.glob("prepared-*")
    found = (path for path in prepared.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(prepared)): path.read_bytes() for path in sorted(found)}


def units(runs_dir: Path) -> int:
    """Finished units of work so far: fingerprints and receipts of shards."""
    return len(list(runs_dir.glob("prepared-*/fingerprints/*.parquet"))) + len(
        list(runs_dir.glob("prepared-*/shards/*.json"))
    )


def wait_for(process: subprocess.Popen[bytes], runs_dir: Path, wanted: int) -> None:
    """Return once so many units are finished, or the process has ended."""
    deadline_s = time.monotonic() + 600
    while process.poll() is None and units(runs_dir) < wanted:
        assert time.monotonic() < deadline_s, f"{units(runs_dir)} of {wanted} units after ten minutes"
        time.sleep(0.005)


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL the process group, and Ray's daemons and workers, which have groups of their own."""
    tree = [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in tree:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    process.wait()
    psutil.wait_procs(tree, timeout=30)


def small_config(recordings: Path, folder: Path) -> Config:
    lines = (recordings / "manifest.csv").read_text().splitlines()
    manifest = folder / "some.csv"
    manifest.write_text("\n".join([lines[0], *(f"{recordings}/{line}" for line in lines[1::EVERY])]) + "\n")
    return config_for(manifest, label="computer", data={"shard_mb": 1.0})


@pytest.fixture(scope="module")
def undisturbed(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    save_config(small_config(recordings, folder), folder / "config.yaml")
    found = Undisturbed(folder / "config.yaml", {}, 0)
    assert found.start(folder / "runs").wait(timeout=1500) == 0, (folder / "runs.log").read_text()
    found.files = written(folder / "runs")
    (prepared,) = (folder / "runs").glob("prepared-*")
    ids = pq.read_table(prepared / "manifest.parquet").column("clip_id").to_pylist()
    assert len(set(ids)) == len(ids) > 150
    assert len([name for name in found.files if name.endswith(".arrow")]) > 15, "enough writes to be killed between"
    return found


@pytest.mark.parametrize("point", range(POINTS))
def test_killed_at_a_random_moment_the_same_command_ends_with_the_same_bytes(
    undisturbed: Undisturbed, tmp_path: Path, point: int
) -> None:
    draw = np.random.default_rng([point, 5])
    runs_dir = tmp_path / "runs"
    total = len([name for name in undisturbed.files if name.startswith("fingerprints") or name.endswith(".json")]) - 1
    process = undisturbed.start(runs_dir)
    # Moments are defined by finished files plus a random time: seconds alone mean little on a busy machine.
    wait_for(process, runs_dir, int(draw.uniform(0, total)))
    time.sleep(draw.uniform(0.0, 0.2))
    killed = process.poll() is None
    kill_all(process)
    interrupted = written(runs_dir) if list(runs_dir.glob("prepared-*")) else {}
    assert killed or interrupted == undisturbed.files, "only a run that was done may end by itself"
    for name in interrupted.keys() & undisturbed.files.keys():
        assert interrupted[name] == undisturbed.files[name], f"{name} has its name and is not whole"
    assert "index.json" not in interrupted or interrupted == undisturbed.files, "what looks complete must be complete"
    again = undisturbed.start(runs_dir)
    assert again.wait(timeout=900) == 0, (tmp_path / "runs.log").read_text()
    files = written(runs_dir)
    assert files.keys() == undisturbed.files.keys()
    different = [name for name in files if files[name] != undisturbed.files[name]]
    assert not different
    assert not list(runs_dir.glob("prepared-*/shards/.*")), "half-written shards are cleared away"
    print(f"point {point}: killed with {len(interrupted)} of {len(files)} files written")


def test_a_killed_worker_costs_nothing_but_time(undisturbed: Undisturbed, tmp_path: Path) -> None:
    runs_dir = tmp_path / "runs"
    process = undisturbed.start(runs_dir)
    killed = 0
    try:
        wait_for(process, runs_dir, 4)
        deadline_s = time.monotonic() + 60
        while not killed and time.monotonic() < deadline_s and process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                    if not killed and " ".join(child.cmdline()).startswith("ray::MapBatches"):
                        child.kill()
                        killed += 1
            time.sleep(0.005)
        assert process.wait(timeout=900) == 0, (tmp_path / "runs.log").read_text()
    finally:
        kill_all(process)
    assert killed == 1, "a worker was at work when it was looked for"
    assert written(runs_dir) == undisturbed.files
