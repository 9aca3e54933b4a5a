"""Checkpoints: whole or not used, newest first, the best one kept, loaded strictly."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.training.synthetic import tiny_config
from wakeword.config import save_config
from wakeword.errors import RunError
from wakeword.models.streaming import StreamingModel
from wakeword.training.checkpoint import (
    RunState,
    epoch_folder,
    load_trained,
    load_weights,
    newest_checkpoint,
    read_state,
    restore,
    save_checkpoint,
)
from wakeword.training.ema import ModelAverage
from wakeword.training.step import make_optimizer


def _run(folder: Path, epochs: int, best: int, keep: int = 2) -> StreamingModel:
    config = tiny_config()
    save_config(config, folder / "config.yaml")
    torch.manual_seed(1)
    model = StreamingModel(config, config.labels)
    average = ModelAverage(model, 0.9)
    optimizer = make_optimizer(model, config.training)
    for epoch in range(1, epochs + 1):
        optimizer.zero_grad()
        model.train().offline(torch.randn(2, model.context_samples + 640)).sum().backward()
        optimizer.step()
        average.update(model)
        state = RunState(
            epoch=epoch, step=epoch * 10, best={"epoch": min(best, epoch), "val_frr": 0.1, "val_loss": 1.0}
        )
        save_checkpoint(folder, state, model, average.model, optimizer, keep)
        if epoch == best:
            with torch.no_grad():
                kept = {name: value.clone() for name, value in average.model.state_dict().items()}
    model.load_state_dict(kept)
    return model


def _epochs(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


@pytest.mark.parametrize(("keep", "left"), [(1, ["0002", "0005"]), (3, ["0002", "0003", "0004", "0005"])])
def test_the_last_ones_and_the_best_are_kept(tmp_path: Path, keep: int, left: list[str]) -> None:
    _run(tmp_path, epochs=5, best=2, keep=keep)
    assert _epochs(tmp_path) == [f"epoch-{number}" for number in left]
    assert sorted(path.name for path in epoch_folder(tmp_path, 5).iterdir()) == [
        "ema.safetensors", "model.safetensors", "optimizer.safetensors", "state.json",
    ]  # fmt: skip


def test_everything_comes_back(tmp_path: Path) -> None:
    _run(tmp_path, epochs=3, best=3)
    config = tiny_config()
    models = [StreamingModel(config, config.labels) for _ in range(2)]
    optimizer = make_optimizer(models[0], config.training)
    found = newest_checkpoint(tmp_path)
    assert found is not None
    folder, state = found
    assert (state.epoch, state.step) == (3, 30)
    restore(folder, models[0], models[1], optimizer)
    again = save_checkpoint(tmp_path / "copy", state, models[0], models[1], optimizer, 1)
    for name in ("model.safetensors", "ema.safetensors", "optimizer.safetensors"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
    assert len(optimizer.state_dict()["state"]) == len(list(models[0].parameters()))


@pytest.mark.parametrize("name", ["model.safetensors", "ema.safetensors", "optimizer.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    _run(tmp_path, epochs=3, best=3)
    path = epoch_folder(tmp_path, 3) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if name != "state.json" else 0] ^= 0x55
    path.write_bytes(bytes(data))
    with caplog.at_level(logging.WARNING):
        found = newest_checkpoint(tmp_path)
    assert found is not None
    assert found[1].epoch == 2
    assert "epoch-0003 is damaged" in caplog.text
    path.unlink()
    with pytest.raises(RunError, match=f"incomplete: {name} is missing"):
        read_state(path.parent)


def test_load_trained_takes_the_best_epochs_average(tmp_path: Path) -> None:
    expected = _run(tmp_path, epochs=4, best=2)
    model, config = load_trained(tmp_path)
    assert not model.training
    assert config == tiny_config()
    for name, value in model.state_dict().items():
        assert torch.equal(value, expected.state_dict()[name]), name


def test_earlier_checkpoints_name_the_network_student(tmp_path: Path) -> None:
    expected = _run(tmp_path, epochs=1, best=1)
    path = epoch_folder(tmp_path, 1) / "ema.safetensors"
    tensors = {name.replace("network.", "student.", 1): value for name, value in load_file(path).items()}
    save_file(tensors, path)
    model = StreamingModel(tiny_config(), tiny_config().labels)
    load_weights(path, model)
    assert all(torch.equal(value, expected.state_dict()[name]) for name, value in model.state_dict().items())
    save_file({name.replace("student.", "other.", 1): value for name, value in tensors.items()}, path)
    with pytest.raises(RunError, match="does not fit this model"):
        load_weights(path, model)


def test_loading_is_strict(tmp_path: Path) -> None:
    _run(tmp_path, epochs=1, best=1)
    save_config(tiny_config(model={"width": 1.0}), tmp_path / "config.yaml")
    with pytest.raises(RunError, match="does not fit this model"):
        load_trained(tmp_path)
    with pytest.raises(RunError, match="holds no trained model"):
        load_trained(tmp_path / "nothing")


def test_a_folder_of_another_version_is_refused(tmp_path: Path) -> None:
    _run(tmp_path, epochs=1, best=1)
    path = epoch_folder(tmp_path, 1) / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(RunError, match="format 99"):
        read_state(path.parent)
