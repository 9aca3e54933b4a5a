"""What a run leaves behind while it trains: metrics.jsonl, TensorBoard scalars, Weights & Biases, a progress bar."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wakeword.config import Config
from wakeword.errors import MissingExtraError
from wakeword.system.files import write_text


class RunTracker:
    """Writes each epoch's metrics to every place that the config asks for."""

    def __init__(self, config: Config, run_dir: Path) -> None:
        self.path = Path(run_dir) / "metrics.jsonl"
        self.config = config
        self._board: Any = None
        self._wandb: Any = None

    def open(self, epoch: int, last: dict[str, Any]) -> None:
        """Start, or continue after `epoch`: lines of epochs that were lost are dropped, a missing last one is added."""
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
        """Flush and end; safe to call twice."""
        if self._board is not None:
            self._board.close()
            self._board = None
        if self._wandb is not None:
            self._wandb.finish()
            self._wandb = None


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Lines of a metrics.jsonl; a last line cut off by a crash is left out."""
    if not path.is_file():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return lines


def progress(steps: Iterable[int], title: str, visible: bool) -> Iterable[int]:
    """A progress bar on a terminal; nothing anywhere else."""
    from tqdm import tqdm

    return tqdm(steps, desc=title, leave=False, disable=None if visible else True, unit="step")
