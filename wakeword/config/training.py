"""Training and distillation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from wakeword.config.base import Section, UserPath


class TrainingConfig(Section):
    """The training loop: AdamW, linear warm-up, cosine decay. The EMA weights are validated, saved and exported."""

    epochs: int = Field(30, ge=1)
    """Number of epochs; each ends with a validation and a checkpoint."""
    steps_per_epoch: int = Field(60, ge=1)
    """Optimiser steps per epoch. Raise it with the amount of data."""
    batch_size: int = Field(64, ge=2)
    """Windows per step over all workers together."""
    positive_share: float = Field(0.35, gt=0, lt=1)
    """Share of the windows that contain a wake word."""
    window_s: float = Field(1.6, ge=0.8, le=20)
    """Length in seconds of the scored part of a window; the receptive field precedes it. It should hold the longest
    word."""
    hard_negative_share: float = Field(0.1, ge=0, lt=1)
    """Share of the negative windows that are hard negatives (`wakeword mine`), where there are any."""
    replay_windows: int = Field(0, ge=0)
    """Windows whose embeddings each worker keeps and trains on again; 0 uses each window once. Only for families with a
    frozen body (`speech_embedding`), where computing an embedding costs a hundred times a training step of a head."""
    replay_batch: int = Field(256, ge=2)
    """Kept windows per step, drawn separately for each head of `model.heads`, so that the errors of the heads
    differ."""
    learning_rate: float = Field(3e-3, gt=0)
    """Peak learning rate, reached after the warm-up. Lower it when the loss becomes unstable or not finite."""
    weight_decay: float = Field(1e-2, ge=0)
    """Weight decay of AdamW."""
    warmup_share: float = Field(0.1, ge=0, lt=1)
    """Share of all steps in which the learning rate rises linearly."""
    gradient_clip: float = Field(2.0, gt=0)
    """Largest norm of the gradient; larger ones are scaled down."""
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    """Label smoothing: positives are trained towards 1 - x, negatives towards x. Off by default, since smoothed words
    score only slightly above the worst false alarms (docs/explanation/journal.md)."""
    negative_weight: float = Field(2.0, gt=0)
    """Factor on the loss of scores that should be low. Raise it for fewer false alarms, lower it for fewer misses."""
    ema_decay: float = Field(0.995, ge=0, lt=1)
    """Decay per step of the exponential moving average of the weights; 0 switches averaging off."""
    amp: bool = False
    """Mixed precision: bfloat16, and float16 with loss scaling on GPUs without it. Faster on GPUs, slightly less
    exact."""
    channels_last: bool = False
    """Store activations with the channel last, which is faster for some convolutions."""
    seed: int = 0
    """Seed of weights, batches and augmentation. Train several seeds to see how much results vary."""
    keep_checkpoints: int = Field(3, ge=1)
    """Number of latest checkpoints to keep in addition to the best one."""

    @model_validator(mode="after")
    def _keeps_a_batch(self) -> TrainingConfig:
        if 0 < self.replay_windows < self.batch_size:
            raise ValueError(
                f"replay_windows = {self.replay_windows} is less than a batch of {self.batch_size} windows: keep at "
                "least as many, or 0 for none"
            )
        return self


class DistillationConfig(Section):
    """Knowledge distillation from a teacher, whose targets are computed once, before training.

    A teacher either scores the words (`run`, `ensemble`), or it has features of speech (`hama`, `speech_embedding`,
    `transformers`), which a linear layer on the student's frames learns to predict; that layer is not exported.
    """

    teacher: UserPath = ""
    """Run folder of a trained model, or `TYPE` or `TYPE:ARGUMENT`: `run:FOLDER`, `ensemble:FOLDER=WEIGHT,FOLDER=WEIGHT`
    (evaluated runs), `hama`, `speech_embedding`, `transformers:FOLDER_OR_ID`; empty for no distillation."""
    weight: float = Field(0.5, ge=0, le=1)
    """Weight of the scores of a teacher of the words in the loss; the rest is the weight of the labels."""
    temperature: float = Field(2.0, gt=0)
    """Temperature that divides both models' logits; larger values soften the targets."""
    views: int = Field(4, ge=1)
    """Augmented views of each clip that a teacher of the words scores. More views cost time and disk space, and the
    keyword model sees more variation. Features are those of the clean clip, for any number of views."""
    feature_weight: float = Field(0.5, ge=0)
    """Weight of the distance to a teacher's features, in addition to the loss of the words."""
    feature_loss: Literal["cosine", "mse"] = "cosine"
    """Distance to a teacher's features, each dimension normalised: 1 - cosine, or the mean squared error."""
    feature_latency_s: float = Field(0.1, ge=0, le=1)
    """A student's frame predicts the teacher's frame this long before. Students hear the past alone, many teachers also
    what follows."""
    layers: tuple[int, ...] = ()
    """Hidden layers of a `transformers` teacher: 0 is the input of its first block, negative numbers count from the
    end. Empty: the last layer."""
    layer_weights: tuple[float, ...] = ()
    """Weight of each of `layers` in their mean; empty: all equal."""
    batch_s: float = Field(32.0, gt=0)
    """Seconds of audio per call of a teacher of features. Where memory runs out, a worker halves it by itself."""
    gpus: float = Field(1.0, gt=0)
    """Share of a GPU that a worker of the teacher reserves, where one is used; 0.25 runs four workers on each."""

    @model_validator(mode="after")
    def _weights_fit(self) -> DistillationConfig:
        if self.layer_weights and len(self.layer_weights) != len(self.layers):
            raise ValueError(
                f"layer_weights has {len(self.layer_weights)} numbers for {len(self.layers)} layers: give one for each "
                "of `layers`, or none"
            )
        if self.layer_weights and sum(self.layer_weights) <= 0:
            raise ValueError("layer_weights must have a positive sum: they are the weights of a mean")
        return self


class ComputeConfig(Section):
    """Where the work runs."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device of training, teachers, aligners and trials: `auto` takes a GPU where there is one (on a cluster: where
    there are enough for all workers), `cuda` without a GPU is an error."""
    workers: int = Field(1, ge=0)
    """Training workers (DDP from 2 on); 0 trains in the driver process."""
    cpus_per_worker: float = Field(2.0, gt=0)
    """CPUs that a training worker reserves, and the number of its threads."""
    max_failures: int = Field(3, ge=0)
    """How often lost training workers are replaced before the run fails."""
    ray_address: str = ""
    """Address of the Ray cluster. Empty: the variable RAY_ADDRESS, which a submitted job has, or else a local Ray."""
    data_cpus: int | None = Field(None, ge=1)
    """Largest number of CPUs for stages on Ray Data, such as preparation and scoring; null uses all."""
