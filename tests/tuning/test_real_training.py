"""A sweep over the product's own training: tiny models on synthetic clips."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.synthetic import make_prepared, tiny_config
from wakeword.config import load_config
from wakeword.teachers.targets import make_targets
from wakeword.training.checkpoint import load_trained
from wakeword.training.loop import train
from wakeword.tuning.search import run_sweep


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_sweep_trains_models_and_its_best_config_is_that_of_the_best(tmp_path: Path) -> None:
    prepared = make_prepared(tmp_path / "prepared", words=8)
    config = tiny_config(
        training={"epochs": 2, "steps_per_epoch": 3, "learning_rate": 0.005},
        tuning={
            "trials": 3,
            "metric": "val_loss",
            "grace_epochs": 2,
            "space": {
                "training.learning_rate": {"type": "loguniform", "low": 0.0005, "high": 0.05},
                "model.width": {"type": "choice", "values": [0.5, 1.0]},
            },
        },
    )
    result = run_sweep(config, tmp_path / "sweep", prepared)
    assert [(trial.state, trial.epochs) for trial in result.trials] == [("finished", 2)] * 3, result.trials
    for trial in result.trials:
        lines = [json.loads(line) for line in (trial.run_dir / "metrics.jsonl").read_text().splitlines()]
        assert trial.value == min(line["val_loss"] for line in lines)
        _, trained = load_trained(trial.run_dir)
        assert trained.model.width == trial.values["model.width"]
    best = load_config(result.best_config_path)
    winner = min(result.trials, key=lambda trial: trial.value or 0.0)
    assert best.training.learning_rate == winner.values["training.learning_rate"]
    assert best.model.width == winner.values["model.width"]
    assert best.compute.workers == config.compute.workers


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_trials_train_on_a_teachers_targets(tmp_path: Path) -> None:
    prepared = make_prepared(tmp_path / "prepared", words=8)
    short = {"epochs": 1, "steps_per_epoch": 2}
    train(tiny_config(training=short), prepared, tmp_path / "teacher")
    config = tiny_config(
        training=short,
        distillation={"teacher": str(tmp_path / "teacher"), "views": 1},
        tuning={
            "trials": 1,
            "metric": "val_loss",
            "space": {"distillation.weight": {"type": "uniform", "low": 0.2, "high": 0.8}},
        },
    )
    targets = make_targets(config, prepared, tmp_path / "targets", runner="local")
    result = run_sweep(config, tmp_path / "sweep", prepared, targets)
    assert [trial.state for trial in result.trials] == ["finished"], result.trials
    lines = (result.trials[0].run_dir / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["loss_soft"] > 0, "the loss against the teacher's scores is part of the trial"
