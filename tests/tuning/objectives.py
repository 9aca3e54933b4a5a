"""A small real objective for sweeps: linear regression by gradient descent in numpy, with checkpoints of its own.

It stands in for the training room where a test is about the sweep, and keeps that room's contract: it resumes from its
run folder and leaves a line per epoch in `metrics.jsonl`. Files in the prepared folder steer it: `slow` holds seconds
per epoch, `fail_above` and `die_above` a learning rate above which a trial raises, or its process ends at once.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np

from wakeword.config import Config
from wakeword.errors import RunError
from wakeword.system.files import write_json
from wakeword.training.targets import TeacherTargets
from wakeword.tuning.trial import Report


def prepared_folder(path: Path, **settings: float) -> Path:
    """A folder that the sweep takes for prepared clips, with the objective's settings."""
    path.mkdir(parents=True)
    write_json(path / "index.json", {"clips": 0})
    for name, value in settings.items():
        (path / name).write_text(str(value))
    return path


def _setting(folder: Path, name: str, default: float) -> float:
    path = folder / name
    return float(path.read_text()) if path.is_file() else default


def regress(config: Config, prepared_dir: Path, run_dir: Path, targets: TeacherTargets | None, report: Report) -> None:
    """Fit 8 weights; `val_frr` is the squared error after each epoch, `val_auc` falls with it."""
    import ray

    training = config.training
    with (run_dir / "starts.jsonl").open("a") as starts:
        resources = ray.get_runtime_context().get_assigned_resources()
        starts.write(json.dumps({"at": time.time(), "resources": resources, "rate": training.learning_rate}) + "\n")
    if training.learning_rate > _setting(prepared_dir, "fail_above", float("inf")):
        raise RunError(f"the loss is nan: lower training.learning_rate (now {training.learning_rate:g})")
    if training.learning_rate > _setting(prepared_dir, "die_above", float("inf")):
        os._exit(11)
    generator = np.random.default_rng(training.seed)
    truth = generator.normal(size=8)
    inputs = generator.normal(size=(64, 8))
    state = run_dir / "state.json"
    saved = json.loads(state.read_text()) if state.is_file() else {"epoch": 0, "weights": [0.0] * 8}
    weights = np.array(saved["weights"])
    for epoch in range(saved["epoch"] + 1, training.epochs + 1):
        time.sleep(_setting(prepared_dir, "slow", 0.0))
        weights -= training.learning_rate * 2 * inputs.T @ (inputs @ (weights - truth)) / len(inputs)
        error = float(np.square(weights - truth).mean())
        write_json(state, {"epoch": epoch, "weights": weights.tolist()})
        line = {"epoch": epoch, "val_frr": error, "val_auc": -error, "val_eer": None}
        with (run_dir / "metrics.jsonl").open("a") as metrics:
            metrics.write(json.dumps(line) + "\n")
        report(epoch, line)
    with (run_dir / "starts.jsonl").open("a") as starts:
        starts.write(json.dumps({"ended": time.time()}) + "\n")
