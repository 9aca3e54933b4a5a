"""Run a stage with Ray Data's `map_batches`: the only file of this room that knows Ray."""

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
"""Tasks that Ray is given for each CPU: a worker that is done finds the next one waiting."""

WAKE_S = 10.0
"""So long a stage waits for its workers' imports; where all CPUs are taken it begins without."""


def run_stage(stage: Stage, table: pa.Table, max_cpus: int | None = None) -> Iterator[pa.Table]:
    """Yield the stage's output as it comes, in any order; Ray must be initialised (`system.ray_session`).

    Stages with an expensive `setup()` run in an actor pool, others as tasks; both are restarted by Ray when a worker
    or a node is lost.

    Args:
        stage: what to run.
        table: its input; `resources.batch_size` rows go into each call.
        max_cpus: CPUs that the stage may hold at a time; None takes what the cluster has.

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
        # Ray warns of a pool that is larger than its input.
        max_cpus = min(max_cpus, math.ceil(len(blocks) * wanted.cpus))
    compute = _actors(stage, len(blocks), max_cpus) if wanted.stateful else _tasks(stage, len(blocks), max_cpus)
    _wake(stage, len(blocks), max_cpus)
    # Not `from_arrow`, which runs a task for each block before the stage, only to learn its schema.
    source = ray.data.from_blocks(blocks)
    if not wanted.stateful:
        # Ray Data would give Ray no more tasks than there are free CPUs, of which it knows one in the first second and
        # looks for others ten times a second. What our tasks return is a few rows: its memory needs no budget.
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

    cpus = min(max_cpus or 1e9, ray.cluster_resources().get("CPU", 1.0))
    most = max(1, min(batches, int(cpus / max(stage.resources.cpus, 1e-3))))
    return ActorPoolStrategy(min_size=1, max_size=most)


def _tasks(stage: Stage, batches: int, max_cpus: int | None) -> Any:
    """A queue of tasks that Ray hands out as CPUs become free; none waits where `max_cpus` is less than there are."""
    from ray.data import TaskPoolStrategy

    most = most_cpus()
    cpus = most if max_cpus is None else min(max_cpus, most)
    slots = max(1, int(cpus / max(stage.resources.cpus, 1e-3)))
    return TaskPoolStrategy(min(batches, QUEUED_PER_CPU * slots if cpus >= most else slots))


def _wake(stage: Stage, batches: int, max_cpus: int | None) -> None:
    """Have idle workers import what the stage needs; else Ray Data's own actors take them and others start anew."""
    import ray

    workers = max(1, int(min(batches, max_cpus or batches, ray.cluster_resources().get("CPU", 1.0))))
    task = ray.remote(num_cpus=1, scheduling_strategy="SPREAD")(_imported)
    held = ray.put(stage)
    ray.wait([task.remote(held) for _ in range(workers)], num_returns=workers, timeout=WAKE_S)


def _imported(_: Stage) -> None:
    import ray.data  # noqa: F401


def _quiet(context: Any) -> None:
    """Our own progress bar counts clips; Ray's counts blocks and fills the terminal.

    Ray would also read the memory map of every worker once a second: `system.resources` measures memory here.
    """
    context.memory_usage_poll_interval_s = None
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _own_error(error: BaseException, stage: Stage) -> WakewordError:
    """The stage's own sentence if it raised one, else what Ray says, in one line.

    Ray wraps an exception in classes of its own making; what reliably survives is the text of the remote traceback.
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
        # Not kind(...): MissingExtraError would put its sentence together again.
        raised.args = (sentence.strip(),)
        return raised
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return RunError(f"stage {stage.name} could not be finished: {lines[-1] if lines else type(error).__name__}")


class _Call:
    """A stage as a task: `setup()` is cheap and runs for each batch."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def __call__(self, table: pa.Table) -> pa.Table:
        self.stage.setup()
        return self.stage(table)


def _worker_class(stage: Stage) -> type:
    """A stage as an actor: `setup()` once.

    The stage travels inside the class, as a task's does.
    """

    class Worker:
        def __init__(self) -> None:
            self.stage = stage
            stage.setup()

        def __call__(self, table: pa.Table) -> pa.Table:
            return self.stage(table)

    return Worker
