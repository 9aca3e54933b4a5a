"""The dashboard as a separate Ray Serve deployment, so that Gradio's memory is not in the detector's replicas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from ray import serve as ray_serve

from wakeword.config.serving import ServingConfig

from .settings import DashboardSettings


@ray_serve.deployment(name="Dashboard")
@ray_serve.ingress()
class Dashboard:
    """Builds its Blocks inside the replica; Ray's own GradioIngress fails with Gradio 6."""

    def __init__(self, config: dict[str, Any], runs_dir: str, bundle_path: str, token: str) -> None:
        serving = ServingConfig.model_validate(config)
        self.settings = DashboardSettings(
            Path(runs_dir), Path(bundle_path), serving.max_upload_mb, serving.max_upload_s
        )
        self.token = token

    def __serve_build_asgi_app__(self) -> FastAPI:
        from .app import mount_dashboard

        return mount_dashboard(self.settings, self.token)


def dashboard_deployment(config: ServingConfig, runs_dir: str, bundle_path: str, token: str) -> Any:
    """The dashboard as a bound Serve application; its login is the endpoint's token."""
    dashboard: Any = Dashboard  # the decorator turns the class into a deployment
    return dashboard.options(
        num_replicas=1, ray_actor_options={"num_cpus": 1}, max_ongoing_requests=200, graceful_shutdown_timeout_s=5
    ).bind(config.model_dump(mode="json"), runs_dir, bundle_path, token)
