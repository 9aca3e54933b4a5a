"""Checkpoints in safetensors and JSON, one folder per epoch; damaged or incomplete ones are not used.

`checkpoints/epoch-0007/{model,ema,optimizer}.safetensors + state.json`, with a teacher of features also
`projection.safetensors`; `state.json` holds each file's SHA-256. Checkpoints hold no random state: every draw of a step
is a function of (seed, step), see `wakeword.batching.plans`.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from wakeword.config import Config, load_config
from wakeword.errors import RunError
from wakeword.models.streaming import StreamingModel
from wakeword.system.files import atomic_folder, sha256_of, write_json

log = logging.getLogger(__name__)
_FILES = ("model.safetensors", "ema.safetensors", "optimizer.safetensors")
_PROJECTION = "projection.safetensors"
_NAME = re.compile(r"epoch-(\d{4,})")
FORMAT = 1


@dataclass
class RunState:
    """Progress of a run, without its weights."""

    epoch: int = 0
    """Epochs completed."""
    step: int = 0
    ema_updates: int = 0
    best: dict[str, Any] = field(default_factory=dict)
    """`{"epoch", "val_frr", "val_loss"}` of the best epoch so far."""
    scaler: dict[str, float] = field(default_factory=dict)
    """Loss scaler of mixed precision; empty without one."""
    identity: dict[str, str] = field(default_factory=dict)
    """Hashes of what the weights depend on; a run with other hashes must not continue them."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """Metrics of the last completed epoch."""


def epoch_folder(run_dir: Path, epoch: int) -> Path:
    """Folder of the checkpoint after epoch `epoch` (from 1)."""
    return Path(run_dir) / "checkpoints" / f"epoch-{epoch:04d}"


def save_checkpoint(
    run_dir: Path,
    state: RunState,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    keep: int,
    projection: nn.Module | None = None,
) -> Path:
    """Write a checkpoint as one atomic folder, then remove all but the last `keep` and the best."""
    target = epoch_folder(run_dir, state.epoch)
    with atomic_folder(target) as folder:
        save_file(_tensors(model.state_dict()), folder / "model.safetensors")
        save_file(_tensors(average.state_dict()), folder / "ema.safetensors")
        save_file(_optimizer_tensors(optimizer), folder / "optimizer.safetensors")
        names: tuple[str, ...] = _FILES
        if projection is not None:
            save_file(_tensors(projection.state_dict()), folder / _PROJECTION)
            names = (*_FILES, _PROJECTION)
        body = {"format": FORMAT, **vars(state), "files": {name: sha256_of(folder / name) for name in names}}
        write_json(folder / "state.json", body)
    kept = set(sorted(_epochs(run_dir))[-keep:]) | {state.best.get("epoch", state.epoch)}
    for epoch in _epochs(run_dir) - kept:
        shutil.rmtree(epoch_folder(run_dir, epoch))
    return target


def read_state(folder: Path) -> RunState:
    """Verify a checkpoint completely and read its state.

    Raises:
        RunError: a file is missing or its SHA-256 differs.
    """
    try:
        body = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        if body["format"] != FORMAT:
            raise RunError(f"checkpoint {folder} has format {body['format']}, this version reads {FORMAT}")
        for name in dict.fromkeys((*_FILES, *body["files"])):
            if sha256_of(folder / name) != body["files"][name]:
                raise RunError(f"checkpoint {folder} is damaged: the SHA-256 of {name} differs; delete the folder")
        return RunState(**{key: body[key] for key in RunState.__dataclass_fields__})
    except FileNotFoundError as error:
        raise RunError(f"checkpoint {folder} is incomplete: {Path(error.filename).name} is missing") from error
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise RunError(f"checkpoint {folder} is damaged: state.json cannot be read ({error!r})") from error


def newest_checkpoint(run_dir: Path) -> tuple[Path, RunState] | None:
    """Newest complete checkpoint, None without one; damaged ones are skipped and the reason is logged."""
    for epoch in sorted(_epochs(run_dir), reverse=True):
        folder = epoch_folder(run_dir, epoch)
        try:
            return folder, read_state(folder)
        except RunError as error:
            log.warning("%s; the checkpoint before it is tried", error)
    return None


def restore(
    folder: Path,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    projection: nn.Module | None = None,
) -> None:
    """Load a verified checkpoint into existing objects.

    Raises:
        RunError: the weights belong to another model.
    """
    load_weights(folder / "model.safetensors", model)
    load_weights(folder / "ema.safetensors", average)
    if projection is not None:
        load_weights(folder / _PROJECTION, projection)
    _load_optimizer(optimizer, load_file(folder / "optimizer.safetensors"))


def load_weights(path: Path, model: nn.Module) -> None:
    """Load weights strictly: exactly the tensors of the model, with the same shapes.

    Raises:
        RunError: they do not fit, or the file is damaged.
    """
    try:
        # Earlier checkpoints name the network `student`.
        tensors = {re.sub(r"^student\.", "network.", name): value for name, value in load_file(path).items()}
        model.load_state_dict(tensors, strict=True)
    except (RuntimeError, SafetensorError, OSError) as error:
        raise RunError(f"{path} does not fit this model: {' '.join(str(error).split())}") from error


def best_epoch(run_dir: Path) -> Path:
    """Folder of the best epoch's checkpoint, or of the newest complete one if that is damaged (the reason is logged).

    Raises:
        RunError: the folder holds no finished epoch.
    """
    newest = newest_checkpoint(run_dir)
    if newest is None or not (run_dir / "config.yaml").is_file():
        raise RunError(f"{run_dir} holds no trained model (config.yaml and a complete checkpoint): train it first")
    folder, state = newest
    best = epoch_folder(run_dir, state.best.get("epoch", state.epoch))
    if best != folder:
        try:
            read_state(best)
            folder = best
        except RunError as error:
            log.warning("%s; %s is used instead of the best epoch", error, folder.name)
    return folder


def load_trained(run_dir: str | Path) -> tuple[StreamingModel, Config]:
    """The trained model of a run, in eval mode on the CPU, and the run's config.

    The weights are the averaged ones of `best_epoch` (lowest `val_frr`, then lowest `val_loss`).

    Raises:
        RunError: the folder holds no finished epoch.
    """
    run_dir = Path(run_dir)
    folder = best_epoch(run_dir)
    config = load_config(run_dir / "config.yaml")
    model = StreamingModel(config, config.labels)
    load_weights(folder / "ema.safetensors", model)
    return model.eval(), config


def _epochs(run_dir: Path) -> set[int]:
    folder = Path(run_dir) / "checkpoints"
    names = (_NAME.fullmatch(path.name) for path in folder.iterdir()) if folder.is_dir() else ()
    return {int(match.group(1)) for match in names if match}


def _tensors(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Contiguous copies on the CPU (safetensors refuses shared or strided memory, such as channels_last)."""
    return {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    for index, entries in optimizer.state_dict()["state"].items():
        for name, value in entries.items():
            tensors[f"{index}.{name}"] = torch.as_tensor(value)
    return _tensors(tensors)


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
