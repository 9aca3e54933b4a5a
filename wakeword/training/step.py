"""One training step, pure torch: windows -> augmentation -> front end -> SpecAugment -> network -> loss -> weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
import torch.distributed
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from wakeword.batching.plans import WindowPlan, row_seeds
from wakeword.batching.views import ViewMaker
from wakeword.config import SAMPLE_RATE_HZ, Config
from wakeword.config.training import TrainingConfig
from wakeword.errors import ConfigError
from wakeword.models.streaming import FeatureHook, StreamingModel
from wakeword.system.device import uploaded
from wakeword.training.features import FeatureStore, FrameProjection, feature_distance
from wakeword.training.losses import distillation_loss, peak_scores_of, score_times_s, wake_loss
from wakeword.training.replay import Replay, Windows


class SoftTargets(Protocol):
    """A teacher's scores of the views of training clips; see `wakeword.training.targets.TargetStore`."""

    extra_context_samples: int
    """Samples that the teacher needs in front of its first score in addition to the student's."""

    def logits(self, plan: WindowPlan) -> torch.Tensor:
        """The teacher's logits of the views of a plan: `(batch, scores, words)` on the training device."""


def make_optimizer(
    model: nn.Module, settings: TrainingConfig, projection: FrameProjection | None = None
) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019); weight decay on matrices and kernels only, not on biases and norms.

    On CUDA it is the fused one: one call for all weights, and a loss scaler need not be asked whether it skips a step.
    """
    parameters = [p for p in _parameters(model, projection) if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    fused = parameters[0].device.type == "cuda" or None
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=fused)


def half_precision(device: torch.device) -> torch.dtype:
    """The dtype of mixed precision: bfloat16 where the device has it, as CPUs do."""
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.float16
    return torch.bfloat16


def _parameters(model: nn.Module, projection: FrameProjection | None) -> list[nn.Parameter]:
    return [*model.parameters(), *(projection.parameters() if projection is not None else ())]


class _Scored(nn.Module):
    """Logits of audio, or of embeddings of a frozen body, as `forward`, for DistributedDataParallel; with a projection
    also the teacher's features that the student's frames predict."""

    def __init__(self, model: StreamingModel, embedded: bool, projection: FrameProjection | None) -> None:
        super().__init__()
        self.model, self.embedded, self.projection = model, embedded, projection

    def forward(
        self, content: torch.Tensor, hook: FeatureHook | None = None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        if self.embedded:
            return self.model.network.classify_embeddings(content), None
        logits = self.model.offline(content, hook)
        return logits, self.projection() if self.projection is not None else None


class TrainingStep:
    """Updates the model's weights on the windows of a plan.

    With `training.replay_windows` the windows of a plan are embedded and kept, and each head is trained on separate
    windows drawn from all that are kept.

    Mixed precision (`training.amp`) is bfloat16, and float16 with loss scaling on CUDA devices without it. A step reads
    nothing back from the device: `__call__` returns before the device has done it.
    """

    def __init__(
        self,
        config: Config,
        model: StreamingModel,
        optimizer: torch.optim.Optimizer,
        views: ViewMaker,
        soft: SoftTargets | None = None,
        world: int = 1,
        features: FeatureStore | None = None,
        projection: FrameProjection | None = None,
    ) -> None:
        """
        Args:
            soft: targets of a teacher of the words.
            features: targets of a teacher of features, which `projection` predicts.

        Raises:
            ConfigError: `training.replay_windows` without a frozen body, or with a teacher of features.
        """
        self.config, self.model, self.optimizer = config, model, optimizer
        self.views, self.soft, self.features, self.projection = views, soft, features, projection
        settings = config.training
        self.device = views.device
        if settings.channels_last:
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.extra = soft.extra_context_samples if soft else 0
        self.replay = Replay(settings.replay_windows) if settings.replay_windows else None
        if self.replay is not None and not model.network.FROZEN_BODY:
            raise ConfigError(
                f"training.replay_windows = {settings.replay_windows} needs a family with a frozen body, which "
                f"{config.model.family} has not: leave it at 0"
            )
        if self.replay is not None and features is not None:
            raise ConfigError(
                f"training.replay_windows = {settings.replay_windows} keeps windows without their places in the clips, "
                "which a teacher of features needs: set training.replay_windows=0"
            )
        scored = _Scored(model, self.replay is not None, projection)
        self.scored = DistributedDataParallel(scored) if world > 1 else scored
        self.half = half_precision(self.device)
        scaled = settings.amp and self.half == torch.float16
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=scaled)
        self.times_s: torch.Tensor | None = None
        # On the host: the same draws on every device.
        self.feature_draws, self.replay_draws = torch.Generator(), torch.Generator()

    def __call__(self, plan: WindowPlan, rate: float, step: int, rank: int = 0) -> torch.Tensor:
        """One update on this worker's rows of global batch `step`.

        Returns:
            `(4,)` float64 on the device: loss, its positive and negative part and that of the teacher, before the
            update.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self._seed(step, rank)
        self.model.train()
        terms = self.losses(plan)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(terms[0]).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(_parameters(self.model, self.projection), self.config.training.gradient_clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return torch.stack([term.detach().double() for term in terms])

    def remember(self, plan: WindowPlan, step: int, rank: int = 0) -> None:
        """Add the windows of an earlier step to the replay memory, without training."""
        self._seed(step, rank)
        self._keep(plan)

    def _seed(self, step: int, rank: int) -> None:
        """Seed all generators (dropout uses torch's global one) from the step and rank."""
        seed = int(row_seeds(self.config.training.seed, -1 - step, rank + 1)[rank] >> np.uint64(1))
        torch.manual_seed(seed)
        self.feature_draws.manual_seed(seed)
        self.replay_draws.manual_seed(seed)

    def losses(self, plan: WindowPlan) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Total loss (differentiable), its positive and negative part, and the teacher's, for the rows of a plan."""
        if self.replay is not None:
            logits, windows = self._replayed(plan)
            distance = None
        else:
            logits, windows, distance = self._rendered(plan)
        settings, mix = self.config.training, self.config.distillation
        hard = wake_loss(
            logits,
            windows.target,
            windows.word_end_s,
            self._times(logits.shape[1]),
            settings.label_smoothing,
            settings.negative_weight,
            peak_scores_of(self.model.step_samples, SAMPLE_RATE_HZ),
        )
        if distance is not None:
            return hard.total + mix.feature_weight * distance, hard.positive, hard.negative, distance
        if windows.soft is None:
            return hard.total, hard.positive, hard.negative, torch.zeros((), device=self.device)
        soft = distillation_loss(logits, windows.soft, mix.temperature)
        return (1 - mix.weight) * hard.total + mix.weight * soft, hard.positive, hard.negative, soft

    def _rendered(self, plan: WindowPlan) -> tuple[torch.Tensor, Windows, torch.Tensor | None]:
        """Logits of the plan's windows, the windows with a target per row of logits, and the distance to the teacher's
        features where there are any."""
        if self.features is None:
            windows, speed = self._windows(plan), None
        else:
            audio, word_end_s, speed = self.views.with_speed(plan)
            windows = Windows(audio, uploaded(plan.target, self.device), word_end_s)
        with self._precision():
            logits, predicted = self.scored(windows.content, self._mask_features)
        logits = logits.float()
        # The logits of several heads are rows of the batch; all heads have the same targets.
        heads = logits.shape[0] // len(plan)
        distance = None
        if predicted is not None and self.features is not None and speed is not None:
            times = self._frame_times(logits.shape[1], predicted.shape[1])
            target, inside = self.features.at(plan, times, speed)
            kind = self.config.distillation.feature_loss
            distance = feature_distance(predicted, target.repeat(heads, 1, 1), inside.repeat(heads, 1), kind)
        windows = replace(
            windows,
            target=windows.target.repeat(heads, 1),
            word_end_s=windows.word_end_s.repeat(heads),
            soft=None if windows.soft is None else windows.soft.repeat(heads, 1, 1),
        )
        return logits, windows, distance

    def _frame_times(self, scores: int, frames: int) -> torch.Tensor:
        """Samples of the window that the student's frames predict: `(frames,)`.

        The last frame belongs to the last score; a mean over time after the classifier makes scores fewer than frames.
        """
        first = self.model.context_samples - (frames - scores) * self.model.step_samples
        latency = self.config.distillation.feature_latency_s * SAMPLE_RATE_HZ
        return first + torch.arange(frames, device=self.device) * self.model.step_samples - latency

    def _replayed(self, plan: WindowPlan) -> tuple[torch.Tensor, Windows]:
        """Keep the plan's windows; logits of windows drawn from all kept ones, and these windows."""
        assert self.replay is not None
        self._keep(plan)
        drawn = self.replay.draw(self.config.model.heads * self.config.training.replay_batch, self.replay_draws)
        with self._precision():
            return self.scored(drawn.content)[0].float(), drawn

    def _keep(self, plan: WindowPlan) -> None:
        assert self.replay is not None
        new = self._windows(plan)
        with self._precision():
            self.replay.add(replace(new, content=self.model.embed(new.content, self._mask_features)))

    def _windows(self, plan: WindowPlan) -> Windows:
        audio, word_end_s = self.views(plan)
        target = uploaded(plan.target, self.device)
        return Windows(audio[:, self.extra :], target, word_end_s, self.soft.logits(plan) if self.soft else None)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=self.half, enabled=self.config.training.amp)

    def _mask_features(self, features: torch.Tensor) -> torch.Tensor:
        return self.views.augmenter.features(features, self.feature_draws)

    def _times(self, scores: int) -> torch.Tensor:
        if self.times_s is None or len(self.times_s) != scores:
            context = self.model.context_samples + self.extra
            times = score_times_s(scores, context, self.model.step_samples, SAMPLE_RATE_HZ)
            self.times_s = times.to(self.device)
        return self.times_s

    def scaler_state(self) -> dict[str, float]:
        """State of the loss scaler as numbers; empty without one."""
        return {name: float(value) for name, value in self.scaler.state_dict().items()}

    def load_scaler(self, state: dict[str, float]) -> None:
        """Restore the state of the loss scaler."""
        if state and self.scaler.is_enabled():
            whole = {"growth_interval", "_growth_tracker"}
            self.scaler.load_state_dict({k: int(v) if k in whole else v for k, v in state.items()})
