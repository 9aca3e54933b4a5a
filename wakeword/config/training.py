"""Training and distillation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from wakeword.config.base import Section, UserPath


class TrainingConfig(Section):
    """The loop: AdamW, warm-up then cosine, EMA weights are what is validated, saved and exported."""

    epochs: int = Field(30, ge=1)
    steps_per_epoch: int = Field(60, ge=1)
    batch_size: int = Field(64, ge=2)
    """Clips per step over all workers."""
    positive_share: float = Field(0.35, gt=0, lt=1)
    window_s: float = Field(1.6, ge=0.8, le=20)
    """Scored part of a training clip; the receptive field is put in front of it."""
    hard_negative_share: float = Field(0.1, ge=0, lt=1)
    """Share of the negatives that are hard negatives (`wakeword mine`), where there are any."""
    replay_windows: int = Field(0, ge=0)
    """Windows whose embeddings each worker keeps and trains on again; 0 trains on each once. Only for families with a
    frozen body (`speech_embedding`): to make a window costs a hundred times what a head takes to learn from it."""
    replay_batch: int = Field(256, ge=2)
    """Kept windows per step, drawn for each head of `model.heads` apart, so that their mistakes differ."""
    learning_rate: float = Field(3e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    warmup_share: float = Field(0.1, ge=0, lt=1)
    gradient_clip: float = Field(2.0, gt=0)
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    """Off: smoothed words stop right above the worst false alarms (docs/explanation/journal.md)."""
    negative_weight: float = Field(2.0, gt=0)
    ema_decay: float = Field(0.995, ge=0, lt=1)
    amp: bool = False
    channels_last: bool = False
    seed: int = 0
    keep_checkpoints: int = Field(3, ge=1)

    @model_validator(mode="after")
    def _keeps_a_batch(self) -> TrainingConfig:
        if 0 < self.replay_windows < self.batch_size:
            raise ValueError(
                f"replay_windows = {self.replay_windows} is less than a batch of {self.batch_size} windows: keep as "
                "many at least, or 0 for none"
            )
        return self


class DistillationConfig(Section):
    """Soft targets from a teacher, made once per clip by Ray Data actors, or nothing when `teacher` is empty."""

    teacher: UserPath = ""
    """A run folder (any trained student) or the name of a registered teacher architecture's run."""
    weight: float = Field(0.5, ge=0, le=1)
    """Share of the loss that follows the teacher; the rest follows the labels."""
    temperature: float = Field(2.0, gt=0)
    views: int = Field(4, ge=1)
    """Augmented views of each clip that the teacher scores."""


class ComputeConfig(Section):
    """Where the work runs."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`cuda` that is not there is an error; `auto` takes what is."""
    workers: int = Field(1, ge=0)
    """Training workers (DDP from 2 on); 0 trains in the driver process."""
    cpus_per_worker: float = Field(2.0, gt=0)
    """CPUs that a training worker reserves; it computes with so many threads."""
    max_failures: int = Field(3, ge=0)
    ray_address: str = ""
    """Empty starts a local Ray, or joins the cluster that a job was submitted to."""
    data_cpus: int | None = Field(None, ge=1)
    """CPUs that preparation may use; None takes all."""
