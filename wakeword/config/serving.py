"""The served endpoint and the dashboard."""

from __future__ import annotations

from pydantic import Field

from wakeword.config.base import Section, UserPath


class ServingConfig(Section):
    """The endpoint: Ray Serve with one micro-batcher per replica and the WebSocket `/v1/stream`."""

    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0` accepts connections from other machines."""
    port: int = Field(8000, ge=1, le=65535)
    """Port of the endpoint."""
    replicas: int = Field(1, ge=1)
    """Replicas, each a process with the model. Raise it when `max_streams` of one replica is not enough."""
    cpus_per_replica: float = Field(1.0, gt=0)
    """CPUs that Ray reserves for a replica."""
    tick_ms: float = Field(8.0, gt=0, le=200)
    """Milliseconds for which the batcher collects chunks of many streams for one call of the model. Larger values cost
    less CPU time per stream and add latency."""
    max_streams: int = Field(200, ge=1)
    """Largest number of streams per replica; more are refused with close code 1013."""
    max_message_bytes: int = Field(262_144, ge=640)
    """Largest WebSocket message in bytes; a larger one closes the stream."""
    max_queued_s: float = Field(2.0, gt=0, le=60)
    """Seconds of unscored audio per stream at which the server stops reading from it until it has caught up."""
    idle_timeout_s: float = Field(30.0, gt=0)
    """Seconds without audio after which a stream is closed with code 1008."""
    max_session_s: float = Field(14_400.0, gt=0)
    """Longest session in seconds; then the stream is closed with code 1008 and the client connects again."""
    drain_s: float = Field(5.0, ge=0)
    """Seconds for which streams may continue after a stop signal; then they are closed with code 1001."""
    max_upload_mb: float = Field(20.0, gt=0)
    """Largest file in MiB that `POST /v1/detect` and the dashboard accept."""
    max_upload_s: float = Field(600.0, gt=0)
    """Longest audio in such a file in seconds; a small compressed file may contain hours."""
    token_file: UserPath = ""
    """File with the bearer token. Empty: the variable WAKEWORD_TOKEN, or a generated token where that is empty as
    well."""
    allowed_origins: tuple[str, ...] = ()
    """Browser origins that may connect in addition to the endpoint's own, such as `https://example.org`."""
    ha_proxy: bool = True
    """Use HAProxy in front of the replicas. False uses Ray's proxy, which needs several times the CPU time."""
    dashboard: bool = False
    """Serve the dashboard as well, under `/ui`."""
    dashboard_port: int = Field(7860, ge=1, le=65535)
    """Port of `wakeword dashboard`, which runs without the endpoint."""
