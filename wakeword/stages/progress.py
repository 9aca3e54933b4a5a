"""The bar of a running stage: units done, clips and hours of audio per second, time left."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pyarrow as pa


class Rate:
    """Clips and audio per second of work, by the columns `rows`, `clips_done` and `duration_s` of a stage's batches."""

    def __init__(self) -> None:
        self.clips = 0
        self.audio_s = 0.0
        self._started_s = time.monotonic()

    def add(self, batch: pa.Table) -> None:
        """Count a batch."""
        for name in ("rows", "clips_done"):
            if name in batch.column_names:
                self.clips += sum(batch.column(name).to_pylist())
        if "duration_s" in batch.column_names:
            self.audio_s += sum(value or 0.0 for value in batch.column("duration_s").to_pylist())

    def text(self, now_s: float | None = None) -> str:
        """`120 clips/s, 0.02 h of audio/s`, or what of it is known."""
        elapsed_s = max(1e-3, (time.monotonic() if now_s is None else now_s) - self._started_s)
        parts = [f"{self.clips / elapsed_s:.0f} clips/s"] if self.clips else []
        if self.audio_s:
            parts.append(f"{self.audio_s / 3600 / elapsed_s:.3g} h of audio/s")
        return ", ".join(parts)


def with_bar(batches: Iterator[pa.Table], total: int, title: str, visible: bool) -> Iterator[pa.Table]:
    """Yield the batches; `visible` shows a bar on the terminal's error stream."""
    if not visible or not total:
        yield from batches
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    rate = Rate()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, rate="")
        for batch in batches:
            rate.add(batch)
            bar.update(task, advance=batch.num_rows, rate=rate.text())
            yield batch
