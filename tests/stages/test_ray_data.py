"""Stages by Ray Data: an actor pool for what is expensive to set up, and errors that keep their own sentence."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from tests.data.corpus import config_for
from wakeword.errors import DataError
from wakeword.stages import in_process as local_stage
from wakeword.stages import ray_data as ray_stage
from wakeword.stages.ray_session import ray_session
from wakeword.stages.stage import Stage, StageResources


class Doubling(Stage):
    """Doubles numbers with a factor that only `setup` knows."""

    name = "doubling"
    reads = ("x",)
    writes = ("x",)

    def __init__(self, stateful: bool, refuse: int = -1) -> None:
        self.refuse = refuse
        self.factor = 0
        self.resources = StageResources(cpus=1.0, batch_size=4, stateful=stateful)

    def setup(self) -> None:
        self.factor = 2

    def __call__(self, table: pa.Table) -> pa.Table:
        values = table.column("x").to_pylist()
        if self.refuse in values:
            raise DataError(f"{self.refuse} cannot be doubled: leave it out")
        return pa.table({"x": [self.factor * value for value in values]})


class Forgetful(Doubling):
    """Leaves out a column that it declares."""

    writes = ("x", "y")


class Timed(Stage):
    """Sleeps and reports time and place; writes a file for each unit, and may refuse unit 0."""

    name = "timed"
    reads = ("x",)
    writes = ("worker", "began_s", "ended_s")

    def __init__(self, folder: Path, sleep_s: float, refuses: bool = False) -> None:
        self.folder, self.sleep_s, self.refuses = str(folder), sleep_s, refuses

    def __call__(self, table: pa.Table) -> pa.Table:
        began_s = time.time()
        unit = table.column("x")[0].as_py()
        (Path(self.folder) / str(unit)).touch()
        if self.refuses and unit == 0:
            raise DataError("the first one is refused")
        time.sleep(self.sleep_s)
        return pa.table({"worker": [os.getpid()], "began_s": [began_s], "ended_s": [time.time()]})


def numbers(batches: Iterator[pa.Table]) -> list[int]:
    return sorted(value for batch in batches for value in batch.column("x").to_pylist())


def test_in_this_process() -> None:
    table = pa.table({"x": list(range(10))})
    batches = list(local_stage.run_stage(Doubling(True), table))
    assert [batch.num_rows for batch in batches] == [4, 4, 2]
    assert numbers(iter(batches)) == list(range(0, 20, 2))
    with pytest.raises(ValueError, match="output table lacks"):
        list(local_stage.run_stage(Forgetful(True), table))
    with pytest.raises(ValueError, match="input table lacks"):
        list(local_stage.run_stage(Doubling(True), table.rename_columns(["z"])))
    assert list(local_stage.run_stage(Doubling(True), table.slice(0, 0))) == []


@pytest.mark.ray
def test_by_ray_as_actors_and_as_tasks(capfd: pytest.CaptureFixture[str]) -> None:
    table = pa.table({"x": list(range(10))})
    with ray_session(config_for("unused")):
        for stateful in (True, False):
            assert numbers(ray_stage.run_stage(Doubling(stateful), table, max_cpus=1)) == list(range(0, 20, 2))
        with pytest.raises(DataError, match=r"^7 cannot be doubled: leave it out$"):
            list(ray_stage.run_stage(Doubling(True, refuse=7), table))
    assert "max_restarts" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("batches", "max_cpus", "size"), [(500, None, 32), (500, 4, 32), (500, 9, 32), (500, 2, 2), (3, None, 3), (3, 1, 1)]
)
def test_tasks_wait_in_rays_queue_unless_the_stage_may_take_only_a_part(
    monkeypatch: pytest.MonkeyPatch, batches: int, max_cpus: int | None, size: int
) -> None:
    monkeypatch.setattr(ray_stage, "most_cpus", lambda: 4.0)
    assert ray_stage._tasks(Doubling(False), batches, max_cpus).size == size


@pytest.mark.slow  # counts tenths of seconds: for a machine that does nothing else
@pytest.mark.ray
def test_workers_begin_together_and_never_wait_for_the_next_unit(tmp_path: Path) -> None:
    table = pa.table({"x": list(range(24))})
    with ray_session(config_for("unused"), min_cpus=2):
        for _ in range(2):
            # The second time, when the workers are there.
            batches = list(ray_stage.run_stage(Timed(tmp_path, 0.05), table))
    units: dict[int, list[tuple[float, float]]] = {}
    for batch in batches:
        (row,) = batch.to_pylist()
        units.setdefault(row["worker"], []).append((row["began_s"], row["ended_s"]))
    assert sum(len(times) for times in units.values()) == 24
    starts = sorted(min(times)[0] for times in units.values())
    assert len(starts) >= 2
    assert starts[1] - starts[0] < 0.8, "Ray Data alone would let the second begin after a second"
    gaps = [later[0] - sooner[1] for times in units.values() for sooner, later in pairwise(sorted(times))]
    assert statistics.median(gaps) < 0.06, "Ray Data alone would look for a free worker ten times a second"


@pytest.mark.ray
def test_what_is_queued_does_not_run_after_an_error(tmp_path: Path) -> None:
    with ray_session(config_for("unused")):
        with pytest.raises(DataError, match="the first one is refused"):
            list(ray_stage.run_stage(Timed(tmp_path, 0.5, refuses=True), pa.table({"x": list(range(16))})))
        time.sleep(1.0)
        begun = len(list(tmp_path.iterdir()))
        time.sleep(1.5)
        assert len(list(tmp_path.iterdir())) == begun < 16
