"""Ports of the endpoint and the dashboard."""

from __future__ import annotations

import socket

from wakeword.errors import ServingError


def require_free_port(host: str, port: int) -> None:
    """Check that a port is free. Raises ServingError where another program listens on it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ServingError(
                f"cannot listen on {host}:{port} ({error.strerror}): choose another serving.host or serving.port"
            ) from error
