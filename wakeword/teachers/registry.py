"""Teachers: models whose scores of training windows are the targets of a student.

`distillation.teacher` is `TYPE:PATH`, or a path alone for the type `run`, the folder of a trained run. Other types are
added with `@register_teacher`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch

from wakeword.config import Config
from wakeword.errors import ConfigError
from wakeword.system.files import sha256_of
from wakeword.training.checkpoint import best_epoch, load_trained


class Teacher(Protocol):
    """A model that scores windows frame by frame, at the student's step."""

    context_samples: int
    """Samples in front of the first score."""
    step_samples: int
    fingerprint: str
    """A string that changes with the teacher's scores, such as a hash of its weights."""

    def logits(self, audio: torch.Tensor) -> torch.Tensor:
        """Logits `(batch, scores, words)` of audio `(batch, samples)`, of the student's words, one per step."""


Opener = Callable[[Path, Config, torch.device], Teacher]
Fingerprint = Callable[[Path], str]
"""The fingerprint of the teacher at a path, without loading its model."""


_TYPES: dict[str, tuple[Opener, Fingerprint]] = {}


def register_teacher(name: str, fingerprint: Fingerprint) -> Callable[[Opener], Opener]:
    """Decorator: register a teacher as `distillation.teacher: name:path`."""

    def add(opener: Opener) -> Opener:
        _TYPES[name] = opener, fingerprint
        return opener

    return add


def open_teacher(config: Config, device: torch.device) -> Teacher:
    """Open the teacher that `distillation.teacher` names.

    Raises:
        ConfigError: its type is unknown, or it lacks one of the words.
        RunError: its run folder holds no trained model.
    """
    (opener, _), path = _type_of(config)
    return opener(path, config, device)


def teacher_fingerprint(config: Config) -> str:
    """The fingerprint of the teacher that `distillation.teacher` names; its model is not loaded.

    Raises:
        ConfigError: its type is unknown.
        RunError: its run folder holds no trained model.
    """
    (_, fingerprint), path = _type_of(config)
    return fingerprint(path)


def _type_of(config: Config) -> tuple[tuple[Opener, Fingerprint], Path]:
    spec = config.distillation.teacher
    name, path = spec.split(":", 1) if ":" in spec else ("run", spec)
    if name not in _TYPES:
        raise ConfigError(
            f"distillation.teacher = {spec!r}: unknown type {name!r}; known: {', '.join(sorted(_TYPES))} "
            "(a path alone is a run folder)"
        )
    return _TYPES[name], Path(path)


def _weights_hash(run_dir: Path) -> str:
    return sha256_of(best_epoch(run_dir) / "ema.safetensors")


@register_teacher("run", _weights_hash)
class RunTeacher:
    """A trained run: the averaged weights of its best epoch."""

    def __init__(self, run_dir: Path, config: Config, device: torch.device) -> None:
        model, _ = load_trained(run_dir)
        missing = [label for label in config.labels if label not in model.labels]
        if missing:
            raise ConfigError(
                f"distillation.teacher {run_dir} was trained for {', '.join(model.labels)}, not for "
                f"{', '.join(missing)}: train a teacher for all words"
            )
        self.model = model.to(device)
        self.columns = [model.labels.index(label) for label in config.labels]
        self.context_samples = model.context_samples
        self.step_samples = model.step_samples
        self.fingerprint = _weights_hash(run_dir)

    @torch.inference_mode()
    def logits(self, audio: torch.Tensor) -> torch.Tensor:
        """See `Teacher.logits`."""
        return self.model.offline(audio)[:, :, self.columns]
