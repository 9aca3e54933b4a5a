"""Logging, scalars and resource samples of a run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from wakeword.config.base import Section


class TrackingConfig(Section):
    """What a run leaves behind beside its metrics file."""

    tensorboard: bool = True
    wandb_project: str = ""
    """Empty: no Weights & Biases."""
    weave_project: str = ""
    """Weave project, `project` or `entity/project`, to which each evaluation is traced: its inputs, its figures, its
    time and its error. Empty: none. It needs a key of Weights & Biases and its server; with WANDB_MODE=offline nothing
    is traced, since Weave has no offline mode."""
    resource_interval_s: float = Field(1.0, gt=0)
    log_format: Literal["auto", "human", "json"] = "auto"
    """`auto` is human on a terminal and JSON otherwise."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
