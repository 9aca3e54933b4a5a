"""Run a stage in the calling process: for tests, and where Ray is not installed."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from wakeword.stages.stage import Stage


def run_stage(stage: Stage, table: pa.Table) -> Iterator[pa.Table]:
    """Yield the stage's output batch by batch, in the order of the input."""
    if table.num_rows == 0:
        return
    stage.check(table, stage.reads, "input")
    stage.setup()
    for start in range(0, table.num_rows, stage.resources.batch_size):
        batch = table.slice(start, stage.resources.batch_size)
        yield stage.check(stage(batch), stage.writes, "output")
