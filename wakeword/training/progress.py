"""The progress of a training that runs in other processes, read from its metrics.jsonl, and its last figures."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wakeword.config import Config
    from wakeword.training.loop import TrainResult


@contextmanager
def epoch_bar(config: Config, run_dir: Path, interval_s: float = 0.5) -> Iterator[None]:
    """A bar over epochs, read from the run's metrics.jsonl: it works wherever the workers are."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    stopping = threading.Event()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("training", total=config.training.epochs)

        def watch() -> None:
            while not stopping.wait(interval_s):
                if last := last_metrics(run_dir / "metrics.jsonl"):
                    rate = last.get("val_frr")
                    text = "training" if rate is None else f"training, val_frr {rate:.3f}"
                    progress.update(task, completed=last["epoch"], description=text)

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


def training_figures(result: TrainResult) -> list[tuple[str, str, str]]:
    """A row per metric of a finished run: its name, the best epoch's figure (empty if none), the last epoch's."""

    def text(figure: Any) -> str:
        return f"{figure:.5g}" if isinstance(figure, float) else str(figure)

    return [(name, text(result.best.get(name, "")), text(last)) for name, last in result.metrics.items()]
