"""The endpoint on Ray Serve: starts it, runs it until SIGTERM or Ctrl-C, and ends all of its processes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from wakeword.config import Config
from wakeword.config.serving import ServingConfig
from wakeword.errors import MissingExtraError, ServingError
from wakeword.runtime.bundle import load_bundle
from wakeword.stages.ray_session import cluster_address, ray_session

from .auth import Token, resolve_token
from .ports import require_free_port

DASHBOARD_APPLICATION = "wakeword-dashboard"
DASHBOARD_PATH = "/ui"
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _StopSignal(BaseException):
    """SIGTERM or SIGINT, raised in the main thread so that every `finally` runs."""


@dataclass
class Endpoint:
    """A running endpoint; `stop()` drains it and ends Serve, and Ray too where `run` started it."""

    config: ServingConfig
    token: Token
    _cleanup: ExitStack = field(repr=False)

    @property
    def http_url(self) -> str:
        """Base URL for HTTP, with loopback in place of "all interfaces"."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.config.host, self.config.host)
        return f"http://{host}:{self.config.port}"

    @property
    def stream_url(self) -> str:
        """URL of the WebSocket."""
        return self.http_url.replace("http", "ws", 1) + "/v1/stream"

    def stop(self) -> None:
        """Refuse new streams, wait `serving.drain_s` for the others, shut down; has no effect a second time."""
        self._cleanup.close()

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def run(config: Config, bundle_path: str | Path, block: bool = True) -> Endpoint:
    """Serve a bundle on `serving.host:port`.

    Args:
        config: section `serving`; `compute.ray_address` names a cluster, without it a local one is started.
        bundle_path: folder or zip; on a cluster the path must hold the same bundle on every node.
        block: wait for SIGTERM or SIGINT, then drain and stop. Only the main thread can wait.

    Returns:
        The endpoint; already stopped when `block` was True.

    Raises:
        BundleError: the bundle is unusable (checked before anything starts).
        ServingError: the port is taken, the token unreadable, or Serve could not start the replicas.
        MissingExtraError: Ray Serve or, with `serving.dashboard`, Gradio is not installed.
    """
    path = str(Path(bundle_path).resolve())
    load_bundle(Path(path))
    serving = config.serving
    token = resolve_token(serving.token_file)
    require_free_port(serving.host, serving.port)
    if not block:
        return _start(config, path, token)
    before = {number: signal.getsignal(number) for number in _STOP_SIGNALS}
    endpoint: Endpoint | None = None
    with ExitStack() as stack:
        for number, handler in before.items():
            stack.callback(signal.signal, number, handler)
        try:
            _handle_signals(_raise_stop)
            endpoint = stack.enter_context(_start(config, path, token))
            # Once more, since Ray installs a handler for SIGTERM when it starts.
            _handle_signals(_raise_stop)
            _announce(endpoint)
            while True:
                time.sleep(3600)
        except _StopSignal:
            print("stopping: waiting for the open streams", flush=True)
        finally:
            # A second Ctrl-C must not interrupt the clean-up.
            _handle_signals(signal.SIG_IGN)
    return endpoint  # type: ignore[return-value]  # None only where a signal ended the start


def _start(config: Config, bundle_path: str, token: Token) -> Endpoint:
    serving = config.serving
    with ExitStack() as stack:
        stack.enter_context(_ingress_environment(serving, local=not cluster_address(config)))
        try:
            import fastapi  # noqa: F401
            import ray.serve
        except ImportError as error:
            raise MissingExtraError("Serving", "serve", error) from error
        from . import replica

        cpus = serving.replicas * serving.cpus_per_replica + (2 if serving.dashboard else 1)
        stack.enter_context(ray_session(config, min_cpus=cpus))
        stack.callback(ray.serve.shutdown)
        try:
            ray.serve.start(http_options={"host": serving.host, "port": serving.port})
        except (ray.exceptions.RayError, RuntimeError) as error:
            raise ServingError(f"Ray Serve could not start: {_last_words(error)}") from error
        _deploy(replica.deployment(serving, token.value, bundle_path), replica.APPLICATION, "/")
        stack.callback(_drain, replica.APPLICATION, serving.drain_s)
        if serving.dashboard:
            from .dashboard.deployment import dashboard_deployment

            runs_dir = str(Path(config.runs_dir).resolve())
            application = dashboard_deployment(serving, runs_dir, bundle_path, token.value)
            _deploy(application, DASHBOARD_APPLICATION, DASHBOARD_PATH)
        return Endpoint(serving, token, stack.pop_all())


def _deploy(application: Any, name: str, route_prefix: str) -> None:
    import ray.serve

    try:
        ray.serve.run(application, name=name, route_prefix=route_prefix)
    except RuntimeError as error:
        status = ray.serve.status().applications.get(name)
        reasons = [deployment.message for deployment in status.deployments.values()] if status else [str(error)]
        raise ServingError(f"Ray Serve could not start {name}: {_last_words(' '.join(reasons))}") from error


def _last_words(cause: object) -> str:
    """The end of a remote traceback, which holds the reason."""
    return " ".join(str(cause).split())[-500:]


def _drain(application: str, drain_s: float) -> None:
    """Request every replica to refuse new streams and to finish the others."""
    import asyncio

    import ray.serve
    from ray.exceptions import RayError

    # A replica that has ended needs no draining, and the shutdown continues in any case.
    with suppress(RayError, TimeoutError):
        handle = ray.serve.get_app_handle(application)
        asyncio.run(handle.broadcast("drain").results_async(timeout_s=drain_s + 10, return_exceptions=True))


@contextmanager
def _ingress_environment(config: ServingConfig, local: bool) -> Iterator[None]:
    """Variables that Serve reads when it starts: HAProxy, with separate files and ports for this endpoint.

    Serve's defaults are fixed paths and ports, which two endpoints on one machine would share. An existing cluster uses
    its own environment (docs/howto/serve.md).
    """
    if not local:
        yield
        return
    # A short path: HAProxy's socket adds 57 characters, and a socket's path may have 97.
    folder = tempfile.mkdtemp(prefix="wwp-", dir="/tmp" if len(tempfile.gettempdir()) > 16 else None)
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        metrics_port, stats_port = (entry.getsockname()[1] for entry in sockets)
    values = {
        "RAY_SERVE_ENABLE_HA_PROXY": "1" if config.ha_proxy else "0",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{folder}/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{folder}/admin.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": folder,
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{folder}/server-state",
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(metrics_port),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(stats_port),
        # On a small or busy machine the proxy's imports take longer than Serve's limit of 5 s.
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
        # The replicas drain, with a reason for every client, before Serve stops.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0",
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        _end_ingress(folder)
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)


def _end_ingress(folder: str) -> None:
    """End any HAProxy that was started from `folder`: it outlives the process that started it."""
    processes = [
        process
        for process in psutil.process_iter(["name", "cmdline"])
        if "haproxy" in (process.info["name"] or "") and any(folder in part for part in process.info["cmdline"] or ())
    ]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in psutil.wait_procs(processes, timeout=3)[1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _handle_signals(handler: Any) -> None:
    for number in _STOP_SIGNALS:
        signal.signal(number, handler)


def _raise_stop(number: int, frame: FrameType | None) -> None:
    raise _StopSignal


def _announce(endpoint: Endpoint) -> None:
    print(f"listening on {endpoint.stream_url}", flush=True)
    if endpoint.config.dashboard:
        print(f"dashboard at {endpoint.http_url}{DASHBOARD_PATH}", flush=True)
    if endpoint.token.origin == "generated":
        print(f"token (made for this run, printed once): {endpoint.token.value}", flush=True)
