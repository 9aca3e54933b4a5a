"""Hyperparameter search with Ray Tune and Optuna over ranges of config keys."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from wakeword.config.base import Section


class RangeConfig(Section):
    """Values that one config key may take: a range with two ends, or a list."""

    type: Literal["uniform", "loguniform", "int", "choice"]
    """Distribution: uniform, uniform on a logarithmic scale, whole numbers, or a choice from `values`."""
    low: float | None = None
    """Lower end of the range, inclusive."""
    high: float | None = None
    """Upper end of the range, inclusive."""
    values: tuple[Any, ...] = ()
    """Values of a `choice`; an entry may be a list, such as the two ends of `augmentation.speed`."""

    @model_validator(mode="after")
    def _fits_its_type(self) -> RangeConfig:
        if self.type == "choice":
            if not self.values or self.low is not None or self.high is not None:
                raise ValueError("a choice has `values` and neither `low` nor `high`")
            return self
        if self.low is None or self.high is None or self.values:
            raise ValueError(f"a range of type {self.type} has `low` and `high` and no `values`")
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must lie below high ({self.high:g})")
        if self.type == "loguniform" and self.low <= 0:
            raise ValueError(f"the low end of a loguniform range must be above 0, got {self.low:g}")
        if self.type == "int" and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(f"an int range has whole numbers as its ends, got {self.low:g} and {self.high:g}")
        return self


class TuningConfig(Section):
    """A study: its trials, the resources of each, early stopping, and the search space."""

    trials: int = Field(20, ge=1)
    """Trials of the whole study, counted over all runs of the command."""
    metric: str = "val_frr"
    """Metric of `metrics.jsonl` to optimise, taken at the trial's best epoch."""
    mode: Literal["min", "max"] = "min"
    """Minimise or maximise the metric."""
    cpus_per_trial: float = Field(1.0, gt=0)
    """CPUs that a trial reserves."""
    gpus_per_trial: float = Field(0.0, ge=0)
    """GPUs that a trial reserves; with a fraction, several trials share one GPU. 0 with `compute.device: auto`:
    an equal share of the GPUs that there are."""
    max_concurrent: int = Field(2, ge=1)
    """Largest number of trials at a time."""
    grace_epochs: int = Field(3, ge=1)
    """Epochs before which ASHA stops no trial. Raise it when good trials start slowly."""
    reduction_factor: float = Field(3.0, gt=1)
    """ASHA continues one in this many trials at each of its rungs; larger values stop more trials early."""
    seed: int = Field(0, ge=0)
    """Seed of Optuna's sampler."""
    space: dict[str, RangeConfig] = Field(default_factory=dict)
    """Search space: dotted config keys to ranges, such as
    `{training.learning_rate: {type: loguniform, low: 0.0001, high: 0.01}}`."""
