"""The detector's Ray Serve deployment and application."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import ValidationError
from ray import serve as ray_serve

from wakeword.config.serving import ServingConfig
from wakeword.errors import ServingError

from .auth import Token, configured_token
from .gateway import build_gateway
from .service import DetectionService

APPLICATION = "wakeword"
DEPLOYMENT = "Detector"
_SPARE_REQUESTS = 64
"""Requests beside the streams: health checks, uploads and handshakes refused with 1013."""


@ray_serve.deployment(name=DEPLOYMENT)
@ray_serve.ingress()
class Detector:
    """One replica, with sessions, slots and micro-batcher in one process."""

    def __init__(self, config: dict[str, Any], token: str) -> None:
        self.service = DetectionService(ServingConfig.model_validate(config), Token(token, "environment"))

    def __serve_build_asgi_app__(self) -> FastAPI:
        return build_gateway(self.service)

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Load the bundle that `user_config` names; open streams finish with their bundle.

        Raises:
            ServingError: `user_config` names no bundle.
            BundleError: the first bundle is unusable.
        """
        path = user_config.get("bundle", "")
        if not path:
            raise ServingError("user_config needs `bundle`: the path of a bundle folder or zip on every node")
        await self.service.use_bundle(path)

    async def drain(self) -> None:
        """Refuse new streams, wait `serving.drain_s` for the open ones, then close them."""
        await self.service.drain()

    def check_health(self) -> None:
        """Raise ServingError after a failure of the model's thread, so that Serve replaces the replica."""
        if self.service.failure is not None:
            raise ServingError("the model's thread ended") from self.service.failure


def deployment(config: ServingConfig, token: str, bundle_path: str = "") -> Any:
    """The detector as a bound Serve application; without `bundle_path` the deployment's `user_config` must name one."""
    options: dict[str, Any] = {
        "num_replicas": config.replicas,
        "ray_actor_options": {"num_cpus": config.cpus_per_replica},
        # Beyond this Serve answers 503; the service's close code 1013 must come first.
        "max_ongoing_requests": 2 * config.max_streams + _SPARE_REQUESTS,
        "graceful_shutdown_timeout_s": config.drain_s + 5,
        "health_check_period_s": 5,
    }
    if bundle_path:
        options["user_config"] = {"bundle": bundle_path}
    detector: Any = Detector  # the decorator turns the class into a deployment
    return detector.options(**options).bind(config.model_dump(mode="json"), token)


def build_app(args: dict[str, Any]) -> Any:
    """Builder for `serve deploy serve/serve.yaml`: `args` holds the fields of the config section `serving`.

    Raises:
        ServingError: a field is unknown or impossible, or no token is configured (a generated one would differ
            between replicas and would not be printed).
    """
    try:
        config = ServingConfig.model_validate(args)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc']))} = {f['input']!r}: {f['msg']}" for f in error.errors())
        raise ServingError(f"args of the Serve application: {faults}") from error
    token = configured_token(config.token_file)
    if token is None:
        raise ServingError("no token: set serving.token_file, or WAKEWORD_TOKEN in the cluster's environment")
    return deployment(config, token.value)
