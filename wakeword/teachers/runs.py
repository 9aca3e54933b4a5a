"""The teacher `run:FOLDER`: a trained run of ours."""

from __future__ import annotations

from pathlib import Path

import torch

from wakeword.config import Config
from wakeword.errors import ConfigError
from wakeword.system.files import sha256_of
from wakeword.teachers.registry import register_teacher
from wakeword.training.checkpoint import best_epoch, load_trained


def weights_hash(run_dir: str, config: Config) -> str:
    """Hash of the averaged weights of a run's best epoch. Raises RunError without a trained model."""
    return sha256_of(best_epoch(Path(run_dir)) / "ema.safetensors")


@register_teacher("run", "words", weights_hash)
class RunTeacher:
    """A trained run: the averaged weights of its best epoch."""

    def __init__(self, run_dir: str, config: Config, device: torch.device) -> None:
        model, _ = load_trained(run_dir)
        missing = [label for label in config.labels if label not in model.labels]
        if missing:
            raise ConfigError(
                f"distillation.teacher {run_dir} was trained for {', '.join(model.labels)}, not for "
                f"{', '.join(missing)}: train a teacher for all words"
            )
        self.model = model.to(device)
        self.columns = torch.tensor([model.labels.index(label) for label in config.labels], device=device)
        self.context_samples = model.context_samples
        self.step_samples = model.step_samples
        self.fingerprint = weights_hash(run_dir, config)

    @torch.inference_mode()
    def logits(self, audio: torch.Tensor) -> torch.Tensor:
        """See `Teacher.logits`."""
        return self.model.offline(audio).index_select(2, self.columns)
