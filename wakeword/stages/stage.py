"""What a stage of the data work is: plain Python over Arrow tables that knows nothing of Ray."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class StageResources:
    """What one worker of a stage wants."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory_bytes: int | None = None
    batch_size: int = 1
    """Rows per call."""
    stateful: bool = False
    """True: `setup()` is expensive (a model), so workers are kept (an actor pool); False: one task per batch."""
    threaded: bool = False
    """True: calls hold no state and work outside Python's lock, so one process may make several at a time."""


class Stage:
    """Base of all stages.

    Attributes:
        name: for progress bars and quarantine rows.
        reads: columns that the input table must have.
        writes: columns that the output table has; rows that failed carry a `reason`.
        resources: what one worker wants.

    A stage is made once in the driver and copied to the workers: its attributes must be plain values.
    """

    name: str = "stage"
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    resources: StageResources = StageResources()

    def setup(self) -> None:
        """Load what the worker keeps; called once per worker before the first call."""

    def __call__(self, table: pa.Table) -> pa.Table:
        """Work on one batch of rows."""
        raise NotImplementedError

    def check(self, table: pa.Table, columns: tuple[str, ...], side: str) -> pa.Table:
        """Return `table` if it has the declared columns; a defect of the stage otherwise."""
        absent = [name for name in columns if name not in table.column_names]
        if absent:
            raise ValueError(f"stage {self.name}: {side} table lacks columns {absent}, has {table.column_names}")
        return table
