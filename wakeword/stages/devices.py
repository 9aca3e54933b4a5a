"""The device of a stage's workers."""

from __future__ import annotations

from typing import Literal

from wakeword.config import Config
from wakeword.stages.ray_session import session_device
from wakeword.stages.runner import Runner, RunStage
from wakeword.system.device import resolve_device


def stage_device(config: Config, runner: Runner | RunStage, gpus: float = 1.0) -> Literal["cpu", "cuda"]:
    """The device of a stage's workers, for `compute.device`; inside the block of `stage_runner`.

    Args:
        runner: the one of `stage_runner`.
        gpus: GPUs of one worker on Ray.

    Raises:
        DeviceError: `cuda` is wanted and there is none.
    """
    if runner == "ray":
        return session_device(config, gpus)
    return "cuda" if resolve_device(config.compute.device).type == "cuda" else "cpu"
