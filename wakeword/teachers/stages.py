"""The stages that make a teacher's targets. A row is a part: the worker makes it and writes it as one file.

Batches are formed within a part, from its own clips, so that a part's bytes do not depend on the worker, on the other
parts, or on whether the work was interrupted. On a CPU the teacher runs on one thread of each worker, whose sums are
then those of any other worker.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import torch

from wakeword.batching.material import training_augmenter, training_clips
from wakeword.batching.plans import BatchSampler
from wakeword.batching.views import ViewMaker
from wakeword.batching.windows import WindowMaker
from wakeword.config import SAMPLE_RATE_HZ, Config, validate_config
from wakeword.data.shards import ShardSet
from wakeword.errors import ConfigError, RunError
from wakeword.models.streaming import StreamingModel
from wakeword.stages.stage import Stage, StageResources
from wakeword.system.device import resolve_device
from wakeword.system.files import atomic_path
from wakeword.teachers.pieces import Piece, cut_pieces, same_length
from wakeword.teachers.registry import FeatureTeacher, Teacher
from wakeword.teachers.types import open_teacher
from wakeword.training.targets import FEATURE_SCHEMA, TARGET_SCHEMA

log = logging.getLogger(__name__)
BATCH_CLIPS = 16
"""Clips per call of a teacher of the words, all views of each."""


class TargetStage(Stage):
    """Makes the targets of a part; each worker loads the teacher and the clips.

    `halved` in the output is the number of rows that fit into memory where fewer than a batch did, else 0.
    """

    name = "teacher targets"
    reads = ("part", "clips")
    writes = ("part", "clips_done", "duration_s", "halved")
    schema: pa.Schema

    def __init__(self, config: Config, prepared_dir: Path, out_dir: Path, device: str = "cpu") -> None:
        self.tree = config.model_dump(mode="json")
        self.prepared_dir, self.out_dir = str(Path(prepared_dir).resolve()), str(Path(out_dir).resolve())
        self.device = device
        gpus = config.distillation.gpus if device == "cuda" else 0.0
        self.resources = StageResources(cpus=1.0, gpus=gpus, batch_size=1, stateful=True)

    def make(self, clips: list[int]) -> tuple[pa.Table, float]:
        """The targets of clips (numbers of `training_clips`), and the seconds of audio that the teacher heard."""
        raise NotImplementedError

    def __call__(self, table: pa.Table) -> pa.Table:
        """Make and write each part."""
        rows = []
        for row in table.to_pylist():
            with _one_thread(self.device):
                targets, seconds = self.make(row["clips"])
            path = Path(self.out_dir) / row["part"]
            with atomic_path(path) as temporary, pa.ipc.new_file(str(temporary), targets.schema) as writer:
                writer.write_table(targets)
            rows.append((row["part"], len(row["clips"]), seconds, self.memory.limit or 0))
        types = (pa.string(), pa.int64(), pa.float64(), pa.int64())
        columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), types, strict=True)]
        return pa.table(dict(zip(self.writes, columns, strict=True)))

    def setup(self) -> None:
        """Load teacher and clips.

        Raises:
            ConfigError: the teacher does not fit the student.
        """
        self.config = validate_config(self.tree, "teacher stage")
        self.memory = Memory()
        self.shards = ShardSet.open(self.prepared_dir)
        self.where = resolve_device(self.device)
        self.load()

    def load(self) -> None:
        """Load the rest of `setup`."""
        raise NotImplementedError


class ViewStage(TargetStage):
    """Scores of all views of clips, by a teacher of the words."""

    teacher: Teacher

    def load(self) -> None:
        """See `TargetStage.setup`."""
        config, device = self.config, self.where
        self.clips = training_clips(self.shards, "train", device)
        self.teacher = cast(Teacher, open_teacher(config, device))
        self.context_samples = window_context(config, self.teacher)
        self.sampler = BatchSampler(config, self.clips, self.context_samples, config.distillation.views)
        windows = WindowMaker(self.clips, self.sampler.window_samples)
        self.views = ViewMaker(windows, training_augmenter(config, self.shards, self.clips, device))

    def make(self, clips: list[int]) -> tuple[pa.Table, float]:
        """See `TargetStage.make`: a row of `TARGET_SCHEMA` per clip and view."""
        count = self.config.distillation.views
        parts = [self._rows(clips[at : at + BATCH_CLIPS], count) for at in range(0, len(clips), BATCH_CLIPS)]
        seconds = len(clips) * count * self.sampler.window_samples / SAMPLE_RATE_HZ
        return pa.concat_tables(parts), seconds

    def _rows(self, chosen: list[int], count: int) -> pa.Table:
        clips = np.repeat(np.array(chosen, dtype=np.int64), count)
        views = np.tile(np.arange(count, dtype=np.int64), len(chosen))
        with torch.inference_mode():
            audio, _ = self.views(self.sampler.plan_views(clips, views))
            heard = audio[:, self.context_samples - self.teacher.context_samples :]
            logits = self.memory.run(self.teacher.logits, heard)
        rows = logits.float().cpu().numpy().astype("<f2")
        ids = self.clips.columns["clip_id"]
        return pa.table(
            {
                "clip_id": [str(ids[clip]) for clip in clips],
                "view": views.astype(np.int32),
                "scores": np.full(len(rows), rows.shape[1], dtype=np.int32),
                "logits": [row.tobytes() for row in rows],
            },
            schema=TARGET_SCHEMA,
        )


class FeatureStage(TargetStage):
    """Features of whole clips, as they are, by a teacher of features."""

    teacher: FeatureTeacher

    def load(self) -> None:
        """See `TargetStage.setup`. The audio stays memory-mapped."""
        self.teacher = cast(FeatureTeacher, open_teacher(self.config, self.where))
        self.table = self.shards.table("train").select(["clip_id", "audio"])

    def make(self, clips: list[int]) -> tuple[pa.Table, float]:
        """See `TargetStage.make`: a row of `FEATURE_SCHEMA` per clip; `clips` are rows of the split's table."""
        taken = [self.table.column("audio")[clip].as_buffer() for clip in clips]
        audio = [np.frombuffer(data, "<i2") for data in taken]
        pieces = [piece for row, samples in enumerate(audio) for piece in cut_pieces(row, len(samples), self.teacher)]
        found: dict[tuple[int, int], np.ndarray] = {}
        for batch in same_length(pieces, self.config.distillation.batch_s):
            heard = torch.from_numpy(np.stack([piece.cut(audio[piece.clip]) for piece in batch])).to(self.where)
            features = self.memory.run(self.teacher.features, heard)
            for piece, values in zip(batch, features.float().cpu().numpy(), strict=True):
                found[piece.clip, piece.first_frame] = self._kept(piece, values)
        rows = [
            np.concatenate([values for key, values in sorted(found.items(), key=lambda item: item[0]) if key[0] == row])
            for row in range(len(clips))
        ]
        facts = {name: str(getattr(self.teacher, name)) for name in ("dims", "step_samples", "first_sample")}
        table = pa.table(
            {
                "clip_id": [self.table.column("clip_id")[clip].as_py() for clip in clips],
                "frames": pa.array([len(row) for row in rows], pa.int32()),
                "features": pa.array([row.tobytes() for row in rows], pa.large_binary()),
            },
            schema=FEATURE_SCHEMA,
        )
        return table.replace_schema_metadata(facts), sum(len(piece) for piece in pieces) / SAMPLE_RATE_HZ

    def _kept(self, piece: Piece, values: np.ndarray) -> np.ndarray:
        """The piece's own frames as float16, without those of its surroundings."""
        own = values[piece.skipped : piece.skipped + piece.frames]
        if len(own) < piece.frames or own.shape[1] != self.teacher.dims:
            raise RunError(
                f"the teacher gives features of shape {values.shape} for {len(piece)} samples, "
                f"({piece.skipped + piece.frames} or more, {self.teacher.dims}) were expected"
            )
        limit = np.finfo(np.float16).max
        return own.clip(-limit, limit).astype("<f2")


class Memory:
    """Runs a model on batches, in halves where they do not fit into memory.

    Attributes:
        limit: rows that fitted after a batch did not; None as long as all do.
    """

    def __init__(self) -> None:
        self.limit: int | None = None

    def run(self, model: Callable[[torch.Tensor], torch.Tensor], audio: torch.Tensor) -> torch.Tensor:
        """The model's output for audio `(rows, samples)`.

        Raises:
            RunError: not even one row fits.
        """
        parts: list[torch.Tensor] = []
        at = 0
        while at < len(audio):
            rows = min(self.limit or len(audio), len(audio) - at)
            try:
                # On the host, so that finished parts leave the device's memory free.
                parts.append(model(audio[at : at + rows]).cpu())
                at += rows
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not _out_of_memory(error):
                    raise
                if rows == 1:
                    raise RunError(
                        f"the teacher has too little memory for one piece of {audio.shape[1] / SAMPLE_RATE_HZ:.1f} s: "
                        "take a smaller teacher, or raise distillation.gpus so that fewer workers share a GPU"
                    ) from error
                self.limit = rows // 2
                log.warning(
                    "the teacher ran out of memory with %d pieces at a time: it goes on with %d", rows, rows // 2
                )
        return torch.cat(parts)


def _out_of_memory(error: Exception) -> bool:
    """torch reports a failed allocation on a CPU as a RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


@contextmanager
def _one_thread(device: str) -> Iterator[None]:
    threads = torch.get_num_threads()
    if device == "cpu" and threads > 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)


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
