"""The Ray session of a command: a cluster to join, or a local Ray that ends with the command."""

from __future__ import annotations

import logging
import math
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wakeword.errors import MissingExtraError, RunError, WakewordError
from wakeword.system.device_rule import chosen_device

if TYPE_CHECKING:
    from wakeword.config import Config

log = logging.getLogger(__name__)
LOCAL_OBJECT_STORE_BYTES = 300 * 1024**2
"""Size of the object store, which holds only objects in flight: shards are memory-mapped by the workers."""

START_ATTEMPTS = 4

_AUTH = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


def available_cpus() -> int:
    """Number of CPUs that this process may use (its affinity mask)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cluster_address(config: Config) -> str:
    """Address of the cluster to join, or empty for a local Ray.

    `compute.ray_address` takes precedence over RAY_ADDRESS, which is set for submitted jobs.
    """
    return config.compute.ray_address or os.environ.get("RAY_ADDRESS", "")


@contextmanager
def ray_session(config: Config, min_cpus: float = 0.0) -> Iterator[None]:
    """Initialise Ray for the block; an initialised Ray is used and left open.

    Args:
        config: `compute` selects the Ray; `tracking.log_level: debug` forwards the workers' output to the driver.
        min_cpus: smallest number of logical CPUs of a local Ray (a sweep's drivers and workers together).

    Raises:
        DeviceError: `compute.device` is cuda and the cluster neither has nor can start the GPUs.
        RunError: the cluster cannot be joined.
        MissingExtraError: Ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("Preparing, training and tuning", "train", error) from error

    if ray.is_initialized():
        _require_gpus(config)
        yield
        return
    address = cluster_address(config)
    opened = _joined(config, address) if address else _local(config, min_cpus)
    if _kept:
        _kept[-1].enter_context(opened)
        _require_gpus(config)
        yield
        return
    with opened:
        _require_gpus(config)
        yield


_kept: list[ExitStack] = []


@contextmanager
def kept_ray() -> Iterator[None]:
    """Keep the Ray that the first `ray_session` inside the block opens until the block ends.

    Consecutive stages share one start-up, and a block that does not use Ray does not start it.
    """
    with ExitStack() as stack:
        _kept.append(stack)
        try:
            yield
        finally:
            _kept.remove(stack)


@contextmanager
def _joined(config: Config, address: str) -> Iterator[None]:
    import ray

    if address.startswith(("http://", "https://")):
        raise RunError(
            f"{address} is the address of a Ray dashboard, which takes submitted jobs only: run "
            "`ray job submit --working-dir . -- python jobs/pipeline.py …`, or unset RAY_ADDRESS"
        )
    try:
        ray.init(address=address, log_to_driver=_forwards(config), logging_level=logging.ERROR)
    except (ConnectionError, ray.exceptions.RayError, ValueError) as error:
        raise RunError(f"cannot join the Ray cluster at {address}: {_first_sentence(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _local(config: Config, min_cpus: float) -> Iterator[None]:
    import ray

    wanted = max(min_cpus, config.compute.workers * config.compute.cpus_per_worker)
    folder = _short_folder()
    kept = False
    with _own_token():
        try:
            _start_local(
                # Logical CPUs: two DDP workers also run on one core, only slower.
                num_cpus=max(available_cpus(), math.ceil(wanted)),
                log_to_driver=_forwards(config),
                _temp_dir=str(folder),
            )
            try:
                yield
            except Exception as error:
                kept = isinstance(error, RunError) or not isinstance(error, WakewordError)
                raise
            finally:
                ray.shutdown()
        finally:
            # Keep the workers' logs after a failure.
            if not kept:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                logging.getLogger("wakeword").info("Ray's logs of the failed run are in %s", folder)


def _start_local(**options: Any) -> None:
    """Start a local Ray, again if its daemons do not start within Ray's limit of 30 s, as on a loaded machine.

    Raises:
        RunError: Ray did not start in `START_ATTEMPTS` attempts.
    """
    import psutil
    import ray

    # No usage statistics unless the user enables them.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    for attempt in range(1, START_ATTEMPTS + 1):
        before = {child.pid for child in psutil.Process().children(recursive=True)}
        try:
            ray.init(
                address="local",
                include_dashboard=False,
                logging_level=logging.ERROR,
                object_store_memory=LOCAL_OBJECT_STORE_BYTES,
                **options,
            )
            return
        except Exception as error:
            # Ray raises a bare Exception; only its message identifies the cause.
            if "timed out during startup" not in str(error):
                raise
            _end([child for child in psutil.Process().children(recursive=True) if child.pid not in before])
            if attempt == START_ATTEMPTS:
                raise RunError(
                    f"Ray's processes did not start in {START_ATTEMPTS} attempts of 30 s each: the machine is "
                    "overloaded; run the command again when the load is lower"
                ) from error


def _end(processes: list[Any]) -> None:
    """Kill the daemons of a failed start, which Ray would keep until this process ends."""
    import psutil

    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)


def _short_folder() -> Path:
    """A temporary folder with a short path, since Ray's sockets are in it and socket paths are limited to 107
    characters."""
    base = tempfile.gettempdir()
    if len(base) > 30 and Path("/tmp").is_dir():
        base = "/tmp"
    return Path(tempfile.mkdtemp(prefix="ww-", dir=base))


@contextmanager
def _own_token() -> Iterator[None]:
    """Protect a local Ray with a random token, unless the user configured authentication.

    Ray enables tokens when RAY_AUTH_MODE is unset. Without one it would write ~/.ray/auth_token, which affects later
    clusters of this user. Ray reads the token once per process, so that there is one per process.
    """
    if any(os.environ.get(name) for name in _AUTH):
        yield
        return
    os.environ["RAY_AUTH_TOKEN"] = _process_token()
    try:
        yield
    finally:
        for name in _AUTH:
            os.environ.pop(name, None)


@cache
def _process_token() -> str:
    return secrets.token_hex(32)


def _forwards(config: Config) -> bool:
    return config.tracking.log_level == "debug"


def most_cpus() -> float:
    """CPUs of the cluster, or those that its autoscaler can start if there are more; Ray must be initialised."""
    import ray

    return max(ray.cluster_resources().get("CPU", 0.0), _autoscaled().get("CPU", 0.0))


def session_device(config: Config, gpus: float = 1.0) -> Literal["cpu", "cuda"]:
    """The device of workers in the open session of Ray, for `compute.device`.

    Args:
        gpus: GPUs that the workers need together. `auto` takes the CPU where there are fewer.

    Raises:
        DeviceError: `cuda` is wanted, and the cluster neither has nor can start that many.
    """
    if config.compute.device == "cpu":
        return "cpu"
    import ray

    present, startable = ray.cluster_resources().get("GPU", 0.0), _autoscaled().get("GPU", 0.0)
    most = max(present, startable)
    lack = (
        f"{gpus:g} GPU(s) are needed and the Ray cluster has {present:g} and can start {startable:g} more: set "
        "compute.device=auto, or lower compute.workers, or add GPU nodes"
    )
    device = chosen_device(config.compute.device, lambda: most >= gpus, lack)
    if device == "cpu" and most > 0:
        log.warning("compute.device is auto and %g GPU(s) are needed, but there are %g: the CPU is used", gpus, most)
    return device


def gpu_share(processes: int) -> float:
    """The equal share of the cluster's GPUs of each of some processes, at most 1; Ray must be initialised."""
    import ray

    return min(1.0, math.floor(100 * ray.cluster_resources().get("GPU", 0.0) / processes) / 100)


def _require_gpus(config: Config) -> None:
    if config.compute.device == "cuda":
        session_device(config, max(1, config.compute.workers))


def _autoscaled() -> dict[str, Any]:
    """Largest resources that the cluster's autoscaler can start; empty without an autoscaler."""
    from ray._private.state import state

    return dict(state.get_max_resources_from_cluster_config() or {})


def _first_sentence(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:300] + ("…" if len(text) > 300 else "")
