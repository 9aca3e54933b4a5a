"""A teacher's targets: made, continued, replayed by training, and followed by the student."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from tests.training.synthetic import make_prepared, tiny_config
from wakeword.batching.material import training_augmenter, training_clips
from wakeword.batching.plans import BatchSampler
from wakeword.batching.views import ViewMaker
from wakeword.batching.windows import WindowMaker
from wakeword.config import Config
from wakeword.data.shards import ShardSet
from wakeword.errors import ConfigError, DataError, RunError
from wakeword.models.streaming import StreamingModel
from wakeword.stages.ray_session import ray_session
from wakeword.teachers import targets
from wakeword.teachers.stages import ViewStage
from wakeword.teachers.targets import make_targets
from wakeword.teachers.types import open_teacher, teacher_fingerprint
from wakeword.training.loop import train
from wakeword.training.losses import distillation_loss
from wakeword.training.step import TrainingStep, make_optimizer
from wakeword.training.targets import TargetStore, TeacherTargets, read_part


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_prepared(tmp_path_factory.mktemp("prepared"), words=8)


@pytest.fixture(scope="module")
def teacher(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wider run: its receptive field is longer than the student's."""
    folder = tmp_path_factory.mktemp("teacher")
    config = tiny_config(
        model={"width": 0.75, "pool_frames": 30}, training={"epochs": 1, "steps_per_epoch": 25, "batch_size": 16}
    )
    train(config, prepared, folder)
    return folder


def _student(teacher: Path, **distillation: float) -> Config:
    return tiny_config(distillation={"teacher": str(teacher), "views": 2, **distillation})


@pytest.fixture(scope="module")
def made(prepared: Path, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> TeacherTargets:
    return make_targets(_student(teacher), prepared, tmp_path_factory.mktemp("targets"), runner="local")


def _step(prepared: Path, config: Config, made: TeacherTargets) -> tuple[BatchSampler, TrainingStep, TargetStore]:
    torch.manual_seed(0)
    shards, cpu = ShardSet.open(prepared), torch.device("cpu")
    clips = training_clips(shards, "train", cpu)
    model = StreamingModel(config, config.labels)
    store = TargetStore.open(made, config, shards, clips, model)
    sampler = BatchSampler(
        config, clips, model.context_samples + store.extra_context_samples, config.distillation.views
    )
    views = ViewMaker(WindowMaker(clips, sampler.window_samples), training_augmenter(config, shards, clips, cpu))
    return sampler, TrainingStep(config, model, make_optimizer(model, config.training), views, store), store


def test_training_replays_what_the_teacher_has_scored(prepared: Path, teacher: Path, made: TeacherTargets) -> None:
    config = _student(teacher)
    sampler, step, store = _step(prepared, config, made)
    assert store.extra_context_samples > 0
    plan = sampler.batch(0)
    audio, _ = step.views(plan)
    judge = open_teacher(config, torch.device("cpu"))
    front = step.model.context_samples + store.extra_context_samples - judge.context_samples
    assert front == 0
    assert torch.allclose(store.logits(plan), judge.logits(audio), atol=0.02), "they differ by float16 rounding only"


def test_each_clip_has_the_configured_number_of_views(prepared: Path, teacher: Path, tmp_path: Path) -> None:
    stage = ViewStage(_student(teacher, views=3), prepared, tmp_path)
    stage.setup()
    ids = stage.sampler.clip_ids[:2]
    done = stage(pa.table({"part": ["part-00000.arrow"], "clips": [[0, 1]]}))
    assert done.column("clips_done").to_pylist() == [2]
    table = read_part(tmp_path / "part-00000.arrow")
    assert table.column("clip_id").to_pylist() == [ids[0]] * 3 + [ids[1]] * 3
    assert table.column("view").to_pylist() == [0, 1, 2] * 2
    rows = [np.frombuffer(data, "<f2") for data in table.column("logits").to_pylist()]
    assert not np.array_equal(rows[0], rows[1])


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in [*sorted(folder.glob("*.arrow")), folder / "index.json"]}


def test_targets_are_continued(prepared: Path, teacher: Path, tmp_path: Path, monkeypatch) -> None:
    config = _student(teacher)
    monkeypatch.setattr(targets, "_PART_ROWS", 20)
    whole = make_targets(config, prepared, tmp_path / "whole", runner="local")
    real = ViewStage.make
    seen: list[int] = []

    def dying(self: ViewStage, clips: list[int]) -> tuple[pa.Table, float]:
        if seen:
            raise KeyboardInterrupt
        seen.extend(clips)
        return real(self, clips)

    monkeypatch.setattr(ViewStage, "make", dying)
    with pytest.raises(KeyboardInterrupt):
        make_targets(config, prepared, tmp_path / "killed", runner="local")
    assert not (tmp_path / "killed" / "index.json").exists()
    again: list[int] = []

    def counting(self: ViewStage, clips: list[int]) -> tuple[pa.Table, float]:
        again.extend(clips)
        return real(self, clips)

    monkeypatch.setattr(ViewStage, "make", counting)
    continued = make_targets(config, prepared, tmp_path / "killed", runner="local")
    assert seen
    assert again
    assert not set(seen) & set(again)
    assert _bytes(continued.folder) == _bytes(whole.folder)


@pytest.mark.ray
def test_actors_of_ray_data_make_the_same_targets(prepared: Path, teacher: Path, tmp_path: Path, monkeypatch) -> None:
    config = _student(teacher)
    monkeypatch.setattr(targets, "_PART_ROWS", 20)
    here = make_targets(config, prepared, tmp_path / "local", runner="local")
    with ray_session(config):
        spread = make_targets(config, prepared, tmp_path / "ray", runner="ray")
    assert len(list(here.folder.glob("*.arrow"))) > 2
    assert _bytes(spread.folder) == _bytes(here.folder)


def test_weight_and_temperature_change_the_gradients(prepared: Path, teacher: Path, made: TeacherTargets) -> None:
    def gradient(**distillation: float) -> torch.Tensor:
        sampler, step, _ = _step(prepared, _student(teacher, **distillation), made)
        torch.manual_seed(0)
        step.feature_draws.manual_seed(0)
        step.losses(sampler.batch(0))[0].backward()
        return torch.cat([p.grad.flatten() for p in step.model.parameters() if p.grad is not None])

    base, none = gradient(weight=0.5), gradient(weight=0.0)
    assert not torch.allclose(base, none, rtol=1e-3)
    assert not torch.allclose(base, gradient(weight=0.5, temperature=5.0), rtol=1e-3)
    assert torch.allclose(none, gradient(weight=0.0, temperature=5.0)), "with weight 0 the teacher has no influence"


def test_a_distilled_student_is_closer_to_its_teacher(
    prepared: Path, teacher: Path, made: TeacherTargets, tmp_path: Path
) -> None:
    training = {"epochs": 1, "steps_per_epoch": 20, "learning_rate": 1e-2, "ema_decay": 0.8}
    config = tiny_config(training=training, distillation={"teacher": str(teacher), "views": 2, "weight": 1.0})
    plain = tiny_config(training=training)
    distilled = train(config, prepared, tmp_path / "distilled", targets=made)
    train(plain, prepared, tmp_path / "plain")
    assert distilled.metrics["loss_soft"] > 0
    sampler, step, store = _step(prepared, config, made)
    plan = sampler.batch(1_000)
    audio, _ = step.views(plan)
    distance = {}
    for name in ("distilled", "plain"):
        from wakeword.training.checkpoint import load_trained

        model, _ = load_trained(tmp_path / name)
        with torch.inference_mode():
            logits = model.offline(audio[:, store.extra_context_samples :])
        distance[name] = float(distillation_loss(logits, store.logits(plan), 1.0))
    assert distance["distilled"] < 0.8 * distance["plain"]


def test_what_does_not_fit_is_refused(prepared: Path, teacher: Path, made: TeacherTargets, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"distillation\.teacher is empty"):
        make_targets(tiny_config(), prepared, tmp_path)
    with pytest.raises(RunError, match="holds no trained model"):
        make_targets(_student(tmp_path / "none"), prepared, tmp_path, runner="local")
    with pytest.raises(ConfigError, match="unknown type 'wizard'"):
        open_teacher(_student(Path("wizard:x")), torch.device("cpu"))
    other = _student(teacher)
    other = other.model_copy(update={"words": tiny_config(words=[{"label": "jarvis"}]).words})
    with pytest.raises(ConfigError, match="not for jarvis"):
        open_teacher(other, torch.device("cpu"))
    faster = tiny_config(model={"frame_stride": 1}, distillation={"teacher": str(teacher)})
    with pytest.raises(ConfigError, match=r"model\.frame_stride"):
        make_targets(faster, prepared, tmp_path / "x", runner="local")
    with pytest.raises(DataError, match="another teacher, clips or settings"):
        make_targets(_student(teacher, views=4), prepared, made.folder, runner="local")
    with pytest.raises(DataError, match="no complete teacher targets"):
        _step(prepared, _student(teacher), TeacherTargets(tmp_path, made.fingerprint))
    with pytest.raises(DataError, match="another teacher, clips or settings"):
        _step(prepared, _student(teacher), TeacherTargets(made.folder, "another teacher"))
    assert teacher_fingerprint(_student(teacher)) == made.fingerprint
