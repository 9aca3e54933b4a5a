"""A trial: one training run in a process of its own, which reports its best value to Tune after every epoch."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wakeword.config import Config, save_config, validate_config
from wakeword.errors import RunError, WakewordError

if TYPE_CHECKING:
    from wakeword.training.targets import TeacherTargets

Report = Callable[[int, Mapping[str, Any]], None]
"""`report(epoch, metrics)`: epoch counts from 1; metrics are those of the epoch's line in `metrics.jsonl`."""

TrainFunction = Callable[[Config, Path, Path, "TeacherTargets | None", Report], None]
"""`train(config, prepared_dir, run_dir, targets, report)`: continues the run in `run_dir` and writes
`metrics.jsonl` there."""

OBJECTIVE, EPOCH, FINISHED, FAILURE, NUMBER = "objective", "epoch", "finished", "failure", "number"


def trial_folder(sweep_dir: Path, number: int) -> Path:
    """The run folder of a trial, the same when it is resumed."""
    return sweep_dir / "trials" / f"trial-{number:04d}"


def train_model(
    config: Config, prepared_dir: Path, run_dir: Path, targets: TeacherTargets | None, report: Report
) -> None:
    """Train a model in this process."""
    from wakeword.training.loop import TrainContext, train

    context = TrainContext(report=lambda line: report(int(line["epoch"]), line))
    train(config, prepared_dir, run_dir, context, targets)


class BestValue:
    """The best value of one metric over a trial's epochs."""

    def __init__(self, metric: str, mode: str) -> None:
        """`mode` is min or max."""
        self.metric = metric
        self.value: float | None = None
        self.epoch = 0
        self._sign = 1.0 if mode == "min" else -1.0

    def add(self, epoch: int, metrics: Mapping[str, Any]) -> None:
        """Add the metrics of one epoch.

        Raises:
            RunError: the metric is not among them.
        """
        self.epoch = max(self.epoch, epoch)
        value = metrics.get(self.metric)
        if self.metric not in metrics or not isinstance(value, int | float | None):
            numbers = sorted(name for name, other in metrics.items() if isinstance(other, int | float))
            raise RunError(
                f"tuning.metric = {self.metric!r} is not a metric of training; it reports: {', '.join(numbers)}"
            )
        if value is None or math.isnan(value):
            return
        if self.value is None or self._sign * value < self._sign * self.value:
            self.value = float(value)


def past_epochs(run_dir: Path) -> list[dict[str, Any]]:
    """Lines of `metrics.jsonl` from an earlier process of this trial; none for a new trial.

    Raises:
        RunError: a line before the last is not JSON (a kill can cut the last line).
    """
    path = run_dir / "metrics.jsonl"
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    epochs = []
    for number, line in enumerate(lines, start=1):
        try:
            epochs.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise RunError(f"{path} line {number} is no JSON: remove {run_dir} and run again") from error
    return epochs


def run_trial(
    sample: dict[str, Any],
    *,
    tree: dict[str, Any],
    prepared_dir: str,
    targets: tuple[str, str] | None,
    sweep_dir: str,
    train_fn: TrainFunction = train_model,
) -> None:
    """The trainable of Tune; `sample` holds the trial's number and its values by dotted key.

    A `WakewordError` is reported as the reason of a failed trial. After any other error Tune starts the trial again, up
    to `compute.max_failures` times.
    """
    from ray import tune

    from wakeword.training.targets import TeacherTargets

    config = validate_config(tree)
    best = BestValue(config.tuning.metric, config.tuning.mode)

    def send(**flags: Any) -> None:
        value = math.nan if best.value is None else best.value
        tune.report({OBJECTIVE: value, EPOCH: best.epoch, **flags})

    def report(epoch: int, metrics: Mapping[str, Any]) -> None:
        best.add(epoch, metrics)
        if best.value is not None:
            send()

    try:
        run_dir = trial_folder(Path(sweep_dir), sample[NUMBER])
        trial_config = configure(config, sample)
        run_dir.mkdir(parents=True, exist_ok=True)
        save_config(trial_config, run_dir / "config.yaml")
        for line in past_epochs(run_dir):
            best.add(int(line["epoch"]), line)
        train_fn(trial_config, Path(prepared_dir), run_dir, TeacherTargets.of(targets), report)
        if best.value is None:
            raise RunError(f"{config.tuning.metric} was never a number in {best.epoch} epochs")
    except WakewordError as error:
        send(**{FAILURE: str(error)})
        return
    send(**{FINISHED: True})


def configure(config: Config, sample: Mapping[str, Any]) -> Config:
    """The config of a trial: the sample's values, a separate name, and training in the trial's process.

    Raises:
        ConfigError: the values are not valid together.
    """
    from wakeword.tuning.space import apply, build_space

    values = {key: dimension.restore(sample[key]) for key, dimension in build_space(config).items()}
    fixed = {"name": f"{config.name}-{sample[NUMBER]:04d}", "compute.workers": 0}
    return apply(config, {**values, **fixed}, where=f"trial {sample[NUMBER]}")
