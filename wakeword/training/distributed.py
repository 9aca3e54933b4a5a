"""The training loop in workers of Ray Train. Only this file imports Ray Train.

`compute.workers` = 0 trains in the calling process without Ray, 1 in one worker process, and 2 or more with
DistributedDataParallel (gloo on CPUs, NCCL on GPUs). The rows of each global batch are split among the workers, so the
clips of a step do not depend on their number. BatchNorm: each worker normalises with its own rows; the running
statistics that are averaged, validated and saved are those of rank 0 (SyncBatchNorm exists for GPUs only).

A worker that dies is replaced up to `compute.max_failures` times; the new group continues from the checkpoints in
`run_dir`. The same command continues a killed driver from them. On a cluster `run_dir` and `prepared_dir` must lie on a
file system that all nodes share.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from pathlib import Path
from typing import Any

from wakeword import errors
from wakeword.config import Config, validate_config
from wakeword.errors import RunError, WakewordError
from wakeword.stages.ray_session import ray_session, session_device
from wakeword.training.loop import TrainContext, TrainResult, train
from wakeword.training.targets import TeacherTargets
from wakeword.training.tracking import watch_epochs

log = logging.getLogger(__name__)
POLL_S = "0.1"
"""`ray.train.report` waits for the controller's next poll, every epoch; the default interval is 2 s."""


def train_with_ray(
    config: Config, prepared_dir: str | Path, run_dir: str | Path, targets: TeacherTargets | None = None
) -> TrainResult:
    """Train in `compute.workers` worker processes; arguments and errors as `wakeword.training.loop.train`.

    Raises:
        RunError: workers died more than `compute.max_failures` times.
    """
    if config.compute.workers == 0:
        return train(config, prepared_dir, run_dir, None, targets)
    with ray_session(config):
        return _fit(config, Path(prepared_dir), Path(run_dir), targets)


def _fit(config: Config, prepared_dir: Path, run_dir: Path, targets: TeacherTargets | None) -> TrainResult:
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", POLL_S)
    import ray.train
    from ray.train.torch import TorchTrainer
    from ray.train.v2.api.exceptions import TrainingFailedError

    compute = config.compute
    gpu = session_device(config, compute.workers) == "cuda"
    storage = run_dir.resolve() / ".ray"
    trainer = TorchTrainer(
        _worker,  # type: ignore[arg-type]
        train_loop_config={
            "config": config.model_dump(mode="json"),
            "prepared_dir": str(prepared_dir.resolve()),
            "run_dir": str(run_dir.resolve()),
            "targets": targets.plain() if targets else None,
        },
        scaling_config=ray.train.ScalingConfig(
            num_workers=compute.workers,
            use_gpu=gpu,
            resources_per_worker={"CPU": compute.cpus_per_worker, **({"GPU": 1} if gpu else {})},
        ),
        run_config=ray.train.RunConfig(
            # A new name each time: runs continue from our checkpoints, not from snapshots of Ray.
            name=f"{config.name}-{os.getpid()}-{time.time_ns()}",
            storage_path=str(storage),
            failure_config=ray.train.FailureConfig(max_failures=compute.max_failures),
        ),
    )
    try:
        with watch_epochs(run_dir / "metrics.jsonl", config.training.epochs):
            returned = trainer.fit().return_value  # type: ignore[attr-defined]
    except TrainingFailedError as error:
        reason = " ".join(str(error).split())[:400]
        raise RunError(
            f"training into {run_dir} failed more than compute.max_failures = {compute.max_failures} times; run the "
            f"same command again to continue from the last checkpoint ({reason})"
        ) from error
    finally:
        shutil.rmtree(storage, ignore_errors=True)
    if "error" in returned:
        raise getattr(errors, returned["error"])(returned["message"])
    return TrainResult(run_dir, returned["epochs"], returned["best"], returned["metrics"])


def _worker(settings: dict[str, Any]) -> dict[str, Any]:
    """The function of each worker. It returns a WakewordError, because Ray would retry a raised one without effect."""
    import ray.train
    import torch
    from ray.train.torch import get_device

    config = validate_config(settings["config"], "worker")
    place = ray.train.get_context()
    torch.set_num_threads(max(1, int(config.compute.cpus_per_worker)))
    context = TrainContext(
        rank=place.get_world_rank(),
        world=place.get_world_size(),
        device=get_device(),  # type: ignore[arg-type]  # a list only with several GPUs per worker
        report=ray.train.report,
    )
    try:
        targets = TeacherTargets.of(settings["targets"])
        result = train(config, settings["prepared_dir"], settings["run_dir"], context, targets)
    except WakewordError as error:
        return {"error": type(error).__name__, "message": str(error)}
    return {"epochs": result.epochs, "best": result.best, "metrics": result.metrics}
