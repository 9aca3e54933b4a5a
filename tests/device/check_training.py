"""A step of every family, and whole runs, on the simulated accelerator: the CPU's numbers, and the host waits for
nothing inside a step."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.device.accelerator import MixedDevicesError, Traffic, install, on_sim
from tests.training.synthetic import make_prepared, tiny_config
from wakeword.batching.material import training_augmenter, training_clips
from wakeword.batching.plans import BatchSampler
from wakeword.batching.views import ViewMaker
from wakeword.batching.windows import WindowMaker
from wakeword.config import Config
from wakeword.data.shards import ShardSet
from wakeword.models.families import families, family_of
from wakeword.models.streaming import StreamingModel
from wakeword.teachers.registry import FeatureTeacher
from wakeword.teachers.targets import make_targets
from wakeword.teachers.types import open_teacher
from wakeword.training import loop
from wakeword.training.checkpoint import epoch_folder
from wakeword.training.ema import ModelAverage
from wakeword.training.features import FeatureStore, FrameProjection
from wakeword.training.loop import TrainContext, train
from wakeword.training.step import TrainingStep, make_optimizer
from wakeword.training.targets import TargetStore
from wakeword.training.tracking import read_metrics
from wakeword.training.validation import Validator

SIM, CPU = install(), torch.device("cpu")
STEPS = 2


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_prepared(tmp_path_factory.mktemp("prepared"), words=6)


def config_of(family: str, **sections: dict[str, Any]) -> Config:
    made = family_of(family)
    model = {"family": family, "frame_stride": made.STRIDE or 2, "dropout": 0.1}
    if made.ENSEMBLE:
        model |= {"heads": 2, "pool_frames": 1}
    training = {"batch_size": 6, "window_s": 0.8, "learning_rate": 1e-3, **sections.pop("training", {})}
    frontend = {"n_mels": made.MELS or 40}
    return tiny_config(model=model, training=training, frontend=frontend, **sections)


@dataclass
class Parts:
    """What a run makes of a config."""

    sampler: BatchSampler
    step: TrainingStep
    average: ModelAverage[StreamingModel]
    validator: Validator

    def steps(self, traffic: Traffic | None = None) -> dict[str, Any]:
        """Losses, weights, the average's weights, logits of validation; the first step fills what is kept."""
        sums = torch.zeros(4, dtype=torch.float64, device=self.step.device)
        losses: list[torch.Tensor] = []
        gradients: list[torch.Tensor] = []
        for number in range(STEPS):
            if traffic is not None and number == 1:
                traffic.clear()
            terms = self.step(self.sampler.batch(number), 1e-3, number)
            sums += terms
            losses.append(terms)
            gradients = gradients or [
                p.grad.detach().clone() for p in self.step.model.parameters() if p.grad is not None
            ]
            self.average.update(self.step.model)
        if traffic is not None:
            assert traffic.reads == []
            assert traffic.blocking == []
        return {
            "losses": torch.stack(losses).cpu(),
            "sums": sums.cpu(),
            "gradients of the first step": torch.cat([gradient.flatten().cpu() for gradient in gradients]),
            "weights": torch.cat([p.detach().flatten().cpu() for p in self.step.model.parameters()]),
            "average": torch.cat([p.detach().flatten().cpu() for p in self.average.model.parameters()]),
            "pieces": torch.from_numpy(self.validator.piece_logits(self.average.model)),
        }


def built(prepared: Path, config: Config, device: torch.device) -> Parts:
    """As `wakeword.training.loop` builds it, with made-up targets where `distillation` names a teacher."""
    torch.manual_seed(0)
    shards = ShardSet.open(prepared)
    clips = training_clips(shards, "train", device)
    model = StreamingModel(config, config.labels).to(device)
    average = ModelAverage(model, 0.9)
    teacher, views = config.distillation.teacher, config.distillation.views
    projection = soft = features = None
    if teacher == "hama":
        counts = (clips.length.cpu().numpy() + 319) // 320
        frames = torch.randn(int(counts.sum()), 6).half().to(device)
        features = FeatureStore(frames, counts, (320, 0), ([0.0] * 6, [1.0] * 6))
        projection = FrameProjection(model.network, 6).to(device)
    sampler = BatchSampler(config, clips, model.context_samples, views if teacher == "run:x" else 0)
    if teacher == "run:x":
        scores = (sampler.window_samples - model.context_samples) // model.step_samples + 1
        soft = TargetStore(torch.randn(len(clips) * views, scores, 1).half().to(device), views, 0)
    maker = ViewMaker(WindowMaker(clips, sampler.window_samples), training_augmenter(config, shards, clips, device))
    optimizer = make_optimizer(model, config.training, projection)
    step = TrainingStep(config, model, optimizer, maker, soft, features=features, projection=projection)
    validator = Validator(config, training_clips(shards, "val", device), model.context_samples)
    return Parts(sampler, step, average, validator)


def compare(prepared: Path, config: Config) -> None:
    expected = built(prepared, config, CPU).steps()
    with on_sim() as traffic:
        found = built(prepared, config, SIM).steps(traffic)
    assert float(expected["losses"].abs().sum()) > 0
    # AdamW moves a weight whose gradient is rounding noise by a full step: weights are compared less closely.
    limits = {"losses": 1e-3, "sums": 1e-3, "gradients of the first step": 1e-2, "weights": 1e-2, "average": 1e-2,
              "pieces": 2e-2}  # fmt: skip
    for name, limit in limits.items():
        difference = (found[name] - expected[name]).double().norm() / expected[name].double().norm()
        assert float(difference) < limit, f"{name} differ by {float(difference):.2g}"


@pytest.mark.parametrize("family", families())
def test_a_step_of_every_family(prepared: Path, family: str) -> None:
    compare(prepared, config_of(family))


@pytest.mark.parametrize("teacher", ["run:x", "hama"])
def test_a_step_with_a_teachers_targets(prepared: Path, teacher: str) -> None:
    compare(prepared, config_of("tc_resnet", distillation={"teacher": teacher, "views": 2}))


def test_a_step_on_replayed_windows(prepared: Path) -> None:
    compare(prepared, config_of("speech_embedding", training={"replay_windows": 16, "replay_batch": 8}))


@pytest.mark.parametrize("family", families())
def test_streaming_states_stay_on_the_device(family: str) -> None:
    config = config_of(family)
    torch.manual_seed(0)
    model = StreamingModel(config, config.labels).eval()
    audio = 0.1 * torch.randn(3, 4 * model.step_samples, generator=torch.Generator().manual_seed(1))

    def streamed(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        state, scores = model.settled_state(3), []
        for chunk in audio.to(device).split(2 * model.step_samples, dim=1):
            score, state = model(chunk, state)
            scores.append(score)
        return torch.cat(scores, dim=1), state

    with torch.no_grad():
        expected = streamed(CPU)
        with on_sim() as traffic:
            model.to(SIM)
            traffic.clear()
            found = streamed(SIM)
            assert traffic.reads == []
            for mine, others in zip(found, expected, strict=True):
                torch.testing.assert_close(mine.cpu(), others, atol=1e-4, rtol=1e-4)


def test_a_run_is_the_cpus_run(prepared: Path, tmp_path: Path) -> None:
    config = tiny_config(training={"epochs": 2, "steps_per_epoch": 3})
    train(config, prepared, tmp_path / "cpu")
    with on_sim():
        train(config, prepared, tmp_path / "sim", TrainContext(device=SIM))
    lines = [read_metrics(tmp_path / name / "metrics.jsonl") for name in ("cpu", "sim")]
    assert [line["loss"] for line in lines[1]] == pytest.approx([line["loss"] for line in lines[0]], rel=1e-3)
    assert lines[1][1]["val_loss"] == pytest.approx(lines[0][1]["val_loss"], rel=2e-2)


def test_a_killed_run_on_the_device_ends_with_the_same_weights(prepared: Path, tmp_path: Path) -> None:
    config = tiny_config(training={"epochs": 2, "steps_per_epoch": 2})

    def stop(metrics: dict[str, Any]) -> None:
        raise InterruptedError

    with on_sim():
        train(config, prepared, tmp_path / "whole", TrainContext(device=SIM))
        with pytest.raises(InterruptedError):
            train(config, prepared, tmp_path / "killed", TrainContext(device=SIM, report=stop))
        train(config, prepared, tmp_path / "killed", TrainContext(device=SIM))
    for name in ("model", "ema", "optimizer"):
        whole, killed = (
            load_file(epoch_folder(tmp_path / run, 2) / f"{name}.safetensors") for run in ("whole", "killed")
        )
        assert all(torch.equal(whole[key], killed[key]) for key in whole)


def test_the_loops_old_line_would_be_found(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses summed on the CPU, as they were: the first step ends in an error, as it does on a GPU."""
    zeros = torch.zeros

    class OnTheHost:
        def __getattr__(self, name: str) -> Any:
            return getattr(torch, name)

        @staticmethod
        def zeros(*size: int, device: Any = None, **options: Any) -> torch.Tensor:
            return zeros(*size, **options)

    monkeypatch.setattr(loop, "torch", OnTheHost())
    with on_sim(), pytest.raises(MixedDevicesError):
        train(tiny_config(), prepared, tmp_path, TrainContext(device=SIM))


@pytest.mark.parametrize("name", ["speech_embedding", "hama"])
def test_a_teacher_of_features_hears_on_the_device(name: str) -> None:
    if name == "hama":
        pytest.importorskip("hama")
    config = tiny_config(distillation={"teacher": name})
    audio = 0.1 * torch.randn(2, 16_000, generator=torch.Generator().manual_seed(1))
    expected = cast(FeatureTeacher, open_teacher(config, CPU)).features(audio)
    with on_sim() as traffic:
        teacher, there = cast(FeatureTeacher, open_teacher(config, SIM)), audio.to(SIM)
        traffic.clear()
        found = teacher.features(there)
        assert traffic.reads == []
        torch.testing.assert_close(found.cpu(), expected, atol=1e-3, rtol=1e-3)


def test_a_teacher_scores_on_the_device(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(tiny_config(training={"epochs": 1, "steps_per_epoch": 2}), prepared, tmp_path / "teacher")
    config = tiny_config(distillation={"teacher": str(tmp_path / "teacher"), "views": 2})
    here = make_targets(config, prepared, tmp_path / "here", runner="local")
    monkeypatch.setattr("wakeword.teachers.stages.resolve_device", lambda wanted: SIM)
    with on_sim() as traffic:
        there = make_targets(config, prepared, tmp_path / "there", runner="local")
        assert traffic.reads, "scores are written on the host"
    models = StreamingModel(config, config.labels)
    shards = ShardSet.open(prepared)
    clips = training_clips(shards, "train", CPU)
    found, expected = (TargetStore.open(made, config, shards, clips, models)._logits for made in (there, here))
    np.testing.assert_allclose(found.float(), expected.float(), atol=0.05)
    facts = [json.loads((made.folder / "index.json").read_text()) for made in (there, here)]
    assert facts[0] == facts[1]
