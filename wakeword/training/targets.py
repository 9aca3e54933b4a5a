"""A teacher's targets for training: scores of fixed views of the training clips, or features of the clips.

`wakeword.teachers.targets` makes them; `wakeword.training.features` reads features.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from wakeword.batching.plans import WindowPlan
from wakeword.config import Config, config_hash
from wakeword.data.resident import ResidentClips
from wakeword.data.shards import ShardSet
from wakeword.errors import DataError
from wakeword.models.streaming import StreamingModel
from wakeword.system.device import uploaded

TARGET_SCHEMA = pa.schema(
    [("clip_id", pa.string()), ("view", pa.int32()), ("scores", pa.int32()), ("logits", pa.large_binary())]
)
"""`logits`: little-endian float16, `(scores, words)` in rows."""
FEATURE_SCHEMA = pa.schema([("clip_id", pa.string()), ("frames", pa.int32()), ("features", pa.large_binary())])
"""`features`: little-endian float16, `(frames, dims)` in rows. The files' metadata hold `dims`, `step_samples` and
`first_sample`: frame `i` is centred at sample `first_sample + i * step_samples` of its clip."""


@dataclass(frozen=True)
class TeacherTargets:
    """A folder of targets and the fingerprint of their teacher."""

    folder: Path
    fingerprint: str

    def plain(self) -> tuple[str, str]:
        """Absolute folder and fingerprint as strings, for workers."""
        return str(self.folder.resolve()), self.fingerprint

    @classmethod
    def of(cls, values: Sequence[str] | None) -> TeacherTargets | None:
        """From the values of `plain`; None for None."""
        return None if values is None else cls(Path(values[0]), values[1])


def targets_identity(config: Config, shards: ShardSet, fingerprint: str) -> str:
    """Hash of what targets depend on: the teacher's weights, the clips, and the settings of a view."""
    sections = (config.augmentation, config.frontend, config.model, *config.words)
    training = {"seed": config.training.seed, "window_s": config.training.window_s}
    facts = [config_hash(*sections), training, shards.config_hash, fingerprint]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def feature_identity(data_hash: str, fingerprint: str) -> str:
    """Hash of what features depend on: the prepared data (`ShardSet.config_hash`) and the teacher."""
    return hashlib.sha256(json.dumps(["features", data_hash, fingerprint]).encode()).hexdigest()[:16]


def complete_facts(folder: Path) -> dict[str, Any]:
    """The facts of complete targets. Raises DataError when they are incomplete."""
    if not (folder / "index.json").is_file():
        raise DataError(f"{folder} holds no complete teacher targets: make them first (`wakeword train` does)")
    return dict(json.loads((folder / "index.json").read_text(encoding="utf-8")))


def target_parts(out_dir: Path) -> list[Path]:
    """Files of a folder of targets, in order."""
    return sorted(out_dir.glob("part-*.arrow"))


def read_part(path: Path) -> pa.Table:
    """Rows of one file (`TARGET_SCHEMA`). Raises DataError when it is damaged."""
    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} cannot be read ({error}): remove it and train again") from error


class TargetStore:
    """A teacher's logits of all views, on the training device.

    Attributes:
        extra_context_samples: samples in front of a view's first score in addition to the student's context.
    """

    def __init__(self, logits: torch.Tensor, views: int, extra_context_samples: int) -> None:
        self._logits = logits
        self._views = views
        self.extra_context_samples = extra_context_samples

    @classmethod
    def open(
        cls, targets: TeacherTargets, config: Config, shards: ShardSet, clips: ResidentClips, model: StreamingModel
    ) -> TargetStore:
        """Read complete targets for these clips.

        Raises:
            DataError: they are incomplete, or belong to another teacher, other clips or other settings.
        """
        folder = targets.folder
        facts = complete_facts(folder)
        expected = targets_identity(config, shards, targets.fingerprint)
        views = config.distillation.views
        if facts["identity"] != expected or facts.get("views") != views or facts.get("words") != config.labels:
            raise DataError(f"{folder} holds targets of another teacher, clips or settings: make them again")
        place = {str(clip_id): row for row, clip_id in enumerate(clips.columns["clip_id"])}
        table = pa.concat_tables([read_part(path) for path in target_parts(folder)])
        if table.num_rows != len(place) * views:
            raise DataError(f"{folder} holds {table.num_rows} targets for {len(place) * views} views: make them again")
        scores = int(table.column("scores")[0].as_py())
        logits = np.empty((len(place) * views, scores, len(config.labels)), dtype=np.float16)
        columns = (table.column(name).to_pylist() for name in ("clip_id", "view", "logits"))
        for clip_id, view, data in zip(*columns, strict=True):
            logits[place[clip_id] * views + view] = np.frombuffer(data, "<f2").reshape(scores, -1)
        extra = facts["context_samples"] - model.context_samples
        return cls(torch.from_numpy(logits).to(clips.device), views, extra)

    def logits(self, plan: WindowPlan) -> torch.Tensor:
        """Logits of the views of a plan: `(batch, scores, words)`."""
        rows = uploaded(plan.clip * self._views + plan.view, self._logits.device)
        return self._logits[rows].float()
