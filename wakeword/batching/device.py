"""The device of a run."""

from __future__ import annotations

import torch

from wakeword.errors import DeviceError


def resolve_device(wanted: str) -> torch.device:
    """The device for `auto`, `cpu` or `cuda`.

    Raises:
        DeviceError: `cuda` is requested and torch finds no CUDA device.
    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "compute.device is cuda, but torch finds no CUDA device here: set compute.device=auto or cpu, "
            "or install a driver and a CUDA build of torch"
        )
    return torch.device(wanted)
