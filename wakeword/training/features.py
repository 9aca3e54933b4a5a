"""Features of a teacher as targets: where they lie for a window, and the layer that predicts them.

The teacher has heard the clip alone and unchanged. A window places the clip somewhere and may change its tempo around
an anchor; a student's frame at some time of the window asks for the clip's frame at the place that is heard there,
interpolated between two frames of the teacher. What surrounds the clip in the window has no target.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wakeword.batching.plans import WindowPlan
from wakeword.data.resident import ResidentClips
from wakeword.data.shards import ShardSet
from wakeword.errors import ConfigError, DataError
from wakeword.models.registry import KeywordModel
from wakeword.system.device import uploaded
from wakeword.training.targets import TeacherTargets, complete_facts, feature_identity, read_part, target_parts

_FLAT = 1e-3
"""Smallest deviation of a dimension: one that never changes would be divided by 0."""


class FeatureStore:
    """Features of all training clips, on the training device.

    Attributes:
        dims: of a frame.
    """

    def __init__(
        self,
        frames: Tensor,
        counts: np.ndarray,
        grid: tuple[int, int],
        scale: tuple[Sequence[float], Sequence[float]],
    ) -> None:
        """
        Args:
            frames: float16 `(all frames, dims)`, the clips one after another.
            counts: `(clips,)` frames of each clip.
            grid: samples per frame, and the sample in the middle of the first.
            scale: mean and deviation of each dimension.
        """
        device = frames.device
        self.dims = int(frames.shape[1])
        self._frames = frames
        self._counts = torch.as_tensor(counts, dtype=torch.int64, device=device)
        self._offsets = torch.cumsum(self._counts, 0) - self._counts
        self._step, self._first = grid
        self._mean, self._deviation = (torch.tensor(values, dtype=torch.float32, device=device) for values in scale)
        self._deviation.clamp_(min=_FLAT)

    @classmethod
    def open(cls, targets: TeacherTargets, shards: ShardSet, clips: ResidentClips) -> FeatureStore:
        """Read complete features of these clips.

        Raises:
            DataError: they are incomplete, or belong to another teacher or other clips.
        """
        folder = targets.folder
        facts = complete_facts(folder)
        if facts["identity"] != feature_identity(shards.config_hash, targets.fingerprint):
            raise DataError(f"{folder} holds targets of another teacher or other clips: make them again")
        found: dict[str, np.ndarray] = {}
        for path in target_parts(folder):
            table = read_part(path)
            for clip_id, data in zip(table.column("clip_id").to_pylist(), table.column("features"), strict=True):
                found[clip_id] = np.frombuffer(data.as_buffer(), "<f2").reshape(-1, facts["dims"])
        ids = [str(clip_id) for clip_id in clips.columns["clip_id"]]
        absent = next((clip_id for clip_id in ids if clip_id not in found), None)
        if absent is not None:
            raise DataError(f"{folder} holds no targets of the clip {absent}: make them again")
        counts = np.array([len(found[clip_id]) for clip_id in ids])
        frames = torch.empty(int(counts.sum()), facts["dims"], dtype=torch.float16)
        for clip_id, start, count in zip(ids, np.cumsum(counts) - counts, counts, strict=True):
            frames.numpy()[start : start + count] = found[clip_id]
        grid = facts["step_samples"], facts["first_sample"]
        return cls(frames.to(clips.device), counts, grid, (facts["mean"], facts["deviation"]))

    def at(self, plan: WindowPlan, times: Tensor, speed: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised features that are heard at given times of the windows of a plan.

        Args:
            plan: clips and their places.
            times: `(frames,)` samples from the windows' first.
            speed: `(batch,)` factor on the tempo of each window; the plan's anchor does not move.

        Returns:
            `(batch, frames, dims)` float32, and where there is audio of the clip: bool `(batch, frames)`.
        """
        device = self._frames.device
        clip, start, anchor = uploaded(np.stack([plan.clip, plan.start, plan.anchor]), device)
        anchor = anchor[:, None].double()
        heard = anchor + (times.to(device)[None, :].double() - anchor) * speed.to(device)[:, None].double()
        place = (start[:, None] + heard - self._first) / self._step
        last = (self._counts[clip] - 1)[:, None]
        inside = (place >= -0.5) & (place <= last + 0.5)
        place = torch.minimum(place.clamp(min=0.0), last.double())
        before = place.floor().long()
        after = torch.minimum(before + 1, last)
        share = (place - before).float()[:, :, None]
        offset = self._offsets[clip][:, None]
        value = self._frames[offset + before].float() * (1 - share) + self._frames[offset + after].float() * share
        return (value - self._mean) / self._deviation, inside


class FrameProjection(nn.Module):
    """A linear layer from a student's frames, the input of its classifier, to a teacher's features.

    It exists in training alone. `frames` of the last forward pass of the student are read with hooks on the layers
    called `classify`; those of several heads are rows of the batch, as their logits are.
    """

    def __init__(self, network: KeywordModel, dims: int) -> None:
        """Raises ConfigError when the family has no layer `classify`."""
        super().__init__()
        found = [module for name, module in network.named_modules() if name.rpartition(".")[2] == "classify"]
        if not found:
            raise ConfigError(
                f"model.family = {network.config.family} has no layer `classify`, whose input would learn a teacher's "
                "features: choose another family, or a teacher that scores the words"
            )
        widths = {int(module.in_channels) for module in found}  # type: ignore[arg-type]
        self.layer = nn.Linear(widths.pop(), dims)
        self._heard: list[Tensor] = []
        for module in found:
            module.register_forward_pre_hook(self._hear)

    def _hear(self, module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        if self.training:
            self._heard.append(arguments[0])

    def forward(self) -> Tensor:
        """Predictions `(rows, frames, dims)` of the student's last forward pass."""
        frames = torch.cat(self._heard)
        self._heard.clear()
        return self.layer(frames.transpose(1, 2))  # type: ignore[no-any-return]


def feature_distance(student: Tensor, teacher: Tensor, inside: Tensor, kind: str) -> Tensor:
    """Mean distance of predicted features to a teacher's, over the frames that have a target; 0 without any.

    Args:
        student: `(batch, frames, dims)`.
        teacher: the same shape.
        inside: bool `(batch, frames)`.
        kind: `cosine` (1 - cosine) or `mse` (mean over the dimensions).
    """
    student = student.float()
    if kind == "cosine":
        distance = 1 - F.cosine_similarity(student, teacher, dim=-1)
    else:
        distance = (student - teacher).square().mean(-1)
    return (distance * inside).sum() / inside.sum().clamp(min=1)
