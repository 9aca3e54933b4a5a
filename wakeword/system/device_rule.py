"""The one rule for `compute.device`, without torch.

`cpu` is the CPU. `cuda` is a demand: without a GPU it is an error. `auto` takes a GPU where there is one. "Where" is
the process that does the work: this one, or the workers of a Ray cluster. Training, teachers, aligners, trials and the
pipeline all ask `chosen_device`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from wakeword.errors import DeviceError


def chosen_device(wanted: str, has_gpu: Callable[[], bool], lack: str) -> Literal["cpu", "cuda"]:
    """The device for `compute.device`.

    Args:
        wanted: `auto`, `cpu` or `cuda`.
        has_gpu: whether there is a GPU where the work runs; not called for `cpu`.
        lack: where none was found and what to do about it, the end of the error's sentence.

    Raises:
        DeviceError: `cuda` is wanted and there is none.
    """
    if wanted == "cpu":
        return "cpu"
    found = has_gpu()
    if wanted == "cuda" and not found:
        raise DeviceError(f"compute.device is cuda, but {lack}")
    return "cuda" if found else "cpu"
