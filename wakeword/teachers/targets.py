"""A teacher's scores of fixed views of the training clips, made once before training.

A *view* is one placed, filled and augmented window of a clip, a function of (run seed, clip, view number) alone: see
`BatchSampler.plan_views`. The teacher scores `distillation.views` of each clip; the student trains on exactly these
windows, so that teacher and student score the same audio.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from wakeword.batching.device import resolve_device
from wakeword.batching.material import training_augmenter, training_clips
from wakeword.batching.plans import BatchSampler
from wakeword.batching.views import ViewMaker
from wakeword.batching.windows import WindowMaker
from wakeword.config import Config, validate_config
from wakeword.data.shards import ShardSet
from wakeword.errors import ConfigError, DataError
from wakeword.models.streaming import StreamingModel
from wakeword.stages.runner import Runner, stage_runner
from wakeword.stages.stage import Stage, StageResources
from wakeword.system.files import atomic_path, write_json
from wakeword.teachers.registry import Teacher, open_teacher
from wakeword.training.targets import TARGET_SCHEMA, TeacherTargets, read_part, target_parts, targets_identity

_BATCH_CLIPS = 16
_PART_ROWS = 2_048


class TeacherStage(Stage):
    """Scores all views of a batch of clips; each worker loads the teacher and the clips."""

    name = "teacher targets"
    reads = ("clip", "clip_id")
    writes = tuple(TARGET_SCHEMA.names)

    def __init__(self, config: Config, prepared_dir: Path, device: str = "cpu") -> None:
        self.tree = config.model_dump(mode="json")
        self.prepared_dir = str(Path(prepared_dir).resolve())
        self.device = device
        self.resources = StageResources(
            cpus=1.0, gpus=1.0 if device == "cuda" else 0.0, batch_size=_BATCH_CLIPS, stateful=True
        )

    def setup(self) -> None:
        """Load teacher and clips.

        Raises:
            ConfigError: the teacher does not fit the student.
        """
        config = validate_config(self.tree, "teacher stage")
        device = resolve_device(self.device)
        shards = ShardSet.open(self.prepared_dir)
        clips = training_clips(shards, "train", device)
        self.teacher = open_teacher(config, device)
        self.context_samples = window_context(config, self.teacher)
        self.sampler = BatchSampler(config, clips, self.context_samples, config.distillation.views)
        windows = WindowMaker(clips, self.sampler.window_samples)
        self.views = ViewMaker(windows, training_augmenter(config, shards, clips, device))
        self.count = config.distillation.views

    def __call__(self, table: pa.Table) -> pa.Table:
        """One row per clip and view, from columns `clip` (row among the worker's clips) and `clip_id`."""
        clips = np.repeat(table.column("clip").to_numpy(), self.count).astype(np.int64)
        views = np.tile(np.arange(self.count, dtype=np.int64), table.num_rows)
        with torch.inference_mode():
            audio, _ = self.views(self.sampler.plan_views(clips, views))
            logits = self.teacher.logits(audio[:, self.context_samples - self.teacher.context_samples :])
        rows = logits.float().cpu().numpy().astype("<f2")
        return pa.table(
            {
                "clip_id": np.repeat(np.array(table.column("clip_id").to_pylist(), dtype=object), self.count),
                "view": views.astype(np.int32),
                "scores": np.full(len(rows), rows.shape[1], dtype=np.int32),
                "logits": [row.tobytes() for row in rows],
            },
            schema=TARGET_SCHEMA,
        )


def window_context(config: Config, teacher: Teacher) -> int:
    """Samples in front of the first score: the larger context of teacher and student.

    Raises:
        ConfigError: their steps differ.
    """
    student = StreamingModel(config, config.labels)
    if teacher.step_samples != student.step_samples:
        raise ConfigError(
            f"distillation.teacher scores every {teacher.step_samples} samples, the student every "
            f"{student.step_samples}: give both the same frontend.hop_ms and model.frame_stride"
        )
    return max(student.context_samples, teacher.context_samples)


def make_targets(
    config: Config, prepared_dir: str | Path, out_dir: str | Path, runner: Runner = "ray"
) -> TeacherTargets:
    """Score all views of all train clips with the teacher, or continue targets that `out_dir` holds.

    Args:
        config: the recipe, with `distillation.teacher`.
        prepared_dir: shards and index.
        out_dir: folder of `part-*.arrow` and of `index.json`, which is written last.
        runner: `ray` runs the teacher in Ray Data actors, `local` in this process.

    Raises:
        ConfigError: no teacher is named, or it does not fit the student.
        DataError: `out_dir` holds other targets.
    """
    if not config.distillation.teacher:
        raise ConfigError("distillation.teacher is empty: name the run folder of a trained teacher")
    out_dir = Path(out_dir)
    shards = ShardSet.open(prepared_dir)
    teacher = open_teacher(config, torch.device("cpu"))
    facts = {
        "identity": targets_identity(config, shards, teacher.fingerprint),
        "views": config.distillation.views,
        "context_samples": window_context(config, teacher),
        "words": config.labels,
    }
    _claim(out_dir, facts)
    clips = training_clips(shards, "train", torch.device("cpu"))
    ids = [str(clip_id) for clip_id in clips.columns["clip_id"]]
    done = {clip_id for path in target_parts(out_dir) for clip_id in read_part(path).column("clip_id").to_pylist()}
    left = [row for row, clip_id in enumerate(ids) if clip_id not in done]
    table = pa.table({"clip": pa.array(left, pa.int64()), "clip_id": pa.array([ids[row] for row in left], pa.string())})
    device = "cuda" if config.compute.device == "cuda" else "cpu"
    with stage_runner(config, runner, None) as run:
        _write_parts(out_dir, run(TeacherStage(config, Path(prepared_dir), device), table, "teacher targets"))
    write_json(out_dir / "index.json", facts | {"clips": len(ids)})
    return TeacherTargets(out_dir, teacher.fingerprint)


def _claim(out_dir: Path, facts: dict[str, Any]) -> None:
    """Record the facts of the targets in the folder, or compare them with those recorded."""
    path = out_dir / "targets.json"
    if not path.is_file():
        write_json(path, facts)
    elif json.loads(path.read_text(encoding="utf-8")) != facts:
        raise DataError(f"{out_dir} holds targets of another teacher, clips or settings: remove it or name another")


def _write_parts(out_dir: Path, tables: Iterator[pa.Table]) -> None:
    """Write tables as files of at least `_PART_ROWS` rows; the last may have fewer."""
    pending: list[pa.Table] = []
    for table in chain(tables, [None]):
        if table is not None:
            pending.append(table)
        if pending and (table is None or sum(part.num_rows for part in pending) >= _PART_ROWS):
            path = out_dir / f"part-{len(target_parts(out_dir)):04d}.arrow"
            with atomic_path(path) as temporary, pa.ipc.new_file(str(temporary), TARGET_SCHEMA) as writer:
                writer.write_table(pa.concat_tables(pending))
            pending = []
