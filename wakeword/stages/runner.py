"""Where stages run: in Ray Data or in this process, with a bar; preparation and mining choose here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Literal

import pyarrow as pa

from wakeword.config import Config
from wakeword.stages import in_process as local_stage
from wakeword.stages import ray_data as ray_stage
from wakeword.stages.progress import with_bar
from wakeword.stages.stage import Stage

Runner = Literal["ray", "local"]
RunStage = Callable[[Stage, pa.Table, str], Iterator[pa.Table]]


@contextmanager
def stage_runner(config: Config, runner: Runner | RunStage, progress: bool | None) -> Iterator[RunStage]:
    """Yield `run(stage, table, title)`; with `ray`, a Ray session is open inside the block.

    Args:
        config: `compute` decides which Ray, and how many of its CPUs.
        runner: `ray` (Ray Data), `local` (this process), or a function that runs a stage.
        progress: show a bar; None shows one on a terminal.
    """
    visible = sys.stderr.isatty() if progress is None else progress

    def run(stage: Stage, table: pa.Table, title: str) -> Iterator[pa.Table]:
        if callable(runner):
            batches = runner(stage, table, title)
        elif runner == "local":
            batches = local_stage.run_stage(stage, table)
        else:
            batches = ray_stage.run_stage(stage, table, config.compute.data_cpus)
        return with_bar(batches, table.num_rows, title, visible)

    with ExitStack() as stack:
        if runner == "ray":
            from wakeword.stages.ray_session import ray_session

            stack.enter_context(ray_session(config))
        yield run
