"""One Ray for a command: the cluster it was sent to, or a local one that ends with the command."""

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
from typing import TYPE_CHECKING, Any

from wakeword.errors import DeviceError, MissingExtraError, RunError, WakewordError

if TYPE_CHECKING:
    from wakeword.config import Config

LOCAL_OBJECT_STORE_BYTES = 300 * 1024**2
"""Shards are memory-mapped and training audio lives in the workers: objects in flight are all that is kept here."""

START_ATTEMPTS = 4

_AUTH = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


def available_cpus() -> int:
    """CPUs this process may use (its affinity mask, not the machine's count)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cluster_address(config: Config) -> str:
    """Address of the cluster to join, or an empty string for a local Ray.

    `compute.ray_address` wins over RAY_ADDRESS; a job that was submitted finds its cluster in RAY_ADDRESS.
    """
    return config.compute.ray_address or os.environ.get("RAY_ADDRESS", "")


@contextmanager
def ray_session(config: Config, min_cpus: float = 0.0) -> Iterator[None]:
    """Have Ray initialised inside the block; a Ray that was there before is used and left alone.

    Args:
        config: `compute` decides where; `tracking.log_level: debug` forwards the workers' output to the driver.
        min_cpus: logical CPUs that a local Ray must offer at least (a sweep's drivers and workers together).

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
    """Keep the first Ray that a `ray_session` inside the block opens until the block ends.

    Stages that follow each other share its start-up, and a block that never needs Ray never starts it.
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
                # Logical: a DDP run with two workers works on one core too, only slower.
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
            # After a failure the workers' logs are evidence.
            if not kept:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                logging.getLogger("wakeword").info("Ray's logs of the failed run are in %s", folder)


def _start_local(**options: Any) -> None:
    """`ray.init` of a Ray of our own. Ray gives its daemons 30 s, which a loaded machine may not keep: then again.

    Raises:
        RunError: Ray did not start in `START_ATTEMPTS` attempts.
    """
    import psutil
    import ray

    # Ray would tell its makers about the cluster: nothing leaves the machine unless the user asks for it.
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
            # Ray raises a bare Exception here; its message is all that tells this one from others.
            if "timed out during startup" not in str(error):
                raise
            _end([child for child in psutil.Process().children(recursive=True) if child.pid not in before])
            if attempt == START_ATTEMPTS:
                raise RunError(
                    f"Ray's processes did not start in {START_ATTEMPTS} attempts of 30 s each: the machine is "
                    "overloaded; run the command again when it has less to do"
                ) from error


def _end(processes: list[Any]) -> None:
    """End the daemons of a Ray that did not start; Ray itself ends them only with the process."""
    import psutil

    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)


def _short_folder() -> Path:
    """Ray's sockets lie below this folder and a socket's path ends at 107 characters."""
    base = tempfile.gettempdir()
    if len(base) > 30 and Path("/tmp").is_dir():
        base = "/tmp"
    return Path(tempfile.mkdtemp(prefix="ww-", dir=base))


@contextmanager
def _own_token() -> Iterator[None]:
    """Guard a local Ray with a token that only its own processes know, unless the user decided otherwise.

    Without one Ray would write ~/.ray/auth_token and so change how later clusters of this user behave. Ray turns
    token mode on by itself when RAY_AUTH_MODE is unset; it reads the token once per process, so there is one.
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
    """CPUs that the cluster has, or that its autoscaler would start if these are more; Ray must be initialised."""
    import ray

    return max(ray.cluster_resources().get("CPU", 0.0), _autoscaled().get("CPU", 0.0))


def _require_gpus(config: Config) -> None:
    if config.compute.device != "cuda":
        return
    import ray

    wanted = max(1, config.compute.workers)
    present = ray.cluster_resources().get("GPU", 0.0)
    if present >= wanted:
        return
    startable = _autoscaled().get("GPU", 0.0)
    if startable >= wanted:
        return
    raise DeviceError(
        f"compute.device is cuda and {wanted} GPU(s) are needed, but the Ray cluster has {present:g} and can start "
        f"{startable:g} more: set compute.device=auto, or lower compute.workers, or add GPU nodes"
    )


def _autoscaled() -> dict[str, Any]:
    """Most that the cluster's autoscaler would start; empty where there is none."""
    from ray._private.state import state

    return dict(state.get_max_resources_from_cluster_config() or {})


def _first_sentence(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:300] + ("…" if len(text) > 300 else "")
