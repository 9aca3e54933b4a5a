"""The served endpoint and the dashboard."""

from __future__ import annotations

from pydantic import Field

from wakeword.config.base import Section, UserPath


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
    max_queued_s: float = Field(2.0, gt=0, le=60)
    """Unscored audio that a stream may hold before the server stops reading from it."""
    idle_timeout_s: float = Field(30.0, gt=0)
    max_session_s: float = Field(14_400.0, gt=0)
    drain_s: float = Field(5.0, ge=0)
    """How long streams may go on after the order to stop; then they are closed with code 1001."""
    max_upload_mb: float = Field(20.0, gt=0)
    """Largest file that `POST /v1/detect` and the dashboard take."""
    max_upload_s: float = Field(600.0, gt=0)
    """Longest audio in such a file: a compressed file may be far longer than its size tells."""
    token_file: UserPath = ""
    """File with the bearer token; empty reads WAKEWORD_TOKEN, and makes a token when that is empty too."""
    allowed_origins: tuple[str, ...] = ()
    """Browser origins that may connect beside the endpoint's own."""
    ha_proxy: bool = True
    """Put HAProxy in front of the replicas; False takes Ray's own proxy, which costs several times the processor."""
    dashboard: bool = False
    """Serve the dashboard too, under `/ui`."""
    dashboard_port: int = Field(7860, ge=1, le=65535)
    """Port of `wakeword dashboard`, which runs without the endpoint."""
