"""Run a stage in the calling process: for tests, and where Ray is not installed or not worth its start-up time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from wakeword.stages.ray_session import available_cpus
from wakeword.stages.stage import Stage


def run_stage(stage: Stage, table: pa.Table, threads: int | None = None) -> Iterator[pa.Table]:
    """Yield the stage's output batch by batch, in the order of the input.

    A stage with `resources.threaded` runs in up to `threads` threads (None: the process's CPUs), any other stage in the
    calling thread.
    """
    if table.num_rows == 0:
        return
    stage.check(table, stage.reads, "input")
    stage.setup()
    size = stage.resources.batch_size
    batches = [table.slice(start, size) for start in range(0, table.num_rows, size)]
    if not stage.resources.threaded:
        for batch in batches:
            yield stage.check(stage(batch), stage.writes, "output")
        return
    with ThreadPoolExecutor(threads or available_cpus()) as pool:
        for done in pool.map(stage, batches):
            yield stage.check(done, stage.writes, "output")
