"""The sweep: Ray Tune and Optuna over ranges of config keys."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from wakeword.config.base import Section


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
    seed: int = 0
    space: dict[str, dict[str, Any]] = {}
    """`{training.learning_rate: {type: loguniform, low: 1e-4, high: 1e-2}}`; types: uniform, loguniform, int, choice."""
