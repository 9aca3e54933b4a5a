"""The interface of a stage: plain Python over Arrow tables, independent of Ray."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class StageResources:
    """Resources of one worker of a stage."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory_bytes: int | None = None
    batch_size: int = 1
    """Rows per call."""
    stateful: bool = False
    """True: `setup()` is expensive (a model), so that workers are kept (an actor pool). False: one task per batch."""
    threaded: bool = False
    """True: calls keep no state and release the GIL, so that several threads may call the stage."""


class Stage:
    """Base of all stages.

    Attributes:
        name: in progress bars and quarantine rows.
        reads: required columns of the input table.
        writes: columns of the output table; failed rows have a `reason`.
        resources: of one worker.

    A stage is created in the driver and copied to the workers, so that its attributes must be plain values.
    """

    name: str = "stage"
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    resources: StageResources = StageResources()

    def setup(self) -> None:
        """Load the state of a worker; called once per worker before the first call."""

    def __call__(self, table: pa.Table) -> pa.Table:
        """Process one batch of rows."""
        raise NotImplementedError

    def check(self, table: pa.Table, columns: tuple[str, ...], side: str) -> pa.Table:
        """Return `table` if it has the declared columns.

        Raises:
            ValueError: columns are missing, which is a defect of the stage.
        """
        absent = [name for name in columns if name not in table.column_names]
        if absent:
            raise ValueError(f"stage {self.name}: {side} table lacks columns {absent}, has {table.column_names}")
        return table
