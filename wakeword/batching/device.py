"""The device that a run trains on."""

from __future__ import annotations

import torch

from wakeword.errors import DeviceError


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
