"""A teacher's scores of fixed views of the training clips: made once, replayed by training.

A *view* is one placed, filled and augmented window of a clip, a function of (run seed, clip, view number) alone: see
`BatchSampler.plan_views`. The teacher scores `distillation.views` of each clip; a distilled student then trains on
exactly these windows, so that teacher and student have heard the same sound.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch

from wakeword.batching.device import resolve_device
from wakeword.batching.material import training_augmenter, training_clips
from wakeword.batching.plans import BatchSampler, WindowPlan
from wakeword.batching.views import ViewMaker
from wakeword.batching.windows import WindowMaker
from wakeword.config import Config, config_hash, validate_config
from wakeword.data.resident import ResidentClips
from wakeword.data.shards import ShardSet
from wakeword.errors import ConfigError, DataError
from wakeword.models.streaming import StreamingModel
from wakeword.stages.in_process import run_stage as run_locally
from wakeword.stages.stage import Stage, StageResources
from wakeword.system.files import atomic_path, write_json
from wakeword.teachers.registry import Teacher, open_teacher

TARGET_SCHEMA = pa.schema(
    [("clip_id", pa.string()), ("view", pa.int32()), ("scores", pa.int32()), ("logits", pa.large_binary())]
)
"""`logits`: little-endian float16, `(scores, words)` in rows."""
_BATCH_CLIPS = 16
_PART_ROWS = 2_048


class TeacherStage(Stage):
    """Scores all views of a batch of clips; each worker holds the teacher and the clips."""

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
        """`clip` (row among the worker's clips), `clip_id` -> a row per clip and view."""
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
    """Samples in front of the first score that suffice for teacher and student.

    Raises:
        ConfigError: they score at different rates.
    """
    student = StreamingModel(config, config.labels)
    if teacher.step_samples != student.step_samples:
        raise ConfigError(
            f"distillation.teacher scores every {teacher.step_samples} samples, the student every "
            f"{student.step_samples}: give both the same frontend.hop_ms and model.frame_stride"
        )
    return max(student.context_samples, teacher.context_samples)


def targets_identity(config: Config, shards: ShardSet, teacher: Teacher) -> str:
    """Hash of what targets depend on: the teacher's weights, the clips, and what makes a view."""
    sections = (config.augmentation, config.frontend, config.model, *config.words)
    training = {"seed": config.training.seed, "window_s": config.training.window_s}
    facts = [config_hash(*sections), training, shards.config_hash, teacher.fingerprint]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def make_targets(
    config: Config, prepared_dir: str | Path, out_dir: str | Path, runner: Literal["ray", "local"] = "ray"
) -> Path:
    """Let the teacher score all views of all train clips; continues what `out_dir` holds of the same targets.

    Args:
        config: names the teacher, the number of views, and everything that shapes a view.
        prepared_dir: shards and index.
        out_dir: folder for `part-*.arrow` and `index.json` (which is written last).
        runner: `ray` uses Ray Data actors (Ray must be initialised), `local` this process.

    Raises:
        ConfigError: no teacher is named, or it does not fit.
        DataError: `out_dir` holds other targets.
    """
    if not config.distillation.teacher:
        raise ConfigError("distillation.teacher is empty: name the run folder of a trained teacher")
    out_dir = Path(out_dir)
    shards = ShardSet.open(prepared_dir)
    teacher = open_teacher(config, torch.device("cpu"))
    facts = {
        "identity": targets_identity(config, shards, teacher),
        "views": config.distillation.views,
        "context_samples": window_context(config, teacher),
        "words": config.labels,
    }
    _claim(out_dir, facts)
    clips = training_clips(shards, "train", torch.device("cpu"))
    ids = [str(clip_id) for clip_id in clips.columns["clip_id"]]
    done = _done(out_dir)
    left = [row for row, clip_id in enumerate(ids) if clip_id not in done]
    table = pa.table({"clip": pa.array(left, pa.int64()), "clip_id": pa.array([ids[row] for row in left], pa.string())})
    device = "cuda" if config.compute.device == "cuda" else "cpu"
    _write_parts(out_dir, _run(TeacherStage(config, Path(prepared_dir), device), table, config, runner))
    write_json(out_dir / "index.json", facts | {"clips": len(ids)})
    return out_dir


def _run(stage: TeacherStage, table: pa.Table, config: Config, runner: str) -> Iterator[pa.Table]:
    if runner == "local":
        yield from run_locally(stage, table)
        return
    from wakeword.stages.ray_data import run_stage

    yield from run_stage(stage, table, config.compute.data_cpus)


def _claim(out_dir: Path, facts: dict[str, Any]) -> None:
    """Note what the folder is for, before anything is in it."""
    path = out_dir / "targets.json"
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != facts:
            raise DataError(f"{out_dir} holds targets of another teacher, clips or settings: remove it or name another")
        return
    write_json(path, facts)


def _write_parts(out_dir: Path, tables: Iterator[pa.Table]) -> None:
    pending: list[pa.Table] = []
    for table in tables:
        pending.append(table)
        if sum(part.num_rows for part in pending) >= _PART_ROWS:
            _write_part(out_dir, pending)
            pending = []
    if pending:
        _write_part(out_dir, pending)


def _write_part(out_dir: Path, tables: list[pa.Table]) -> None:
    path = out_dir / f"part-{len(_parts(out_dir)):04d}.arrow"
    with atomic_path(path) as temporary, pa.ipc.new_file(str(temporary), TARGET_SCHEMA) as writer:
        writer.write_table(pa.concat_tables(tables))


def _parts(out_dir: Path) -> list[Path]:
    return sorted(out_dir.glob("part-*.arrow"))


def _read(path: Path) -> pa.Table:
    try:
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} cannot be read ({error}): remove it and make the targets again") from error


def _done(out_dir: Path) -> set[str]:
    return {clip_id for path in _parts(out_dir) for clip_id in _read(path).column("clip_id").to_pylist()}


class TargetStore:
    """A teacher's logits of all views, on the training device.

    Attributes:
        extra_context_samples: how much more audio than the student needs lies in front of a view's first score.
    """

    def __init__(self, logits: torch.Tensor, views: int, extra_context_samples: int) -> None:
        self._logits = logits
        self._views = views
        self.extra_context_samples = extra_context_samples

    @classmethod
    def open(
        cls, folder: str | Path, config: Config, shards: ShardSet, clips: ResidentClips, model: StreamingModel
    ) -> TargetStore:
        """Read complete targets for these clips.

        Raises:
            DataError: they are incomplete, or belong to another teacher, other clips or other settings.
        """
        folder = Path(folder)
        if not (folder / "index.json").is_file():
            raise DataError(f"{folder} holds no complete teacher targets: make them first (`wakeword train` does)")
        facts = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        expected = targets_identity(config, shards, open_teacher(config, torch.device("cpu")))
        views = config.distillation.views
        if facts["identity"] != expected or facts["views"] != views or facts["words"] != config.labels:
            raise DataError(f"{folder} holds targets of another teacher, clips or settings: make them again")
        place = {str(clip_id): row for row, clip_id in enumerate(clips.columns["clip_id"])}
        table = pa.concat_tables([_read(path) for path in _parts(folder)])
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
        rows = torch.as_tensor(plan.clip * self._views + plan.view, device=self._logits.device)
        return self._logits[rows].float()
