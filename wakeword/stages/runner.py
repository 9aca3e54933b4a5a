"""Run stages with Ray Data or in this process, with progress."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal

import pyarrow as pa

from wakeword.config import Config
from wakeword.stages import in_process, ray_data
from wakeword.stages.progress import track_batches
from wakeword.stages.ray_session import ray_session
from wakeword.stages.stage import Stage

Runner = Literal["ray", "local"]
RunStage = Callable[[Stage, pa.Table, str], Iterator[pa.Table]]


def run_stage(stage: Stage, table: pa.Table, runner: Runner, max_cpus: int | None = None) -> Iterator[pa.Table]:
    """Yield the stage's output batch by batch.

    Args:
        stage: the stage to run.
        table: its input.
        runner: `ray` (Ray must be initialised) or `local`.
        max_cpus: largest number of the cluster's CPUs, or of threads of this process for a threaded stage.
    """
    if runner == "local":
        return in_process.run_stage(stage, table, max_cpus)
    return ray_data.run_stage(stage, table, max_cpus)


def session(config: Config, runner: Runner) -> AbstractContextManager[None]:
    """A Ray session if `runner` is `ray`, else a context without effect."""
    return ray_session(config) if runner == "ray" else nullcontext()


@contextmanager
def stage_runner(config: Config, runner: Runner | RunStage, progress: bool | None) -> Iterator[RunStage]:
    """Yield `run(stage, table, title)`; with `ray`, a Ray session is open inside the block.

    Args:
        config: `compute` selects the Ray and the number of its CPUs.
        runner: `ray` (Ray Data), `local` (this process), or a function that runs a stage.
        progress: True displays a bar, False nothing; None a bar on a terminal, and log lines elsewhere.
    """

    def run(stage: Stage, table: pa.Table, title: str) -> Iterator[pa.Table]:
        if callable(runner):
            batches = runner(stage, table, title)
        else:
            batches = run_stage(stage, table, runner, config.compute.data_cpus)
        return track_batches(batches, table.num_rows, title, progress)

    with nullcontext() if callable(runner) else session(config, runner):
        yield run
