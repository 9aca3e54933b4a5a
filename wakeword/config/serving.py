"""The served endpoint and the dashboard."""

from __future__ import annotations

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
