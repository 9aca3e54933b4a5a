"""Ray Train for real: two workers train what one does, a killed worker is replaced, a killed driver is continued."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.training.synthetic import tiny_config
from tests.training.test_replay import replay_config
from wakeword.config import Config, save_config
from wakeword.errors import DataError, DeviceError
from wakeword.stages.ray_session import ray_session
from wakeword.training.checkpoint import epoch_folder
from wakeword.training.distributed import train_with_ray
from wakeword.training.loop import train
from wakeword.training.tracking import read_metrics

ROOT = Path(__file__).resolve().parents[2]
DRIVER = """
import sys
from wakeword.config import load_config
from wakeword.system.log import configure_logging, log_context
from wakeword.training.distributed import train_with_ray
configure_logging()
with log_context("tiny"):
    result = train_with_ray(load_config(sys.argv[1]), sys.argv[2], sys.argv[3])
print("EPOCHS", result.epochs)
"""


def _config(workers: int, **training: float) -> Config:
    quiet = {"noise_probability": 0.0, "rir_probability": 0.0, "speed_probability": 0.0, "spec_probability": 0.0,
             "vtlp_probability": 0.0, "floor_dbfs": None, "gain_db": (0.0, 0.0)}  # fmt: skip
    return tiny_config(
        model={"dropout": 0.0},
        augmentation=quiet,
        training={"epochs": 2, "steps_per_epoch": 3, "batch_size": 16, **training},
        compute={"workers": workers, "cpus_per_worker": 1.0, "max_failures": 2},
    )


@contextmanager
def _driver(config: Config, prepared: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    save_config(config, folder / "recipe.yaml")
    command = [sys.executable, "-c", DRIVER, str(folder / "recipe.yaml"), str(prepared), str(folder / "run")]
    with (folder / "log.txt").open("a") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _wait_for(path: Path, process: subprocess.Popen[str], limit_s: float = 240.0) -> None:
    deadline = time.monotonic() + limit_s
    while not path.exists():
        assert process.poll() is None, (path.parents[2] / "log.txt").read_text()
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)


def _worker_of(process: subprocess.Popen[str]) -> psutil.Process:
    """The process below ours that holds the run's lock file open, whatever Ray calls it."""
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if any(entry.path.endswith("/.lock") for entry in child.open_files()):
                return child
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    raise AssertionError("no training worker found")


@pytest.mark.ray
@pytest.mark.timeout(600)
def test_a_killed_worker_is_replaced_and_all_epochs_are_done(prepared: Path, tmp_path: Path) -> None:
    config = _config(1, epochs=4, steps_per_epoch=12)
    with _driver(config, prepared, tmp_path) as process:
        _wait_for(epoch_folder(tmp_path / "run", 1), process)
        time.sleep(0.3)
        _worker_of(process).send_signal(signal.SIGKILL)
        process.wait(300)
    output = (tmp_path / "log.txt").read_text()
    assert process.returncode == 0, output
    assert "EPOCHS 4" in output
    assert [line["epoch"] for line in read_metrics(tmp_path / "run" / "metrics.jsonl")] == [1, 2, 3, 4]
    # The driver has no terminal here: it logs the epochs of its workers.
    lines = [json.loads(line) for line in output.splitlines() if '"task": "training"' in line]
    epochs = [line for line in lines if "epoch " in line["event"]]
    assert [line["done"] for line in epochs] == [1, 2, 3, 4]
    assert re.match(r"training: epoch 2 of 4, loss [\d.]+, val_frr [\d.]+, \d+ clips/s, .* left$", epochs[1]["event"])
    assert {line["run"] for line in lines} == {"tiny"}
    assert set(lines[0]) <= {"task", "done", "total", "left_s", "run", "event", "level", "logger", "timestamp"}
    whole = train(config, prepared, tmp_path / "whole")
    killed = json.loads((epoch_folder(tmp_path / "run", 4) / "state.json").read_text())
    assert killed["metrics"]["loss"] == pytest.approx(whole.metrics["loss"], rel=1e-4)
    assert not (tmp_path / "run" / ".ray").exists()


@pytest.mark.ray
@pytest.mark.timeout(600)
def test_the_same_command_finishes_a_run_whose_driver_was_killed(prepared: Path, tmp_path: Path) -> None:
    config = _config(1, epochs=3, steps_per_epoch=12)
    with _driver(config, prepared, tmp_path) as first:
        _wait_for(epoch_folder(tmp_path / "run", 1), first)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    with _driver(config, prepared, tmp_path) as second:
        second.wait(300)
    assert second.returncode == 0, (tmp_path / "log.txt").read_text()
    assert [line["epoch"] for line in read_metrics(tmp_path / "run" / "metrics.jsonl")] == [1, 2, 3]


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    """One Ray for the tests that kill nothing; the others start and lose another one in another process."""
    with ray_session(_config(2)):
        yield


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.timeout(300)
def test_two_workers_see_the_batches_of_one(prepared: Path, tmp_path: Path) -> None:
    alone = train_with_ray(_config(0), prepared, tmp_path / "one")
    pair = train_with_ray(_config(2), prepared, tmp_path / "two")
    assert pair.epochs == 2
    first = [read_metrics(tmp_path / name / "metrics.jsonl")[0]["loss"] for name in ("one", "two")]
    # Not equal: each worker normalises with the statistics of its own half of the batch.
    assert first[1] == pytest.approx(first[0], rel=0.15)
    assert pair.metrics["val_loss"] == pytest.approx(alone.metrics["val_loss"], rel=0.35)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.timeout(300)
def test_each_worker_keeps_windows_of_its_own_and_makes_them_again(prepared: Path, tmp_path: Path) -> None:
    config = replay_config(epochs=2, steps_per_epoch=3, replay_windows=10)
    config = config.model_copy(update={"compute": _config(2).compute})
    train_with_ray(config, prepared, tmp_path)
    whole = read_metrics(tmp_path / "metrics.jsonl")
    shutil.rmtree(epoch_folder(tmp_path, 2))
    train_with_ray(config, prepared, tmp_path)
    again = read_metrics(tmp_path / "metrics.jsonl")
    assert [line["epoch"] for line in again] == [1, 2]
    assert again[1]["loss"] == pytest.approx(whole[1]["loss"], rel=1e-4)
    assert again[1]["val_loss"] == pytest.approx(whole[1]["val_loss"], rel=1e-4)


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
@pytest.mark.timeout(200)
def test_our_own_errors_come_back_as_they_are_and_are_not_tried_again(prepared: Path, tmp_path: Path) -> None:
    config = tiny_config(words=[{"label": "absent"}], compute={"workers": 1})
    with pytest.raises(DataError, match="no clip of absent"):
        train_with_ray(config, prepared, tmp_path / "run")
    with pytest.raises(DeviceError, match=r"compute\.device is cuda"):
        train_with_ray(tiny_config(compute={"workers": 1, "device": "cuda"}), prepared, tmp_path / "gpu")
