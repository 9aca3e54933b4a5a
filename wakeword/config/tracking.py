"""Logging, scalars and resource samples of a run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from wakeword.config.base import Section


class TrackingConfig(Section):
    """What a run records in addition to its metrics file."""

    tensorboard: bool = True
    """Write TensorBoard event files into the run folder."""
    wandb_project: str = ""
    """Weights & Biases project for metrics; empty for none. Needs the extra [tracking]."""
    weave_project: str = ""
    """Weave project (`project` or `entity/project`) to which each evaluation is traced with its inputs, figures,
    duration and error; empty for none. Needs the extra [tracking], a key and a connection: with WANDB_MODE=offline
    nothing is traced, since Weave has no offline mode."""
    resource_interval_s: float = Field(1.0, gt=0)
    """Seconds between samples of CPU, memory and GPU use (`resources.jsonl`)."""
    log_format: Literal["auto", "human", "json"] = "auto"
    """Format of log lines: readable text (`human`), JSON lines (`json`), or text on a terminal and JSON elsewhere
    (`auto`)."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level that is logged; `debug` also forwards the output of Ray workers."""
