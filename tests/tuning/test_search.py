"""Whole sweeps on a real Ray: what they leave, what ends early, what fails, what a killed driver costs."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.tuning.objectives import prepared_folder, regress
from wakeword.config import Config, load_config, save_config, validate_config
from wakeword.errors import ConfigError, DataError, DeviceError, RunError
from wakeword.tuning.search import run_sweep

ROOT = Path(__file__).resolve().parents[2]
RATES = {"training.learning_rate": {"type": "loguniform", "low": 1e-3, "high": 1.0}}


def sweep_config(tmp_path: Path, epochs: int = 4, compute: dict[str, Any] | None = None, **tuning: Any) -> Config:
    tuning = {"trials": 4, "space": RATES, "cpus_per_trial": 1, "max_concurrent": 2, **tuning}
    return validate_config(
        {
            "name": "sweep",
            "runs_dir": str(tmp_path / "runs"),
            "words": [{"label": "nova"}],
            "training": {"epochs": epochs, "learning_rate": 0.003},
            "compute": compute or {},
            "tuning": tuning,
        }
    )


def starts(sweep_dir: Path, number: int) -> list[dict[str, Any]]:
    path = sweep_dir / "trials" / f"trial-{number:04d}" / "starts.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def overlapping(sweep_dir: Path, trials: int) -> int:
    """Most trials that were at work at one time."""
    moments = []
    for number in range(trials):
        begun, *_, ended = starts(sweep_dir, number)
        moments += [(begun["at"], 1), (ended["ended"], -1)]
    running = most = 0
    for _, change in sorted(moments):
        running += change
        most = max(most, running)
    return most


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_sweep_leaves_the_best_config_and_stops_the_weak_early(tmp_path: Path) -> None:
    prepared = prepared_folder(tmp_path / "prepared")
    config = sweep_config(tmp_path, epochs=9, trials=7, grace_epochs=1, max_concurrent=1)
    result = run_sweep(config, tmp_path / "sweep", prepared, train_fn=regress)
    assert [trial.number for trial in result.trials] == list(range(7))
    assert result.trials[0].values == {"training.learning_rate": 0.003}, "the start config's own values come first"
    finished = [trial for trial in result.trials if trial.state == "finished"]
    stopped = [trial for trial in result.trials if trial.state == "stopped"]
    assert len(finished) + len(stopped) == 7
    assert stopped
    assert all(trial.epochs == 9 for trial in finished)
    assert all(trial.epochs < 9 for trial in stopped)
    assert result.best_value == min(trial.value for trial in finished if trial.value is not None)
    assert result.best_value < finished[0].value  # type: ignore[operator]
    best = load_config(result.best_config_path)
    winner = result.trials[result.best_number]
    assert best.training.learning_rate == winner.values["training.learning_rate"]
    assert best.name == "sweep-best"
    assert best.training.epochs == 9
    assert load_config(winner.run_dir / "config.yaml").training == best.training
    frame = pd.read_parquet(tmp_path / "sweep" / "trials.parquet")
    assert frame["value"].tolist() == [trial.value for trial in result.trials]
    assert len(pd.read_csv(tmp_path / "sweep" / "trials.csv")) == 7
    assert result.next_command.endswith("best.yaml")
    assert not (tmp_path / "sweep" / ".tune").exists()

    more = config.model_copy(update={"tuning": config.tuning.model_copy(update={"trials": 8})})
    extended = run_sweep(more, tmp_path / "sweep", prepared, train_fn=regress)
    assert [trial.values for trial in extended.trials[:7]] == [trial.values for trial in result.trials]
    assert len({trial.values["training.learning_rate"] for trial in extended.trials}) == 8


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_failures_are_recorded_and_trials_share_the_machine(tmp_path: Path) -> None:
    prepared = prepared_folder(tmp_path / "prepared", slow=0.5, fail_above=0.5, die_above=0.1)
    values = [0.01, 0.9, 0.2, 0.05]
    config = sweep_config(
        tmp_path,
        compute={"max_failures": 1},
        space={"training.learning_rate": {"type": "choice", "values": values}},
        trials=6,
        cpus_per_trial=2,
        gpus_per_trial=0.25,
        metric="val_auc",
        mode="max",
    )
    result = run_sweep(config, tmp_path / "sweep", prepared, train_fn=regress)
    assert len(result.trials) == 6
    for trial in result.trials:
        rate = trial.values["training.learning_rate"]
        assert trial.state == ("failed" if rate > 0.1 else trial.state)
        if rate == 0.9:
            assert "the loss is nan" in trial.reason
            assert len(starts(tmp_path / "sweep", trial.number)) == 1, "an error of the config is not tried again"
        elif rate == 0.2:
            assert "died" in trial.reason or "exit" in trial.reason.lower()
            assert len(starts(tmp_path / "sweep", trial.number)) == 2, "a process that died is started once more"
        else:
            resources = starts(tmp_path / "sweep", trial.number)[0]["resources"]
            assert (resources["CPU"], resources["GPU"]) == (2.0, 0.25)
    best = result.trials[result.best_number]
    assert best.values["training.learning_rate"] == max(
        trial.values["training.learning_rate"] for trial in result.trials if trial.state == "finished"
    )
    assert result.best_value == max(trial.value for trial in result.trials if trial.state == "finished")  # type: ignore[type-var]
    assert result.best_value < 0


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.parametrize("at_once", [1, 2])
def test_at_most_max_concurrent_trials_run_at_once(tmp_path: Path, at_once: int) -> None:
    prepared = prepared_folder(tmp_path / "prepared", slow=1.0)
    config = sweep_config(tmp_path, epochs=2, trials=2, grace_epochs=2, max_concurrent=at_once)
    run_sweep(config, tmp_path / "sweep", prepared, train_fn=regress)
    assert overlapping(tmp_path / "sweep", 2) == at_once


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_sweep_in_which_all_fail_gives_the_reason(tmp_path: Path) -> None:
    prepared = prepared_folder(tmp_path / "prepared")
    config = sweep_config(tmp_path, trials=2, metric="val_frrr")
    with pytest.raises(RunError, match=r"none of the 2 trials finished.*val_frrr.*val_auc, val_frr") as refused:
        run_sweep(config, tmp_path / "sweep", prepared, train_fn=regress)
    assert "remove the sweep's folder" in str(refused.value)
    with pytest.raises(DeviceError, match="gpus_per_trial = 3"):
        run_sweep(sweep_config(tmp_path, gpus_per_trial=3), tmp_path / "other", prepared, train_fn=regress)


def test_unusable_settings_are_refused_before_anything_starts(tmp_path: Path) -> None:
    config = sweep_config(tmp_path)
    with pytest.raises(DataError, match="no prepared clips"):
        run_sweep(config, tmp_path / "sweep", tmp_path / "nothing")
    with pytest.raises(ConfigError, match="gpus_per_trial"):
        run_sweep(sweep_config(tmp_path, compute={"device": "cuda"}), tmp_path / "a", tmp_path / "nothing")
    soft = sweep_config(tmp_path, space={"distillation.weight": {"type": "uniform", "low": 0.1, "high": 0.9}})
    with pytest.raises(ConfigError, match=r"tuning\.space\.distillation\.weight"):
        run_sweep(soft, tmp_path / "b", tmp_path / "nothing")


DRIVER = """
import sys
from pathlib import Path
from tests.tuning.objectives import regress
from wakeword.config import load_config
from wakeword.tuning.search import run_sweep
config, sweep, prepared = sys.argv[1:]
run_sweep(load_config(config), Path(sweep), Path(prepared), train_fn=regress)
"""


def trial_states(study: Path) -> dict[str, int]:
    """How many trials of each state the study holds, read beside the running driver."""
    if not study.is_file():
        return {}
    with sqlite3.connect(f"file:{study}?mode=ro", uri=True, timeout=10) as database:
        try:
            rows = database.execute("select state, count(*) from trials group by state").fetchall()
        except sqlite3.OperationalError:  # the tables are being made
            return {}
    return dict(rows)


@pytest.mark.ray
@pytest.mark.timeout(480)
def test_a_killed_driver_costs_no_trial(tmp_path: Path, local_ray: str) -> None:
    prepared = prepared_folder(tmp_path / "prepared", slow=1.0)
    config = sweep_config(tmp_path, epochs=4, grace_epochs=4, compute={"ray_address": local_ray})
    save_config(config, tmp_path / "sweep.yaml")
    sweep = tmp_path / "sweep"
    command = [sys.executable, "-c", DRIVER, str(tmp_path / "sweep.yaml"), str(sweep), str(prepared)]
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "COLUMNS": "200"}
    log = tmp_path / "driver.log"
    with log.open("w") as stream:
        first = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stream, stderr=stream)
    deadline = time.monotonic() + 200
    # In mid-sweep: some trials are done, and one is half-way through its epochs.
    while time.monotonic() < deadline and first.poll() is None:
        half_way = [
            path
            for path in (sweep / "trials").glob("*/metrics.jsonl")
            if 1 <= len(path.read_text().splitlines()) <= 2 and trial_states(sweep / "study.db").get("COMPLETE")
        ]
        if half_way:
            break
        time.sleep(0.1)
    assert first.poll() is None, f"the driver ended before it could be killed: {log.read_text()[-3000:]}"
    os.kill(first.pid, signal.SIGKILL)
    first.wait(timeout=30)
    states = trial_states(sweep / "study.db")
    assert states["COMPLETE"] < 4
    assert states["RUNNING"] >= 1

    again = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=250)
    assert again.returncode == 0, again.stderr
    assert "Best 4 of 4 trials" in again.stdout
    assert trial_states(sweep / "study.db") == {"COMPLETE": 4}
    assert sorted(path.name for path in (sweep / "trials").iterdir()) == [f"trial-{n:04d}" for n in range(4)]
    values = set()
    resumed = 0
    for number in range(4):
        lines = (sweep / "trials" / f"trial-{number:04d}" / "metrics.jsonl").read_text().splitlines()
        epochs = [json.loads(line)["epoch"] for line in lines]
        assert sorted(set(epochs)) == [1, 2, 3, 4]
        assert len(epochs) <= 5, "only the epoch that the kill interrupted may be there twice"
        begun = [start for start in starts(sweep, number) if "at" in start]
        resumed += len(begun) == 2
        values |= {start["rate"] for start in begun}
    assert resumed >= 1
    assert len(values) == 4, "a resumed trial keeps its values, and no values are tried twice"


def test_another_config_or_other_clips_in_the_same_folder_are_refused(tmp_path: Path) -> None:
    prepared = prepared_folder(tmp_path / "prepared")
    sweep = tmp_path / "sweep"
    sweep.mkdir()
    save_config(sweep_config(tmp_path), sweep / "start.yaml")
    (sweep / "data.sha256").write_text("0" * 64)
    with pytest.raises(DataError, match="other clips"):
        run_sweep(sweep_config(tmp_path, trials=9), sweep, prepared)
    with pytest.raises(ConfigError, match=r"training\.epochs \(4 -> 5\)"):
        run_sweep(sweep_config(tmp_path, epochs=5), sweep, prepared)
