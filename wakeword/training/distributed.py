"""The training loop in Ray Train's workers: the only file of this room that knows Ray Train.

`compute.workers` = 1 trains in one worker process, from 2 on with DistributedDataParallel (gloo on CPUs, NCCL on GPUs);
0 trains in the calling process without Ray. The rows of each global batch are dealt out to the workers, so the number
of workers changes the speed and not which clips a step sees. BatchNorm: each worker normalises with its own rows, and
the running statistics that are averaged, validated and saved are rank 0's (SyncBatchNorm exists for GPUs only).

A worker that dies is replaced up to `compute.max_failures` times; the new group takes up the run's own checkpoints in
`run_dir`. They need no Ray to be read, and a killed driver is continued from them by the same command. On a cluster
`run_dir` and `prepared_dir` must therefore lie on a file system that all nodes share.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wakeword import errors
from wakeword.config import Config, validate_config
from wakeword.errors import RunError, WakewordError
from wakeword.stages.ray_session import ray_session
from wakeword.training.loop import TrainContext, TrainResult, train
from wakeword.training.targets import TeacherTargets
from wakeword.training.tracking import watch_epochs

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)
POLL_S = "0.1"
"""`ray.train.report` waits for the controller's next look; its default of 2 s would be paid in every epoch."""


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
    gpu = _wants_gpu(compute.device)
    storage = run_dir.resolve() / ".ray"
    trainer = TorchTrainer(
        _worker,  # type: ignore[arg-type]  # what it returns is `Result.return_value`
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
            # A name of its own each time: what continues a run are our checkpoints, not Ray's snapshots.
            name=f"{config.name}-{os.getpid()}-{time.time_ns()}",
            storage_path=str(storage),
            failure_config=ray.train.FailureConfig(max_failures=compute.max_failures),
        ),
    )
    try:
        with watch_epochs(run_dir / "metrics.jsonl", config.training.epochs):
            answer = trainer.fit().return_value  # type: ignore[attr-defined]
    except TrainingFailedError as error:
        reason = " ".join(str(error).split())[:400]
        raise RunError(
            f"training into {run_dir} failed more than compute.max_failures = {compute.max_failures} times; run the "
            f"same command again to continue from the last checkpoint ({reason})"
        ) from error
    finally:
        shutil.rmtree(storage, ignore_errors=True)
    if "error" in answer:
        raise getattr(errors, answer["error"])(answer["message"])
    return TrainResult(run_dir, answer["epochs"], answer["best"], answer["metrics"])


def _wants_gpu(device: str) -> bool:
    import ray

    return device == "cuda" or (device == "auto" and ray.cluster_resources().get("GPU", 0) > 0)


def _worker(settings: dict[str, Any]) -> dict[str, Any]:
    """What each worker runs. Our own errors, which all ranks agree on, are handed back: trying again would not help."""
    import ray.train
    import torch

    config = validate_config(settings["config"], "worker")
    place = ray.train.get_context()
    torch.set_num_threads(max(1, int(config.compute.cpus_per_worker)))
    context = TrainContext(
        rank=place.get_world_rank(),
        world=place.get_world_size(),
        device=_device(),
        report=lambda metrics: ray.train.report(metrics),
    )
    try:
        targets = TeacherTargets.of(settings["targets"])
        result = train(config, settings["prepared_dir"], settings["run_dir"], context, targets)
    except WakewordError as error:
        return {"error": type(error).__name__, "message": str(error)}
    return {"epochs": result.epochs, "best": result.best, "metrics": result.metrics}


def _device() -> torch.device:
    from ray.train.torch import get_device

    device = get_device()
    assert not isinstance(device, list)
    return device
