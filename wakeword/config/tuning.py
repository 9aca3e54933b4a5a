"""The sweep: Ray Tune and Optuna over ranges of config keys."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from wakeword.config.base import Section


class RangeConfig(Section):
    """Values that one config key may take: a range with two ends, or a list."""

    type: Literal["uniform", "loguniform", "int", "choice"]
    low: float | None = None
    high: float | None = None
    values: tuple[Any, ...] = ()
    """What `choice` chooses from; an entry may be a list, such as the two ends of `augmentation.speed`."""

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
    """How many trials, how they share the machine, and what they vary."""

    trials: int = Field(20, ge=1)
    """Trials of the whole study, however often the command was stopped and run again."""
    metric: str = "val_frr"
    """A number of the training metrics (`metrics.jsonl`), taken at the trial's best epoch."""
    mode: Literal["min", "max"] = "min"
    cpus_per_trial: float = Field(1.0, gt=0)
    gpus_per_trial: float = Field(0.0, ge=0)
    """A fraction: several trials share one GPU."""
    max_concurrent: int = Field(2, ge=1)
    grace_epochs: int = Field(3, ge=1)
    """ASHA stops no trial before this many epochs."""
    reduction_factor: float = Field(3.0, gt=1)
    """ASHA lets one trial in this many go on at each of its rungs."""
    seed: int = Field(0, ge=0)
    space: dict[str, RangeConfig] = Field(default_factory=dict)
    """Dotted config keys to ranges: `{training.learning_rate: {type: loguniform, low: 0.0001, high: 0.01}}`."""
