"""The training loop: each epoch runs its steps, validates and writes a checkpoint.

A call of `train` with the folder of an earlier run continues from its newest complete checkpoint. Every random draw is
a function of (seed, step), so an interrupted run ends with the same weights as an uninterrupted one. This file does not
use Ray; `wakeword.training.distributed` starts the loop in workers of Ray Train.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed

from wakeword.batching.material import training_augmenter, training_clips
from wakeword.batching.plans import BatchSampler
from wakeword.batching.views import ViewMaker
from wakeword.batching.windows import WindowMaker
from wakeword.config import Config, config_hash, save_config
from wakeword.data.resident import ResidentClips
from wakeword.data.shards import ShardSet
from wakeword.errors import DataError, RunError, WakewordError
from wakeword.models.streaming import StreamingModel
from wakeword.stages.progress import Progress
from wakeword.system.allocator import keep_freed_memory
from wakeword.system.device import resolve_device
from wakeword.system.locks import lock_folder
from wakeword.training import checkpoint
from wakeword.training.checkpoint import RunState
from wakeword.training.ema import ModelAverage
from wakeword.training.features import FeatureStore, FrameProjection
from wakeword.training.schedule import learning_rate
from wakeword.training.step import TrainingStep, make_optimizer
from wakeword.training.targets import TargetStore, TeacherTargets, complete_facts
from wakeword.training.tracking import RunTracker, epoch_text
from wakeword.training.validation import Validator

log = logging.getLogger(__name__)
WAIT_S = 60.0
"""Longest wait for the lock of workers whose driver was killed; they end a few seconds after it."""


@dataclass
class TrainContext:
    """Rank, device and callback of this process."""

    rank: int = 0
    world: int = 1
    device: torch.device | None = None
    """None: as `compute.device`."""
    report: Callable[[dict[str, Any]], None] | None = None
    """Called on every rank after each epoch with that epoch's metrics (empty on ranks above 0)."""


@dataclass
class TrainResult:
    """Result of a finished run."""

    run_dir: Path
    epochs: int
    best: dict[str, Any] = field(default_factory=dict)
    """Metrics of the best epoch: `epoch`, `val_frr`, `val_loss`."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """Metrics of the last epoch."""

    def figures(self) -> list[tuple[str, str, str]]:
        """A row per metric as text: its name, the best epoch's value (empty if none), the last epoch's value."""

        def text(value: Any) -> str:
            return f"{value:.5g}" if isinstance(value, float) else str(value)

        return [(name, text(self.best.get(name, "")), text(last)) for name, last in self.metrics.items()]


def train(
    config: Config,
    prepared_dir: str | Path,
    run_dir: str | Path,
    context: TrainContext | None = None,
    targets: TeacherTargets | None = None,
) -> TrainResult:
    """Train until `training.epochs` are done, or continue the run in `run_dir`.

    Args:
        config: the resolved config; saved as `run_dir/config.yaml`.
        prepared_dir: shards and index of `wakeword.data.prepare`.
        run_dir: folder of the run; with several workers it must be on a file system that all of them share.
        context: rank, world, device and report callback; None trains alone in this process.
        targets: a teacher's targets (`wakeword.teachers.targets`), where `distillation.teacher` is set.

    Raises:
        DataError: no usable clips. DeviceError: the requested GPU is absent.
        RunError: the loss became NaN, the folder belongs to another config, or another process trains in it.
    """
    context = context or TrainContext()
    with ExitStack() as stack:
        return _start(stack, config, Path(prepared_dir), Path(run_dir), context, targets).finish()


def _start(
    stack: ExitStack,
    config: Config,
    prepared_dir: Path,
    run_dir: Path,
    context: TrainContext,
    targets: TeacherTargets | None,
) -> _Run:
    """Set up; with several workers, all of them fail when one cannot start, instead of waiting for it."""
    run: _Run | None = None
    failure: WakewordError | None = None
    try:
        if context.rank == 0:
            stack.enter_context(lock_folder(run_dir, ".lock", WAIT_S, "trains into"))
        run = _Run(config, prepared_dir, run_dir, context, targets)
        if run.tracker:
            stack.callback(run.tracker.close)
    except WakewordError as error:
        failure = error
    if context.world > 1:
        failures = torch.tensor(float(failure is not None), device=context.device)
        torch.distributed.all_reduce(failures)
        if failure is None and failures.item():
            failure = RunError("another training worker could not start: see its log")
    if failure is not None or run is None:
        raise failure or RunError("training could not start")
    return run


def _open_targets(
    targets: TeacherTargets | None, config: Config, shards: ShardSet, clips: ResidentClips, model: StreamingModel
) -> tuple[TargetStore | None, FeatureStore | None]:
    """Scores of the words, or features, that a teacher has made."""
    if targets is None:
        return None, None
    if complete_facts(targets.folder).get("kind") == "features":
        return None, FeatureStore.open(targets, shards, clips)
    return TargetStore.open(targets, config, shards, clips, model), None


class _Run:
    """A run in one process."""

    def __init__(
        self, config: Config, prepared_dir: Path, run_dir: Path, context: TrainContext, targets: TeacherTargets | None
    ) -> None:
        self.config, self.run_dir, self.context = config, run_dir, context
        self.chief = context.rank == 0
        device = context.device or resolve_device(config.compute.device)
        if device.type == "cpu":
            keep_freed_memory()
        shards = ShardSet.open(prepared_dir)
        torch.manual_seed(config.training.seed)
        self.model = StreamingModel(config, config.labels).to(device)
        self.average = ModelAverage(self.model, config.training.ema_decay)
        clips = training_clips(shards, "train", device)
        soft, features = _open_targets(targets, config, shards, clips, self.model)
        # After the average, which would copy its hooks.
        self.projection = FrameProjection(self.model.network, features.dims).to(device) if features else None
        self.optimizer = make_optimizer(self.model, config.training, self.projection)
        extra = soft.extra_context_samples if soft else 0
        views = config.distillation.views if soft else 0
        self.sampler = BatchSampler(config, clips, self.model.context_samples + extra, views)
        windows = WindowMaker(clips, self.sampler.window_samples)
        self.step = TrainingStep(
            config,
            self.model,
            self.optimizer,
            ViewMaker(windows, training_augmenter(config, shards, clips, device)),
            soft,
            context.world,
            features,
            self.projection,
        )
        self.state = RunState(identity=identity(config, shards.config_hash))
        self._resume(run_dir)
        self.validator = self._validator(shards, device) if self.chief else None
        self.tracker = RunTracker(config, run_dir) if self.chief else None
        if self.tracker:
            save_config(config, run_dir / "config.yaml")
            self.tracker.open(self.state.epoch, self.state.metrics)

    def _validator(self, shards: ShardSet, device: torch.device) -> Validator | None:
        try:
            clips = training_clips(shards, "val", device)
        except DataError as error:
            log.warning("no validation: %s; the last epoch counts as the best", error)
            return None
        validator = Validator(self.config, clips, self.model.context_samples)
        if not validator.complete:
            log.warning("the val split lacks positives of a word or negatives: the last epoch counts as the best")
        return validator

    def _resume(self, run_dir: Path) -> None:
        found = checkpoint.newest_checkpoint(run_dir)
        if found is None:
            return
        folder, state = found
        changed = [name for name, value in self.state.identity.items() if state.identity.get(name) != value]
        if changed:
            raise RunError(
                f"{run_dir} holds a run with other settings ({', '.join(changed)}): "
                "choose another `name`, or remove the folder to start again"
            )
        checkpoint.restore(folder, self.model, self.average.model, self.optimizer, self.projection)
        self.step.load_scaler(state.scaler)
        self.average.updates = state.ema_updates
        self.state = state
        log.info("continuing %s after epoch %d", run_dir, state.epoch)
        self._refill()

    def _refill(self) -> None:
        """Rebuild the replay windows that an uninterrupted run would hold."""
        replay, rank, world = self.step.replay, self.context.rank, self.context.world
        if replay is None:
            return
        rows = len(self.sampler.batch(0, rank, world))
        first = max(0, self.state.step - math.ceil(replay.capacity / rows))
        # The same positions in the ring: `Replay.draw` draws positions.
        replay.added = first * rows
        with self._progress("windows of the run so far", self.state.step - first) as progress:
            for step in range(first, self.state.step):
                self.step.remember(self.sampler.batch(step, rank, world), step, rank)
                progress.advance()

    def finish(self) -> TrainResult:
        """Run the remaining epochs."""
        training = self.config.training
        with self._progress("training", training.epochs * training.steps_per_epoch) as progress:
            progress.start_at(self.state.step)
            while self.state.epoch < training.epochs:
                metrics = self._epoch(progress)
                if self.chief:
                    self._close_epoch(metrics)
                    progress.line(f"epoch {self.state.epoch} of {training.epochs}, {epoch_text(metrics)}")
                if self.context.report:
                    self.context.report(metrics if self.chief else {})
        return TrainResult(self.run_dir, self.state.epoch, dict(self.state.best), dict(self.state.metrics))

    def _progress(self, title: str, steps: int) -> Progress:
        """A progress bar on rank 0, none on the others."""
        return Progress(title, steps, "steps", None if self.chief else False, tenths=False)

    def _epoch(self, progress: Progress) -> dict[str, Any]:
        """Run one epoch on this worker's part of each global batch, then validate on rank 0."""
        settings = self.config.training
        total = settings.epochs * settings.steps_per_epoch
        # On the device, and read once at the end: a step never waits for the one before it.
        sums = torch.zeros(4, dtype=torch.float64, device=self.step.device)
        started = time.monotonic()
        rate = 0.0
        for _ in range(settings.steps_per_epoch):
            rate = learning_rate(self.state.step, total, settings.learning_rate, settings.warmup_share)
            plan = self.sampler.batch(self.state.step, self.context.rank, self.context.world)
            sums += self.step(plan, rate, self.state.step, self.context.rank)
            self.average.update(self.model)
            self.state.step += 1
            progress.to(self.state.step)
        if self.context.world > 1:
            torch.distributed.all_reduce(sums)
            sums /= self.context.world
        loss, positive, negative, soft = (sums / settings.steps_per_epoch).tolist()
        seconds = time.monotonic() - started
        if not math.isfinite(loss):
            raise RunError(
                f"the loss is {loss} in epoch {self.state.epoch + 1}: lower training.learning_rate "
                f"(now {settings.learning_rate:g}) or training.gradient_clip, or switch off training.amp; "
                "the run continues from its last checkpoint"
            )
        self.state.epoch += 1
        metrics: dict[str, Any] = {
            "epoch": self.state.epoch,
            "step": self.state.step,
            "learning_rate": rate,
            "loss": loss,
            "loss_positive": positive,
            "loss_negative": negative,
            "train_s": seconds,
            "clips_per_s": settings.batch_size * settings.steps_per_epoch / seconds,
        }
        if self.step.soft is not None:
            metrics["loss_soft"] = soft
        if self.step.features is not None:
            metrics["loss_features"] = soft
        if self.validator:
            metrics |= self.validator(self.average.model)
        return metrics | {"seconds": time.monotonic() - started}

    def _close_epoch(self, metrics: dict[str, Any]) -> None:
        """Write the checkpoint first: after a crash, `RunTracker.open` restores a missing line of metrics."""
        state = self.state
        if _rank(metrics) <= _rank(state.best):
            state.best = {name: metrics.get(name) for name in ("epoch", "val_frr", "val_loss")}
        state.metrics = metrics
        state.scaler = self.step.scaler_state()
        state.ema_updates = self.average.updates
        checkpoint.save_checkpoint(
            self.run_dir,
            state,
            self.model,
            self.average.model,
            self.optimizer,
            self.config.training.keep_checkpoints,
            self.projection,
        )
        assert self.tracker is not None
        self.tracker.epoch(metrics)


def _rank(metrics: dict[str, Any]) -> tuple[float, float]:
    """Lower is better; without validation all epochs are equal, and the last one wins."""
    frr, loss = (metrics.get(name) for name in ("val_frr", "val_loss"))
    return (math.inf if frr is None else frr, math.inf if loss is None else loss)


def identity(config: Config, data_hash: str) -> dict[str, str]:
    """Hashes of what a checkpoint's weights depend on; epochs and kept checkpoints may change later."""
    training = config.training.model_copy(update={"epochs": 1, "keep_checkpoints": 1})
    return {
        "words": config_hash(*config.words),
        "frontend": config_hash(config.frontend),
        "model": config_hash(config.model),
        "augmentation": config_hash(config.augmentation),
        "training": config_hash(training),
        "distillation": config_hash(config.distillation),
        "data": data_hash,
    }
