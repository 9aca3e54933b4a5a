"""Stages by Ray Data: an actor pool for what is expensive to set up, and errors that keep their own sentence."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

from tests.data.corpus import config_for
from wakeword.data import local_stage, ray_stage
from wakeword.data.stage import Stage, StageResources
from wakeword.errors import DataError
from wakeword.system.ray_session import ray_session


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
def test_by_ray_as_actors_and_as_tasks() -> None:
    table = pa.table({"x": list(range(10))})
    with ray_session(config_for("unused")):
        for stateful in (True, False):
            assert numbers(ray_stage.run_stage(Doubling(stateful), table, max_cpus=1)) == list(range(0, 20, 2))
        with pytest.raises(DataError, match=r"^7 cannot be doubled: leave it out$"):
            list(ray_stage.run_stage(Doubling(True, refuse=7), table))
