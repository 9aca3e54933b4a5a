"""A run from nothing to a trained folder, continued after a kill, and refused with unusable settings."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.training.synthetic import make_prepared, tiny_config
from wakeword.errors import DataError, DeviceError, RunError
from wakeword.system.allocator import keep_freed_memory
from wakeword.system.device import resolve_device
from wakeword.system.locks import lock_folder
from wakeword.training import loop
from wakeword.training.checkpoint import epoch_folder, load_trained
from wakeword.training.loop import TrainContext, train
from wakeword.training.tracking import RunTracker, read_metrics


class Stop(Exception):
    """Ends a run after an epoch, as a crash would."""


def _stop_after(epoch: int) -> TrainContext:
    def report(metrics: dict[str, Any]) -> None:
        if metrics["epoch"] == epoch:
            raise Stop

    return TrainContext(report=report)


def _weights(run_dir: Path, epoch: int) -> dict[str, torch.Tensor]:
    folder = epoch_folder(run_dir, epoch)
    return {f"{name}/{key}": value for name in ("model", "ema", "optimizer")
            for key, value in load_file(folder / f"{name}.safetensors").items()}  # fmt: skip


def test_a_run_writes_its_files(prepared: Path, tmp_path: Path) -> None:
    config = tiny_config(training={"epochs": 3, "steps_per_epoch": 5}, tracking={"tensorboard": True})
    reported: list[dict[str, Any]] = []
    result = train(config, prepared, tmp_path, TrainContext(report=reported.append))
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert lines[-1]["step"] == 15
    assert {"loss", "val_frr", "val_eer", "val_loss", "clips_per_s", "seconds", "learning_rate"} <= set(lines[0])
    assert reported == lines
    assert result.epochs == 3
    assert result.best["val_frr"] == min(line["val_frr"] for line in lines)
    assert list((tmp_path / "tensorboard").glob("events.*"))
    model, saved = load_trained(tmp_path)
    assert saved == config
    assert model.labels == ["nova"]
    again = train(config, prepared, tmp_path)
    assert again.metrics == result.metrics, "a finished run is not trained again"
    assert len(read_metrics(tmp_path / "metrics.jsonl")) == 3


def test_on_a_cpu_freed_memory_stays_with_the_process(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bool] = []
    monkeypatch.setattr(loop, "keep_freed_memory", lambda: taken.append(keep_freed_memory()))
    train(tiny_config(training={"epochs": 1, "steps_per_epoch": 1}), prepared, tmp_path)
    assert len(taken) == 1


def test_a_killed_run_ends_with_the_weights_of_an_uninterrupted_one(prepared: Path, tmp_path: Path) -> None:
    config = tiny_config(training={"epochs": 3, "steps_per_epoch": 3})
    train(config, prepared, tmp_path / "whole")
    with pytest.raises(Stop):
        train(config, prepared, tmp_path / "killed", _stop_after(1))
    # As if the crash had come after the checkpoint and before its line of metrics, and a line was cut off.
    (tmp_path / "killed" / "metrics.jsonl").write_text('{"epoch": 1, "lo')
    train(config, prepared, tmp_path / "killed")
    whole, killed = _weights(tmp_path / "whole", 3), _weights(tmp_path / "killed", 3)
    assert whole.keys() == killed.keys()
    assert all(torch.equal(whole[key], killed[key]) for key in whole)
    lines = [read_metrics(tmp_path / name / "metrics.jsonl") for name in ("whole", "killed")]
    assert [line["loss"] for line in lines[0]] == [line["loss"] for line in lines[1]]


def test_a_damaged_last_checkpoint_costs_one_epoch(prepared: Path, tmp_path: Path) -> None:
    config = tiny_config(training={"epochs": 2, "steps_per_epoch": 2})
    first = train(config, prepared, tmp_path)
    (epoch_folder(tmp_path, 2) / "ema.safetensors").write_bytes(b"not what was written")
    second = train(config, prepared, tmp_path)
    assert second.metrics["loss"] == first.metrics["loss"]
    assert [line["epoch"] for line in read_metrics(tmp_path / "metrics.jsonl")] == [1, 2]


def test_other_settings_do_not_continue_a_run(prepared: Path, tmp_path: Path) -> None:
    config = tiny_config(training={"epochs": 1, "steps_per_epoch": 1})
    train(config, prepared, tmp_path)
    with pytest.raises(RunError, match=r"other settings \(training\)"):
        train(tiny_config(training={"epochs": 1, "steps_per_epoch": 1, "batch_size": 8}), prepared, tmp_path)
    longer = train(tiny_config(training={"epochs": 2, "steps_per_epoch": 1}), prepared, tmp_path)
    assert longer.epochs == 2


def test_a_loss_that_is_not_a_number_ends_the_run_with_advice(prepared: Path, tmp_path: Path) -> None:
    config = tiny_config(training={"learning_rate": 1e30, "steps_per_epoch": 6, "warmup_share": 0.0})
    with pytest.raises(RunError, match=r"lower training\.learning_rate"):
        train(config, prepared, tmp_path)
    assert not epoch_folder(tmp_path, 1).exists()


def test_a_gpu_that_is_not_there_is_an_error(prepared: Path, tmp_path: Path) -> None:
    assert resolve_device("cpu").type == "cpu"
    if torch.cuda.is_available():
        assert resolve_device("auto").type == "cuda"
        return
    with pytest.raises(DeviceError, match=r"compute\.device is cuda"):
        train(tiny_config(compute={"device": "cuda"}), prepared, tmp_path)


def test_missing_positives_are_an_error_before_anything_is_written(tmp_path: Path) -> None:
    data = make_prepared(tmp_path / "data", words=3, drop="nova")
    with pytest.raises(DataError, match="no clip of nova"):
        train(tiny_config(), data, tmp_path / "run")
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_two_processes_do_not_train_into_one_folder(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "WAIT_S", 0.3)
    with (
        lock_folder(tmp_path, ".lock"),
        pytest.raises(
            RunError, match=rf"another process \(process id {os.getpid()}\) trains into {tmp_path}: wait for it"
        ),
    ):
        train(tiny_config(), prepared, tmp_path)


def test_wandb_is_opened_for_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wakeword.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "wandb", None)
    tracker = RunTracker(tiny_config(tracking={"wandb_project": "wake"}), tmp_path)
    with pytest.raises(MissingExtraError, match=r"\[tracking\]"):
        tracker.open(0, {})
    RunTracker(tiny_config(), tmp_path).open(0, {})
    assert json.loads(json.dumps(read_metrics(tmp_path / "metrics.jsonl"))) == []
