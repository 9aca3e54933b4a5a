"""Run a stage with Ray Data's `map_batches`."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pyarrow as pa

from wakeword import errors
from wakeword.errors import MissingExtraError, RunError, WakewordError
from wakeword.stages.ray_session import most_cpus
from wakeword.stages.ray_warnings import hidden_lines
from wakeword.stages.stage import Stage

QUEUED_PER_CPU = 8
"""Queued tasks per CPU, so that a free worker has its next task at once."""

WAKE_S = 10.0
"""Longest wait in seconds for the imports of the workers, for example while all CPUs are taken."""


def run_stage(stage: Stage, table: pa.Table, max_cpus: int | None = None) -> Iterator[pa.Table]:
    """Yield the stage's output in any order; Ray must be initialised (`stages.ray_session`).

    Stages with `resources.stateful` run in an actor pool, others as tasks. Ray restarts both when a worker or a node is
    lost.

    Args:
        stage: the stage to run.
        table: its input; each call gets `resources.batch_size` rows.
        max_cpus: largest number of CPUs at a time; None for all CPUs of the cluster.

    Raises:
        WakewordError: raised by the stage itself.
        RunError: Ray could not finish the stage.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("Preparing data with Ray", "train", error) from error
    if table.num_rows == 0:
        return
    stage.check(table, stage.reads, "input")
    _quiet(ray.data.DataContext.get_current())
    wanted = stage.resources
    blocks = [table.slice(i, wanted.batch_size) for i in range(0, table.num_rows, wanted.batch_size)]
    if max_cpus:
        # Ray warns about a pool that is larger than its input.
        max_cpus = min(max_cpus, math.ceil(len(blocks) * wanted.cpus))
    compute = _actors(stage, len(blocks), max_cpus) if wanted.stateful else _tasks(stage, len(blocks), max_cpus)
    _wake(stage, len(blocks), max_cpus)
    # `from_arrow` would run a task for each block only to read its schema.
    source = ray.data.from_blocks(blocks)
    if not wanted.stateful:
        # Otherwise Ray Data submits no more tasks than there are free CPUs, which it polls ten times a second and takes
        # for one in the first second. The tasks return a few rows, so that their memory needs no budget.
        source.context.op_resource_reservation_enabled = False
    data = source.map_batches(
        _worker_class(stage) if wanted.stateful else _Call(stage),
        batch_size=wanted.batch_size,
        batch_format="pyarrow",
        num_cpus=wanted.cpus,
        num_gpus=wanted.gpus or None,
        memory=wanted.memory_bytes,
        compute=compute,
    )
    try:
        with hidden_lines() if wanted.stateful else nullcontext():
            for batch in data.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
                yield stage.check(batch, stage.writes, "output")
    except ray.exceptions.RayError as error:
        raise _own_error(error, stage) from error
    except ray.data.exceptions.UserCodeException as error:
        raise _own_error(error, stage) from error


def _actors(stage: Stage, batches: int, max_cpus: int | None) -> Any:
    import ray
    from ray.data import ActorPoolStrategy

    cluster, wanted = ray.cluster_resources(), stage.resources
    cpus = min(max_cpus or 1e9, cluster.get("CPU", 1.0))
    most = max(1, min(batches, int(cpus / max(wanted.cpus, 1e-3))))
    if wanted.gpus:
        most = max(1, min(most, int(cluster.get("GPU", 0.0) / wanted.gpus)))
    return ActorPoolStrategy(min_size=1, max_size=most)


def _tasks(stage: Stage, batches: int, max_cpus: int | None) -> Any:
    """A queue of tasks; tasks are queued only where `max_cpus` does not limit them."""
    from ray.data import TaskPoolStrategy

    most = most_cpus()
    cpus = most if max_cpus is None else min(max_cpus, most)
    slots = max(1, int(cpus / max(stage.resources.cpus, 1e-3)))
    return TaskPoolStrategy(min(batches, QUEUED_PER_CPU * slots if cpus >= most else slots))


def _wake(stage: Stage, batches: int, max_cpus: int | None) -> None:
    """Have idle workers import Ray Data; otherwise its own actors take them and other workers start anew."""
    import ray

    workers = max(1, int(min(batches, max_cpus or batches, ray.cluster_resources().get("CPU", 1.0))))
    task = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(_imported)
    held = ray.put(stage)
    ray.wait([task.remote(held) for _ in range(workers)], num_returns=workers, timeout=WAKE_S)


def _imported(_: Stage) -> None:
    import ray.data  # noqa: F401


def _quiet(context: Any) -> None:
    """Switch off Ray Data's progress bars, which count blocks, and its polling of the workers' memory maps.

    `stages.progress` counts clips, and `system.resources` measures memory.
    """
    context.memory_usage_poll_interval_s = None
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _own_error(error: BaseException, stage: Stage) -> WakewordError:
    """The stage's own error if it raised one, else a `RunError` with the last line of Ray's error.

    Ray wraps exceptions in generated classes; only the text of the remote traceback is reliable.
    """
    text = str(error)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, WakewordError):
            text = f"{text}\n{type(cause).__module__}.{type(cause).__name__}: {cause}"
        cause = cause.__cause__
    own = re.findall(r"wakeword\.errors\.(\w+): (.+)", text)
    if own:
        name, sentence = own[-1]
        kind = getattr(errors, name)
        raised: WakewordError = kind.__new__(kind)
        # Without `__init__`, since MissingExtraError composes its message there.
        raised.args = (sentence.strip(),)
        return raised
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return RunError(f"stage {stage.name} could not be finished: {lines[-1] if lines else type(error).__name__}")


class _Call:
    """A stage as a task; `setup()` is cheap and runs for each batch."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def __call__(self, table: pa.Table) -> pa.Table:
        self.stage.setup()
        return self.stage(table)


def _worker_class(stage: Stage) -> type:
    """A stage as an actor, whose `setup()` runs once; the class carries the stage to the workers."""

    class Worker:
        def __init__(self) -> None:
            self.stage = stage
            stage.setup()

        def __call__(self, table: pa.Table) -> pa.Table:
            return self.stage(table)

    return Worker
