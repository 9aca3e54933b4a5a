"""A teacher's targets for training, made once, in parts that are files.

A teacher of the words scores *views*: a view is one placed, filled and augmented window of a clip, a function of (run
seed, clip, view number) alone (`BatchSampler.plan_views`), and the student trains on exactly these windows. A teacher
of features hears each clip once, as it is: its frames depend on clip and teacher alone, so that all words, seeds,
trials and augmentations share them, and the student's windows take theirs from the place and the tempo that they have.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from wakeword.batching.material import AUDIBLE, training_clips
from wakeword.config import SAMPLE_RATE_HZ, Config
from wakeword.data.shards import ShardSet
from wakeword.errors import ConfigError, DataError
from wakeword.stages.devices import stage_device
from wakeword.stages.runner import Runner, stage_runner
from wakeword.system.files import write_json
from wakeword.system.locks import lock_folder
from wakeword.teachers.registry import Teacher
from wakeword.teachers.stages import FeatureStage, TargetStage, ViewStage, window_context
from wakeword.teachers.types import open_teacher, teacher_fingerprint, teacher_kind
from wakeword.training.targets import TeacherTargets, feature_identity, read_part, target_parts, targets_identity

log = logging.getLogger(__name__)
_PART_ROWS = 512
"""Views in a part."""
_PART_S = 600.0
"""Seconds of audio in a part of features."""


def make_targets(
    config: Config, prepared_dir: str | Path, out_dir: str | Path, runner: Runner = "ray"
) -> TeacherTargets:
    """Make the targets of all train clips, or the parts that `out_dir` lacks; complete targets stay as they are.

    Args:
        config: the recipe, with `distillation.teacher`.
        prepared_dir: shards and index.
        out_dir: folder of `part-*.arrow` and of `index.json`, which is written last; every worker must see it.
        runner: `ray` runs the teacher in Ray Data actors, `local` in this process.

    Raises:
        ConfigError: no teacher is named, or it does not fit the student.
        DataError: `out_dir` holds other targets.
    """
    if not config.distillation.teacher:
        raise ConfigError(
            "distillation.teacher is empty: name the run folder of a trained teacher, or a type such as hama"
        )
    out_dir, shards = Path(out_dir), ShardSet.open(prepared_dir)
    kind, fingerprint = teacher_kind(config), teacher_fingerprint(config)
    facts: dict[str, Any]
    if kind == "words":
        facts = _word_facts(config, shards, fingerprint)
        parts = _view_parts(shards, config.distillation.views)
    else:
        facts = {"kind": "features", "identity": feature_identity(shards.config_hash, fingerprint)}
        parts = _feature_parts(shards)
    # Runs that share the prepared data may want the same features at the same time.
    with lock_folder(out_dir, ".targets.lock", math.inf, "makes targets in"):
        _claim(out_dir, facts)
        if not (out_dir / "index.json").is_file():
            _make(config, Path(prepared_dir), out_dir, runner, parts, ViewStage if kind == "words" else FeatureStage)
            clips = sum(len(part) for part in parts)
            write_json(out_dir / "index.json", facts | {"clips": clips} | _measured(out_dir, kind))
    return TeacherTargets(out_dir, fingerprint)


def _word_facts(config: Config, shards: ShardSet, fingerprint: str) -> dict[str, Any]:
    teacher = cast(Teacher, open_teacher(config, torch.device("cpu")))
    return {
        "kind": "words",
        "identity": targets_identity(config, shards, fingerprint),
        "views": config.distillation.views,
        "context_samples": window_context(config, teacher),
        "words": config.labels,
    }


def _view_parts(shards: ShardSet, views: int) -> list[list[int]]:
    """Rows of `training_clips` in each part."""
    clips, size = len(_audible(shards)), max(1, _PART_ROWS // views)
    return [list(range(at, min(at + size, clips))) for at in range(0, clips, size)]


def _feature_parts(shards: ShardSet) -> list[list[int]]:
    """Rows of the train split's table in each part, of about equal length."""
    lengths = pc.binary_length(shards.table("train").column("audio")).to_numpy() / 2
    parts: list[list[int]] = [[]]
    seconds = 0.0
    for row in _audible(shards).tolist():
        if parts[-1] and seconds + lengths[row] / SAMPLE_RATE_HZ > _PART_S:
            parts.append([])
            seconds = 0.0
        parts[-1].append(row)
        seconds += lengths[row] / SAMPLE_RATE_HZ
    return parts


def _audible(shards: ShardSet) -> np.ndarray:
    """Rows of the train split's table that `training_clips` loads, in its order. Raises DataError without any."""
    kinds = shards.table("train").column("kind")
    rows = np.flatnonzero(pc.is_in(kinds, pa.array(AUDIBLE, pa.string())))
    if not len(rows):
        training_clips(shards, "train", torch.device("cpu"))  # raises the same error as training
    return rows


def _make(
    config: Config,
    prepared_dir: Path,
    out_dir: Path,
    runner: Runner,
    parts: list[list[int]],
    stage: type[TargetStage],
) -> None:
    """Make the parts that are absent."""
    names = [f"part-{number:05d}.arrow" for number in range(len(parts))]
    left = [number for number, name in enumerate(names) if not (out_dir / name).is_file()]
    if len(left) < len(parts):
        log.info("%s: %d of %d parts are there already", out_dir, len(parts) - len(left), len(parts))
    table = pa.table(
        {
            "part": pa.array([names[number] for number in left], pa.string()),
            "clips": pa.array([parts[number] for number in left], pa.list_(pa.int64())),
        }
    )
    halved: set[int] = set()
    with stage_runner(config, runner, None) as run:
        work = stage(config, prepared_dir, out_dir, stage_device(config, runner, config.distillation.gpus))
        for done in run(work, table, "teacher targets"):
            halved |= set(done.column("halved").to_pylist()) - {0}
    if halved:
        log.warning(
            "the teacher ran out of memory and went on with %d pieces at a time: lower distillation.batch_s (now %g)",
            min(halved),
            config.distillation.batch_s,
        )


def _claim(out_dir: Path, facts: dict[str, Any]) -> None:
    """Record the facts of the targets in the folder, or compare them with those recorded."""
    path = out_dir / "targets.json"
    if not path.is_file():
        write_json(path, facts)
    elif json.loads(path.read_text(encoding="utf-8")) != facts:
        raise DataError(f"{out_dir} holds targets of another teacher, clips or settings: remove it or name another")


def _measured(out_dir: Path, kind: str) -> dict[str, Any]:
    """Of features: their grid, and mean and deviation of each dimension over all frames."""
    if kind == "words":
        return {}
    total, count = np.zeros((2, 1)), 0
    facts: dict[str, Any] = {}
    for table in _tables(out_dir):
        facts = {name.decode(): int(value) for name, value in table.schema.metadata.items()}
        for data in table.column("features").to_pylist():
            values = np.frombuffer(data, "<f2").reshape(-1, facts["dims"]).astype(np.float64)
            total = total + np.stack([values.sum(0), np.square(values).sum(0)])
            count += len(values)
    mean = total[0] / count
    deviation = np.sqrt(np.maximum(total[1] / count - mean**2, 0.0))
    return facts | {"mean": mean.tolist(), "deviation": deviation.tolist()}


def _tables(out_dir: Path) -> Iterator[pa.Table]:
    for path in target_parts(out_dir):
        yield read_part(path)
