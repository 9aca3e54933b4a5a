"""Section `tuning`: sampling, early stopping, and the trials that Ray Tune gets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from tests.config.effects.effect import Effect, Effects, Observe, check, falls, rises, shared_folder
from tests.tuning.objectives import prepared_folder
from wakeword.config import Config

pytest.importorskip("ray.tune", reason="the extra [train] is not installed")
import ray.tune

from wakeword.tuning import search
from wakeword.tuning.space import build_space
from wakeword.tuning.study import Asha, StudySearch, open_study
from wakeword.tuning.trial import run_trial

KEY = "augmentation.gain_db.0"
START = -19.0
"""Of the searched key: outside every range below, so that all trials are drawn."""


def space(**range_: Any) -> dict[str, Any]:
    """A search over one key; `range_` changes its range of -10 to -2."""
    found = {"type": "uniform", "low": -10.0, "high": -2.0, **range_}
    return {"tuning.space": {KEY: found}, "augmentation.gain_db": [START, 6.0]}


CHOICE = space(type="choice", low=None, high=None, values=[-4.0, -3.0])
EPOCHS = {"training.epochs": 9}


def drawn(pick: Callable[[list[float]], Any]) -> Observe:
    """Of the first five values that the study draws."""

    def observe(config: Config, folder: Path) -> Any:
        dimensions = build_space(config)
        searching = StudySearch(config, open_study(config, folder, dimensions), dimensions)
        values = []
        for number in range(5):
            sample = searching.suggest(str(number))
            assert sample is not None
            values.append(sample[KEY])
        return pick(values)

    return observe


def stopped(config: Config, folder: Path) -> int:
    """In which epoch a trial ends that is worse than the one before it; 0: never."""
    asha = Asha(config, [])
    for name, value in (("good", 0.1), ("bad", 0.9)):
        trial: Any = SimpleNamespace(trial_id=name)
        asha.on_trial_add(None, trial)  # type: ignore[arg-type]
        for epoch in range(1, 10):
            decision = asha.on_trial_result(None, trial, {"objective": value, "epoch": epoch, "time_total_s": 1.0})  # type: ignore[arg-type]
            if decision == Asha.STOP:
                return epoch
    return 0


def late(config: Config, folder: Path) -> int:
    """In which epoch a trial ends that becomes worse after its first epoch."""
    asha = Asha(config, [])
    for name, values in (("good", [0.1] * 9), ("late", [0.05, *[0.9] * 8])):
        trial: Any = SimpleNamespace(trial_id=name)
        asha.on_trial_add(None, trial)  # type: ignore[arg-type]
        for epoch, value in enumerate(values, start=1):
            decision = asha.on_trial_result(None, trial, {"objective": value, "epoch": epoch, "time_total_s": 1.0})  # type: ignore[arg-type]
            if decision == Asha.STOP:
                return epoch
    return 0


def objective(config: Config, folder: Path) -> float:
    """What a trial of three epochs reports to Tune in the end."""
    reports: list[dict[str, Any]] = []

    def trained(trial: Config, prepared: Path, run_dir: Path, targets: Any, report: Any) -> None:
        for epoch, value in enumerate((0.5, 0.2, 0.3), start=1):
            report(epoch, {"val_frr": value, "val_eer": value / 10})

    names = ("prepared_dir", "sweep_dir")
    folders: dict[str, Any] = {name: str(folder) for name in names}
    sample = {"number": 0, KEY: -5.0}
    with mock.patch.object(ray.tune, "report", reports.append):
        run_trial(sample, tree=config.model_dump(mode="json"), targets=None, train_fn=trained, **folders)
    return reports[-1]["objective"]


class Tuned(Exception):
    """Ray Tune would run the trials now."""


@cache
def prepared() -> Path:
    return prepared_folder(shared_folder("sweep") / "prepared")


def requested(what: str) -> Observe:
    """What is requested of Ray Tune: `trials`, `at_once`, or of each trial `cpu` or `gpu`."""

    def observe(config: Config, folder: Path) -> Any:
        def tuner(trainable: Any, *, tune_config: Any, run_config: Any) -> Any:
            share = trainable._resources.required_resources
            found = {"trials": tune_config.num_samples, "at_once": tune_config.max_concurrent_trials}
            raise Tuned({**found, "cpu": share.get("CPU", 0), "gpu": share.get("GPU", 0)}[what])

        with (
            mock.patch.object(search, "ray_session", return_value=nullcontext()),
            mock.patch.object(ray.tune, "Tuner", tuner),
            pytest.raises(Tuned) as caught,
        ):
            search.run_sweep(config, folder, prepared())
        return caught.value.args[0]

    return observe


CLUSTER = {**space(), "compute.ray_address": "cluster:6379", "compute.device": "cpu"}

EFFECTS: Effects = {
    "tuning.trials": Effect(requested("trials"), 30, given=CLUSTER, holds=rises),
    "tuning.max_concurrent": Effect(requested("at_once"), 4, given=CLUSTER, holds=rises),
    "tuning.cpus_per_trial": Effect(requested("cpu"), 2, given=CLUSTER, holds=rises),
    "tuning.gpus_per_trial": Effect(requested("gpu"), 0.5, given=CLUSTER, holds=rises),
    "tuning.metric": Effect(objective, "val_eer", given=space(), holds=falls),
    "tuning.mode": Effect(objective, "max", given=space(), holds=rises),
    "tuning.grace_epochs": Effect(stopped, 3, 1, EPOCHS, rises),
    "tuning.reduction_factor": Effect(late, 4, 2, {**EPOCHS, "tuning.grace_epochs": 1}, rises),
    "tuning.seed": Effect(drawn(list), 1, given=space()),
    "tuning.space.*.low": Effect(drawn(min), -4.0, given=space(), holds=rises),
    "tuning.space.*.high": Effect(drawn(max), -8.0, given=space(), holds=falls),
    "tuning.space.*.type": Effect(drawn(list), "int", given=space()),
    "tuning.space.*.values": Effect(drawn(max), [-9.0, -8.0], given=CHOICE, holds=falls),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_the_field_has_its_effect(name: str) -> None:
    check(name, EFFECTS[name])
