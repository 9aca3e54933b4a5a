"""What commands print: tables, the next command, a bar over epochs. Plain text where rich is not installed."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wakeword.config import Config


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on standard output; numbers are the caller's to format."""
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        with contextlib.suppress(ImportError):
            from rich.console import Console
            from rich.table import Table
            from rich.text import Text

            table = Table(title=title, title_justify="left", header_style="bold")
            for column in columns:
                table.add_column(column)
            for row in cells:
                # Text: brackets in paths and reasons are no markup.
                table.add_row(*(Text(cell) for cell in row))
            Console().print(table)
            return
    print(plain_table(title, columns, cells))


def plain_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same table as text with aligned columns, for files, pipes and core installs."""
    lines = [list(columns), *[list(row) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([f"\n{title}", *text])


def print_next(*commands: str) -> None:
    """What to type next."""
    print("\nnext:", *(f"  {command}" for command in commands), sep="\n")


def print_peak(gib: float) -> None:
    """The memory that the command needed at most, over all its processes."""
    print(f"\npeak memory {gib:.2f} GiB (all processes of this command)")


@contextmanager
def status(text: str) -> Iterator[None]:
    """A spinner with the elapsed time while one step runs, on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield
        return
    try:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    except ImportError:
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(text, total=None)
        yield


@contextmanager
def epoch_bar(config: Config, run_dir: Path, interval_s: float = 0.5) -> Iterator[None]:
    """A bar over epochs, read from the run's metrics.jsonl: it works wherever the workers are."""
    if not sys.stderr.isatty():
        yield
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        yield
        return
    stopping = threading.Event()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("training", total=config.training.epochs)

        def watch() -> None:
            while not stopping.wait(interval_s):
                last = last_metrics(run_dir / "metrics.jsonl")
                if last:
                    shown = (
                        f"training, val_frr {last['val_frr']:.3f}" if last.get("val_frr") is not None else "training"
                    )
                    progress.update(task, completed=last["epoch"], description=shown)

        thread = threading.Thread(target=watch, name="wakeword-epochs", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()


def last_metrics(path: Path) -> dict[str, float] | None:
    """The last complete line of a metrics.jsonl that another process may be writing."""
    if not path.is_file():
        return None
    for line in reversed(path.read_text(encoding="utf-8").splitlines()):
        with contextlib.suppress(json.JSONDecodeError):
            return json.loads(line)
    return None
