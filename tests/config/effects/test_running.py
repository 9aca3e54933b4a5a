"""Names and folders, `compute`, `tracking` and `distillation`: where a run goes, what it takes, what it leaves."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

from tests.config.effects.effect import (
    Effect,
    Effects,
    Observe,
    check,
    config_with,
    falls,
    outcome,
    rises,
    shared_folder,
)
from tests.config.effects.material import CPU, prepared, train_clips
from tests.config.effects.test_data import corpus
from tests.config.effects.test_training import SMALL, run
from tests.teachers.pretrained_models import save_model
from wakeword.batching.material import training_augmenter
from wakeword.batching.plans import BatchSampler
from wakeword.batching.views import ViewMaker
from wakeword.batching.windows import WindowMaker
from wakeword.config import Config
from wakeword.data.shards import ShardSet
from wakeword.evaluation.evaluate import evaluate
from wakeword.models.streaming import StreamingModel
from wakeword.pipeline import prepared_folder, run_folder, run_pipeline
from wakeword.stages.ray_session import cluster_address
from wakeword.system.log import configure_logging
from wakeword.teachers.stages import FeatureStage, ViewStage
from wakeword.teachers.targets import make_targets
from wakeword.training import distributed, loop
from wakeword.training.step import TrainingStep, make_optimizer
from wakeword.training.targets import TargetStore, TeacherTargets
from wakeword.training.tracking import RunTracker


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    root, threads = logging.getLogger(), torch.get_num_threads()
    handlers, level = list(root.handlers), root.level
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def folders(config: Config, folder: Path) -> tuple[str, str]:
    return str(run_folder(config)), str(prepared_folder(config))


def cluster(config: Config, folder: Path) -> str:
    with mock.patch.dict(os.environ):
        os.environ.pop("RAY_ADDRESS", None)
        return cluster_address(config)


def device(config: Config, folder: Path) -> Any:
    """Where a run's model lies, or why it cannot start."""
    made = outcome(lambda: loop._Run(config, prepared(), folder, loop.TrainContext(), None))
    return made if isinstance(made, str) else next(made.model.parameters()).device.type


class Fitted(Exception):
    """Ray Train would start its workers now."""


def requested(what: str) -> Observe:
    """What is requested of Ray Train: `workers`, `cpus` of each, `failures` that it may replace."""

    def observe(config: Config, folder: Path) -> Any:
        from ray.train.torch import TorchTrainer

        def fit(trainer: Any) -> Any:
            scaling, failures = trainer.scaling_config, trainer.run_config.failure_config.max_failures
            cpus = scaling.resources_per_worker["CPU"]
            raise Fitted({"workers": scaling.num_workers, "cpus": cpus, "failures": failures}[what])

        with mock.patch.object(TorchTrainer, "fit", fit), pytest.raises(Fitted) as caught:
            distributed._fit(config, prepared(), folder, None)
        return caught.value.args[0]

    return observe


def tensorboard(config: Config, folder: Path) -> int:
    run(config, folder)
    return len(list(folder.glob("tensorboard/events.*")))


def opened(config: Config, folder: Path) -> Any:
    """What happens when metrics are to be kept and the package wandb is not installed."""
    with mock.patch.dict(sys.modules, {"wandb": None}):
        return outcome(lambda: RunTracker(config, folder).open(0, {}))


def traced(config: Config, folder: Path) -> Any:
    """The error when an evaluation of nothing is to be traced and the package weave is not installed."""
    with mock.patch.dict(sys.modules, {"weave": None}), mock.patch.dict(os.environ):
        for name in ("WANDB_MODE", "WEAVE_DISABLED"):
            os.environ.pop(name, None)
        return outcome(lambda: evaluate(folder / "none", folder, config, folder)).partition(":")[0]


def logged(config: Config, folder: Path) -> list[str]:
    """First characters of what a debug line, an information and a warning become."""
    stream = io.StringIO()
    configure_logging(config.tracking, stream)
    log = logging.getLogger("wakeword.effects")
    log.debug("debug"), log.info("information"), log.warning("warning")
    return [line[:1] for line in stream.getvalue().splitlines()]


def sampled(config: Config, folder: Path) -> bool:
    """Whether a run measures its memory more often than at the borders of its stages."""
    placed = config.model_copy(update={"runs_dir": str(folder)})
    run_pipeline(placed, ("prepare",), runner="local")
    lines = (run_folder(placed) / "resources.jsonl").read_text().splitlines()
    return len(lines) > BORDERS


BORDERS = 4
"""Samples at the beginning and the end of a run and of its one stage."""


@cache
def teacher() -> str:
    """A run that has learnt a little; it looks further back than its students."""
    folder = shared_folder("teacher") / "run"
    run(config_with({**SMALL, "model.pool_frames": 30}), folder)
    return str(folder)


TAUGHT = {**SMALL, "distillation.teacher": teacher, "distillation.views": 1}


@cache
def targets() -> TeacherTargets:
    return make_targets(config_with(TAUGHT), prepared(), shared_folder("targets") / "made", runner="local")


def made_targets(config: Config, folder: Path) -> Any:
    """How many files of targets are made, or why none can be."""
    found = outcome(lambda: make_targets(config, prepared(), folder / "targets", runner="local"))
    return found if isinstance(found, str) else len(list(found.folder.glob("part-*.arrow")))


def views(config: Config, folder: Path) -> int:
    """Rows of targets for two clips."""
    stage = ViewStage(config, prepared(), folder)
    stage.setup()
    return stage.make([0, 1])[0].num_rows


def distilled_loss(config: Config, folder: Path) -> float:
    torch.manual_seed(0)
    shards, clips = ShardSet.open(prepared()), train_clips()
    model = StreamingModel(config, config.labels)
    store = TargetStore.open(targets(), config, shards, clips, model)
    sampler = BatchSampler(config, clips, model.context_samples + store.extra_context_samples, 1)
    makers = ViewMaker(WindowMaker(clips, sampler.window_samples), training_augmenter(config, shards, clips, CPU))
    step = TrainingStep(config, model, make_optimizer(model, config.training), makers, store)
    return float(np.float64(step(sampler.batch(0), 1e-2, 0)[0]))


HEARD = {**SMALL, "distillation.teacher": "speech_embedding"}


@cache
def heard() -> TeacherTargets:
    return make_targets(config_with(HEARD), prepared(), shared_folder("heard") / "made", runner="local")


def feature_loss(config: Config, folder: Path) -> float:
    """The loss after a step towards the features of the embedding."""
    trained = loop.train(config, prepared(), folder, targets=heard())
    return float(trained.metrics["loss"])


@cache
def encoder() -> str:
    """A random encoder of transformers, with its setting `teacher`."""
    pytest.importorskip("transformers", reason="the extra [teachers] (transformers) is not installed")
    return f"transformers:{save_model(shared_folder('encoder') / 'hubert', 'hubert')}"


def first_features(config: Config, folder: Path) -> bytes:
    """The teacher's features of the first clip."""
    stage = FeatureStage(config, prepared(), folder)
    stage.setup()
    return bytes(stage.make([0])[0].column("features")[0].as_py())


def most_rows(config: Config, folder: Path) -> int:
    """The largest batch that the teacher hears."""
    stage = FeatureStage(config, prepared(), folder)
    stage.setup()
    real, rows = stage.teacher.features, []

    def hearing(audio: torch.Tensor) -> torch.Tensor:
        rows.append(len(audio))
        return real(audio)

    stage.teacher.features = hearing  # type: ignore[method-assign]
    stage.make(list(range(6)))
    return max(rows)


def reserved_gpus(config: Config, folder: Path) -> float:
    return FeatureStage(config, prepared(), folder, "cuda").resources.gpus


LAYERED = {**SMALL, "distillation.teacher": encoder}
WORKERS = {"compute.workers": 1, "compute.device": "cpu"}
PREPARED = {
    "data.sources": lambda: [{"type": "csv", "uri": corpus()}],
    "data.quality.guarded": False,
}

EFFECTS: Effects = {
    "name": Effect(folders, "other"),
    "runs_dir": Effect(folders, "elsewhere"),
    "compute.device": Effect(device, "cuda", "cpu", SMALL),
    "compute.workers": Effect(requested("workers"), 3, given=WORKERS, holds=rises),
    "compute.cpus_per_worker": Effect(requested("cpus"), 4, given=WORKERS, holds=rises),
    "compute.max_failures": Effect(requested("failures"), 5, given=WORKERS, holds=rises),
    "compute.ray_address": Effect(cluster, "cluster:6379"),
    "tracking.tensorboard": Effect(tensorboard, True, given={**SMALL, "training.steps_per_epoch": 1}, holds=rises),
    "tracking.wandb_project": Effect(opened, "wake", given={"tracking.tensorboard": False}),
    "tracking.weave_project": Effect(traced, "wake"),
    "tracking.resource_interval_s": Effect(sampled, 0.005, 100, PREPARED, rises),
    "tracking.log_format": Effect(logged, "human", "json"),
    "tracking.log_level": Effect(logged, "warning", given={"tracking.log_format": "json"}),
    "distillation.teacher": Effect(made_targets, teacher, "", {**SMALL, "distillation.views": 1}),
    "distillation.weight": Effect(distilled_loss, 0.9, given=TAUGHT),
    "distillation.temperature": Effect(distilled_loss, 5, given=TAUGHT),
    "distillation.feature_weight": Effect(feature_loss, 5.0, given=HEARD, holds=rises),
    "distillation.feature_loss": Effect(feature_loss, "mse", given=HEARD),
    "distillation.feature_latency_s": Effect(feature_loss, 0.4, given=HEARD),
    "distillation.layers": Effect(first_features, [1], given=LAYERED),
    "distillation.layer_weights": Effect(first_features, [3.0, 1.0], given={**LAYERED, "distillation.layers": [0, 2]}),
    "distillation.batch_s": Effect(most_rows, 2.0, given=HEARD, holds=falls),
    "distillation.gpus": Effect(reserved_gpus, 0.25, given=HEARD, holds=falls),
    "distillation.views": Effect(views, 3, given=TAUGHT, holds=rises),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_the_field_has_its_effect(name: str) -> None:
    check(name, EFFECTS[name])
