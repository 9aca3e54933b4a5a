"""The served endpoint, the dashboard, logging and tracking."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from wakeword.config.base import Section


class ServingConfig(Section):
    """Ray Serve: one micro-batcher per replica, WebSocket `/v1/stream`."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    replicas: int = Field(1, ge=1)
    cpus_per_replica: float = Field(1.0, gt=0)
    tick_ms: float = Field(8.0, gt=0, le=200)
    """How long the batcher waits to gather the chunks of many streams into one call."""
    max_streams: int = Field(200, ge=1)
    """Streams per replica; more are refused with close code 1013."""
    max_message_bytes: int = Field(262_144, ge=640)
    idle_timeout_s: float = Field(30.0, gt=0)
    max_session_s: float = Field(14_400.0, gt=0)
    token_file: str = ""
    """File with the bearer token; empty reads WAKEWORD_TOKEN, and makes a token when that is empty too."""
    allowed_origins: tuple[str, ...] = ()
    """Browser origins that may connect beside the endpoint's own."""
    ha_proxy: bool = True
    dashboard: bool = False


class TrackingConfig(Section):
    """What a run leaves behind beside its metrics file."""

    tensorboard: bool = True
    wandb_project: str = ""
    """Empty: no Weights & Biases."""
    resource_interval_s: float = Field(1.0, gt=0)
    log_format: Literal["auto", "human", "json"] = "auto"
    """`auto` is human on a terminal and JSON otherwise."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
