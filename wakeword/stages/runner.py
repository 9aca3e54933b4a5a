"""Where stages run: in Ray Data or in this process, with a progress bar. Every room chooses here."""

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
    """Yield the stage's output batch by batch: the one choice between Ray Data and this process.

    Args:
        stage: what to run.
        table: its input.
        runner: `ray` (Ray must be initialised) or `local`.
        max_cpus: CPUs of the cluster, or threads of this process for a stage that may be called from several.
    """
    if runner == "local":
        return in_process.run_stage(stage, table, max_cpus)
    return ray_data.run_stage(stage, table, max_cpus)


def session(config: Config, runner: Runner) -> AbstractContextManager[None]:
    """A Ray session where `runner` is `ray`, else nothing."""
    return ray_session(config) if runner == "ray" else nullcontext()


@contextmanager
def stage_runner(config: Config, runner: Runner | RunStage, progress: bool | None) -> Iterator[RunStage]:
    """Yield `run(stage, table, title)`; with `ray`, a Ray session is open inside the block.

    Args:
        config: `compute` decides which Ray, and how many of its CPUs.
        runner: `ray` (Ray Data), `local` (this process), or a function that runs a stage.
        progress: True shows a bar, False nothing; None a bar on a terminal, and lines in the log elsewhere.
    """

    def run(stage: Stage, table: pa.Table, title: str) -> Iterator[pa.Table]:
        if callable(runner):
            batches = runner(stage, table, title)
        else:
            batches = run_stage(stage, table, runner, config.compute.data_cpus)
        return track_batches(batches, table.num_rows, title, progress)

    with nullcontext() if callable(runner) else session(config, runner):
        yield run
