"""One training step, pure torch: windows -> augmentation -> front end -> SpecAugment -> student -> loss -> weights."""

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
from wakeword.training.losses import peak_scores_of, score_times_s, wake_loss
from wakeword.training.replay import Replay, Windows
from wakeword.training.soft_loss import distillation_loss


class SoftTargets(Protocol):
    """A teacher's scores of views that training replays: `wakeword.teachers.targets.TargetStore`."""

    extra_context_samples: int
    """How much more audio the teacher needs in front of its first score than the student."""

    def logits(self, plan: WindowPlan) -> torch.Tensor:
        """The teacher's logits of the views of a plan: `(batch, scores, words)` on the training device."""


def make_optimizer(model: nn.Module, settings: TrainingConfig) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019); weight decay on matrices and kernels only, not on biases and norms."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def _replay_of(settings: TrainingConfig, model: StreamingModel) -> Replay | None:
    if not settings.replay_windows:
        return None
    if not model.network.FROZEN_BODY:
        raise ConfigError(
            f"training.replay_windows = {settings.replay_windows} keeps what a frozen body says: the family "
            f"{model.network.config.family} has none; leave it at 0"
        )
    return Replay(settings.replay_windows)


class _Scored(nn.Module):
    """`StreamingModel.offline` as a forward, which is what DistributedDataParallel wraps."""

    def __init__(self, model: StreamingModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, audio: torch.Tensor, hook: FeatureHook) -> torch.Tensor:
        return self.model.offline(audio, hook)


class _Classified(nn.Module):
    """The trained part of a student with a frozen body as a forward."""

    def __init__(self, model: StreamingModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        return self.model.network.answer(embeddings)


class TrainingStep:
    """Takes plans, changes the model's weights.

    With `training.replay_windows` the windows of a plan are embedded and kept, and the update is made on windows drawn
    from all that are kept, for each head apart.

    Mixed precision (`training.amp`) is float16 with loss scaling on CUDA devices and bfloat16 on CPUs;
    `training.channels_last` stores activations with the channel last, which some convolutions are faster in.
    """

    def __init__(
        self,
        config: Config,
        model: StreamingModel,
        optimizer: torch.optim.Optimizer,
        views: ViewMaker,
        soft: SoftTargets | None = None,
        world: int = 1,
    ) -> None:
        self.config, self.model, self.optimizer = config, model, optimizer
        self.views, self.soft = views, soft
        settings = config.training
        self.device = views.device
        if settings.channels_last:
            model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.extra = soft.extra_context_samples if soft else 0
        self.replay = _replay_of(settings, model)
        scored: nn.Module = _Classified(model) if self.replay is not None else _Scored(model)
        self.scored = DistributedDataParallel(scored) if world > 1 else scored
        half = torch.float16 if self.device.type == "cuda" else torch.bfloat16
        self.half = half
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=settings.amp and self.device.type == "cuda")
        self.times_s: torch.Tensor | None = None
        self.feature_draws = torch.Generator(self.device)
        self.replay_draws = torch.Generator()

    def __call__(self, plan: WindowPlan, rate: float, step: int, rank: int = 0) -> torch.Tensor:
        """One update on this worker's rows of global batch `step`.

        Returns:
            `(4,)` float64 on the device: loss, its positive, negative and soft part, before the update.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self._seed(step, rank)
        self.model.train()
        terms = self.losses(plan)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(terms[0]).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.training.gradient_clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return torch.stack([term.detach().double() for term in terms])

    def remember(self, plan: WindowPlan, step: int, rank: int = 0) -> None:
        """Keep the windows of a step that a run before this one made its update with; nothing is trained."""
        self._seed(step, rank)
        self._keep(plan)

    def _seed(self, step: int, rank: int) -> None:
        """Dropout draws from torch's own generator: make it a function of the step, like everything else."""
        seed = int(row_seeds(self.config.training.seed, -1 - step, rank + 1)[rank] >> np.uint64(1))
        torch.manual_seed(seed)
        self.feature_draws.manual_seed(seed)
        self.replay_draws.manual_seed(seed)

    def losses(self, plan: WindowPlan) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Total loss (differentiable) and its positive, negative and soft part for the rows of a plan."""
        logits, asked = self._drawn(plan) if self.replay is not None else self._heard(plan)
        settings, mix = self.config.training, self.config.distillation
        hard = wake_loss(
            logits,
            asked.target,
            asked.word_end_s,
            self._times(logits.shape[1]),
            settings.label_smoothing,
            settings.negative_weight,
            peak_scores_of(self.model.step_samples, SAMPLE_RATE_HZ),
        )
        if asked.soft is None:
            return hard.total, hard.positive, hard.negative, torch.zeros((), device=self.device)
        soft = distillation_loss(logits, asked.soft, mix.temperature)
        return (1 - mix.weight) * hard.total + mix.weight * soft, hard.positive, hard.negative, soft

    def _heard(self, plan: WindowPlan) -> tuple[torch.Tensor, Windows]:
        """Logits of the plan's windows, and what they should have been."""
        windows = self._windows(plan)
        with self._precision():
            logits = self.scored(windows.content, self._mask_features).float()
        # A student of several heads answers once per head: each of them is asked for the same.
        answers = logits.shape[0] // len(plan)
        return logits, replace(
            windows,
            target=windows.target.repeat(answers, 1),
            word_end_s=windows.word_end_s.repeat(answers),
            soft=None if windows.soft is None else windows.soft.repeat(answers, 1, 1),
        )

    def _drawn(self, plan: WindowPlan) -> tuple[torch.Tensor, Windows]:
        """The plan's windows are kept; logits of others that are drawn from all, and what they should have been."""
        assert self.replay is not None
        self._keep(plan)
        drawn = self.replay.draw(self.config.model.heads * self.config.training.replay_batch, self.replay_draws)
        with self._precision():
            return self.scored(drawn.content).float(), drawn

    def _keep(self, plan: WindowPlan) -> None:
        assert self.replay is not None
        new = self._windows(plan)
        with self._precision():
            self.replay.add(replace(new, content=self.model.embed(new.content, self._mask_features)))

    def _windows(self, plan: WindowPlan) -> Windows:
        audio, word_end_s = self.views(plan)
        target = torch.as_tensor(plan.target, device=self.device)
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
        """The loss scaler's state as plain numbers; empty without one."""
        return {name: float(value) for name, value in self.scaler.state_dict().items()}

    def load_scaler(self, state: dict[str, float]) -> None:
        """Take up a saved scaler."""
        if state and self.scaler.is_enabled():
            whole = {"growth_interval", "_growth_tracker"}
            self.scaler.load_state_dict({k: int(v) if k in whole else v for k, v in state.items()})
