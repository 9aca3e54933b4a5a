"""The device that a run trains on, and the lock that keeps a second process out of its folder."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from wakeword.errors import DeviceError, RunError


def resolve_device(wanted: str) -> torch.device:
    """`auto`, `cpu` or `cuda` to a device.

    Raises:
        DeviceError: `cuda` was asked for and torch sees none.
    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "compute.device is cuda, but torch finds no CUDA device here: set compute.device=auto or cpu, "
            "or install a driver and a CUDA build of torch"
        )
    return torch.device(wanted)


@contextmanager
def run_lock(run_dir: Path, wait_s: float = 60.0) -> Iterator[None]:
    """Hold `run_dir/.lock`; the system frees it when the process ends, however it ends.

    Waits for a holder that is about to die: workers of a killed driver live a few seconds longer than it.

    Raises:
        RunError: another process still trains there after `wait_s`.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_s
    with (run_dir / ".lock").open("w") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RunError(
                        f"another process trains into {run_dir}: wait for it, end it, or choose another `name`"
                    ) from None
                time.sleep(0.2)
        yield
