"""The dashboard without Ray: one process, one port."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from wakeword.config import Config
from wakeword.errors import MissingExtraError, ServingError

from ..auth import Token, configured_token, is_loopback
from ..ports import require_free_port
from .settings import DashboardSettings


def run_dashboard(config: Config, bundle_path: str | Path | None = None, block: bool = True) -> Any:
    """Serve the dashboard alone on `serving.host:dashboard_port`, until SIGTERM or Ctrl-C.

    The login is the endpoint's token; on loopback without a configured token there is no login.

    Args:
        bundle_path: a bundle to offer beside those of the runs.
        block: False only builds and returns the application.

    Raises:
        ServingError: the port is taken or the token unreadable.
        MissingExtraError: Gradio is not installed.
    """
    try:
        import uvicorn

        from .app import mount_dashboard
    except ImportError as error:
        raise MissingExtraError("The dashboard", "dashboard", error) from error
    serving = config.serving
    token = configured_token(serving.token_file)
    generated = token is None and not is_loopback(serving.host)
    if generated:
        token = Token(secrets.token_urlsafe(24), "generated")
    settings = DashboardSettings(
        runs_dir=Path(config.runs_dir).resolve(),
        served=Path(bundle_path).resolve() if bundle_path else None,
        max_upload_mb=serving.max_upload_mb,
        max_upload_s=serving.max_upload_s,
    )
    if block:
        require_free_port(serving.host, serving.dashboard_port)
    app = mount_dashboard(settings, token.value if token else None)
    if not block:
        return app
    print(f"dashboard at http://{serving.host}:{serving.dashboard_port}", flush=True)
    if generated and token is not None:
        print(f"password (made for this run, printed once): {token.value}", flush=True)
    options: dict[str, Any] = {"log_level": "warning", "timeout_graceful_shutdown": 3}
    server = uvicorn.Server(uvicorn.Config(app, host=serving.host, port=serving.dashboard_port, **options))
    server.run()
    if not server.started:
        raise ServingError(f"the dashboard could not start on {serving.host}:{serving.dashboard_port}")
    return app
