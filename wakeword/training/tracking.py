"""Metrics of a training run: metrics.jsonl, TensorBoard, Weights & Biases, and progress lines."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wakeword.config import Config
from wakeword.errors import MissingExtraError
from wakeword.stages.progress import Progress, polled
from wakeword.system.files import write_text


class RunTracker:
    """Writes each epoch's metrics to metrics.jsonl and to the trackers of section `tracking`."""

    def __init__(self, config: Config, run_dir: Path) -> None:
        self.path = Path(run_dir) / "metrics.jsonl"
        self.config = config
        self._board: Any = None
        self._wandb: Any = None

    def open(self, epoch: int, last: dict[str, Any]) -> None:
        """Start, or continue after `epoch`: remove lines of later epochs and add `last` where it is missing."""
        lines = [line for line in read_metrics(self.path) if line["epoch"] <= epoch]
        if last and (not lines or lines[-1]["epoch"] < last["epoch"]):
            lines.append(last)
        write_text(self.path, "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines))
        if self.config.tracking.tensorboard:
            from tensorboardX import SummaryWriter

            self._board = SummaryWriter(
                str(self.path.parent / "tensorboard"), purge_step=epoch + 1, filename_suffix=f".{epoch}"
            )
        if self.config.tracking.wandb_project:
            self._wandb = self._open_wandb()

    def _open_wandb(self) -> Any:
        try:
            import wandb
        except ImportError as error:
            raise MissingExtraError("tracking.wandb_project", "tracking", error) from error
        identity = hashlib.sha256(str(self.path.parent.resolve()).encode()).hexdigest()[:16]
        return wandb.init(
            project=self.config.tracking.wandb_project,
            name=self.config.name,
            id=identity,
            resume="allow",
            dir=str(self.path.parent),
            config=self.config.model_dump(mode="json"),
        )

    def epoch(self, metrics: dict[str, Any]) -> None:
        """Append one epoch's metrics."""
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(metrics, allow_nan=False) + "\n")
        numbers = {k: v for k, v in metrics.items() if isinstance(v, int | float) and math.isfinite(v)}
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(name, value, metrics["epoch"])
            self._board.flush()
        if self._wandb is not None:
            self._wandb.log(numbers, step=metrics["epoch"])

    def close(self) -> None:
        """Flush and close; may be called twice."""
        if self._board is not None:
            self._board.close()
            self._board = None
        if self._wandb is not None:
            self._wandb.finish()
            self._wandb = None


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Lines of a metrics.jsonl, up to the first that is no JSON (a crash can cut the last line)."""
    if not path.is_file():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return lines


@contextmanager
def watch_epochs(path: Path, epochs: int, interval_s: float = 0.5) -> Iterator[None]:
    """Print the epochs of workers that append to `path` (metrics.jsonl on shared storage)."""
    with Progress("training", epochs, "epochs", tenths=False) as progress:
        seen = max((line["epoch"] for line in read_metrics(path)), default=0)
        progress.start_at(seen)

        def read(progress: Progress) -> None:
            nonlocal seen
            for line in read_metrics(path):
                if line["epoch"] > seen:
                    seen = line["epoch"]
                    progress.to(seen, text=epoch_text(line))
                    progress.line(f"epoch {seen} of {epochs}, {epoch_text(line)}")

        with polled(progress, read, interval_s):
            yield


def epoch_text(metrics: dict[str, Any]) -> str:
    """Loss, `val_frr` and clips per second of an epoch, as text."""
    frr = metrics.get("val_frr")
    validation = "no validation" if frr is None else f"val_frr {frr:.4f}"
    return f"loss {metrics['loss']:.4f}, {validation}, {metrics['clips_per_s']:.0f} clips/s"
