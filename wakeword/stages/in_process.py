"""Run a stage in the calling process: for tests, and where Ray is not installed or would cost more than it saves."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from wakeword.stages.ray_session import available_cpus
from wakeword.stages.stage import Stage


def run_stage(stage: Stage, table: pa.Table, threads: int | None = None) -> Iterator[pa.Table]:
    """Yield the stage's output batch by batch, in the order of the input.

    `threads` bounds the threads of a stage whose `resources.threaded` is set (None: the process's CPUs); any other
    stage is called from this thread alone.
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
