"""Teachers: what can score a training window so that a student may learn from it.

`distillation.teacher` is `TYPE:PATH`, or a bare path for the type `run`: the folder of any trained run.
Further types register themselves with `@register_teacher`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch

from wakeword.config import Config
from wakeword.errors import ConfigError
from wakeword.system.files import sha256_of
from wakeword.training.checkpoint import epoch_folder, load_trained, newest_checkpoint


class Teacher(Protocol):
    """A model that scores windows frame by frame, at the student's step."""

    context_samples: int
    """Audio in front of the first score."""
    step_samples: int
    fingerprint: str
    """Changes when its scores would."""

    def logits(self, audio: torch.Tensor) -> torch.Tensor:
        """The student's words: `(batch, samples)` to `(batch, scores, words)`, a score every `step_samples`."""


Opener = Callable[[Path, Config, torch.device], Teacher]
_TYPES: dict[str, Opener] = {}


def register_teacher(name: str) -> Callable[[Opener], Opener]:
    """Decorator: make a teacher available as `distillation.teacher: name:path`."""

    def add(opener: Opener) -> Opener:
        _TYPES[name] = opener
        return opener

    return add


def open_teacher(config: Config, device: torch.device) -> Teacher:
    """The teacher that `distillation.teacher` names.

    Raises:
        ConfigError: its type is unknown, it lacks one of the words, or its scores come at another rate.
        RunError: its run folder holds no trained model.
    """
    spec = config.distillation.teacher
    name, separator, path = spec.partition(":")
    if not separator:
        name, path = "run", spec
    if name not in _TYPES:
        raise ConfigError(
            f"distillation.teacher = {spec!r}: unknown type {name!r}; known: {', '.join(sorted(_TYPES))} "
            "(a path alone is a run folder)"
        )
    return _TYPES[name](Path(path), config, device)


@register_teacher("run")
class RunTeacher:
    """Any trained run: its averaged weights of the best epoch."""

    def __init__(self, run_dir: Path, config: Config, device: torch.device) -> None:
        model, _ = load_trained(run_dir)
        missing = [label for label in config.labels if label not in model.labels]
        if missing:
            raise ConfigError(
                f"distillation.teacher {run_dir} was trained for {', '.join(model.labels)} and cannot teach "
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


def _weights_hash(run_dir: Path) -> str:
    newest = newest_checkpoint(run_dir)
    assert newest is not None, "load_trained has checked it"
    folder, state = newest
    best = epoch_folder(run_dir, state.best.get("epoch", state.epoch))
    return sha256_of((best if best.is_dir() else folder) / "ema.safetensors")
