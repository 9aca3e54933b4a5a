"""The teacher `ensemble:FOLDER=WEIGHT,FOLDER=WEIGHT,…`: the calibrated mean of several evaluated runs of ours.

Raw scores of different models are on different scales. The map to probabilities that evaluation fitted for each word of
each run (`ProbabilityMap`) brings them to one: log odds at a prior of one half, whose weighted mean is the target.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import torch

from wakeword.config import Config
from wakeword.errors import ConfigError
from wakeword.runtime.bundle import load_bundle
from wakeword.runtime.manifest import ProbabilityMap
from wakeword.teachers.registry import register_teacher
from wakeword.teachers.runs import RunTeacher, weights_hash


def _members(argument: str) -> list[tuple[str, float]]:
    """Run folders and their weights, which add up to 1."""
    found = []
    for part in filter(None, (text.strip() for text in argument.split(","))):
        folder, equals, weight = part.rpartition("=")
        try:
            found.append((folder, float(weight)) if equals else (part, 1.0))
        except ValueError:
            raise ConfigError(
                f"distillation.teacher = ensemble:{argument}: {weight!r} is no weight: write ensemble:FOLDER=WEIGHT"
            ) from None
    if len(found) < 2 or any(not (math.isfinite(weight) and weight > 0) for _, weight in found):
        raise ConfigError(
            f"distillation.teacher = ensemble:{argument}: an ensemble is at least two run folders with weights above "
            "0: write ensemble:FOLDER=WEIGHT,FOLDER=WEIGHT"
        )
    total = sum(weight for _, weight in found)
    return [(folder, weight / total) for folder, weight in found]


def _map(folder: str, label: str) -> ProbabilityMap:
    bundle = load_bundle(Path(folder) / "bundle")
    word = next((word for word in bundle.manifest.words if word.label == label), None)
    if word is None or word.probability_map is None:
        raise ConfigError(
            f"distillation.teacher: the bundle of {folder} holds no map of {label} to probabilities: run `wakeword "
            "evaluate` on that run with enough recordings in val, or leave it out of the ensemble"
        )
    return word.probability_map


def _fingerprint(argument: str, config: Config) -> str:
    facts = [
        (weights_hash(folder, config), weight, [_map(folder, label).model_dump() for label in config.labels])
        for folder, weight in _members(argument)
    ]
    return hashlib.sha256(repr(facts).encode()).hexdigest()


@register_teacher("ensemble", "words", _fingerprint)
class EnsembleTeacher:
    """Weighted mean of the calibrated log odds of several runs."""

    def __init__(self, argument: str, config: Config, device: torch.device) -> None:
        members = _members(argument)
        self.runs = [RunTeacher(folder, config, device) for folder, _ in members]
        steps = {run.step_samples for run in self.runs}
        if len(steps) > 1:
            raise ConfigError(
                f"distillation.teacher = ensemble:{argument}: its runs score every {sorted(steps)} samples; give all "
                "of them the same frontend.hop_ms and model.frame_stride"
            )
        maps = [[_map(folder, label) for label in config.labels] for folder, _ in members]
        weights = torch.tensor([weight for _, weight in members], dtype=torch.float64)
        slopes = torch.tensor([[entry.slope for entry in row] for row in maps], dtype=torch.float64)
        # From the map's own prior to one half.
        offsets = torch.tensor(
            [[entry.offset - math.log(entry.prior / (1 - entry.prior)) for entry in row] for row in maps],
            dtype=torch.float64,
        )
        self.slopes = (weights[:, None] * slopes).float().to(device)
        self.offset = (weights[:, None] * offsets).sum(0).float().to(device)
        self.context_samples = max(run.context_samples for run in self.runs)
        self.step_samples = self.runs[0].step_samples
        self.fingerprint = _fingerprint(argument, config)

    @torch.inference_mode()
    def logits(self, audio: torch.Tensor) -> torch.Tensor:
        """See `Teacher.logits`."""
        parts = [
            slope * run.logits(audio[:, self.context_samples - run.context_samples :])
            for run, slope in zip(self.runs, self.slopes, strict=True)
        ]
        return torch.stack(parts).sum(0) + self.offset
