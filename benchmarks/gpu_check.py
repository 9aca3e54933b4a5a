"""Everything of training that needs a GPU, in one command of less than four minutes, without Ray.

    python -m benchmarks.gpu_check [--quick] [--device auto|cpu|cuda] [--json FILE]

It needs torch, numpy, scipy, scikit-learn, onnx, onnxscript, onnxruntime, pyarrow, safetensors, pydantic, pyyaml, rich
and filelock; its clips are made on the spot. Without a GPU it runs on the CPU, where it checks itself.

* **Golden losses**: every family, its first steps on the device against the CPU in float32, and in mixed precision.
* **A training**: 200 steps, once whole and once ended in the middle and continued: the same losses.
* **Export**: the trained model's ONNX graph against the model on the device, streamed.
* **Speed**: clips per second of the whole step (plan, windows, augmentation, front end, network, optimiser) of
  BC-ResNet-2 with the default augmentation, and its share of the byte limit: 3 E s B / bandwidth seconds for a batch of
  B clips, with E the numbers that all leaf modules read and write for a clip, s their bytes. The bandwidth is that of a
  copy on the device.
* **Waiting**: what `torch.cuda.set_sync_debug_mode` counts inside of steps (target 0), the share of time in which the
  GPU is busy, the largest memory.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu_clips import write_prepared
from benchmarks.harness import Bar, run
from wakeword.batching.material import training_augmenter, training_clips
from wakeword.batching.plans import BatchSampler
from wakeword.batching.views import ViewMaker
from wakeword.batching.windows import WindowMaker
from wakeword.config import Config, validate_config
from wakeword.data.shards import ShardSet
from wakeword.models.families import families, family_of
from wakeword.models.streaming import StreamingModel
from wakeword.system.device import resolve_device
from wakeword.training.checkpoint import load_trained
from wakeword.training.ema import ModelAverage
from wakeword.training.loop import TrainContext, train
from wakeword.training.step import TrainingStep, half_precision, make_optimizer
from wakeword.training.tracking import read_metrics

CPU = torch.device("cpu")
MOST_S = 240.0
RATE = 1e-3
QUICK_FAMILIES = ("tc_resnet",)
WARM_UP = 3


def config_of(family: str, **sections: dict[str, Any]) -> Config:
    """A small recipe of a family; dropout is off, because its draws are the device's own."""
    made = family_of(family)
    tree: dict[str, Any] = {
        "words": [{"label": "nova"}],
        "model": {"family": family, "frame_stride": made.STRIDE or 2, "dropout": 0.0},
        "frontend": {"n_mels": made.MELS or 40},
        "training": {"batch_size": 16, "window_s": 0.8, "learning_rate": RATE, "ema_decay": 0.9},
        "tracking": {"tensorboard": False},
        "compute": {"workers": 0},
    }
    for name, values in sections.items():
        tree[name] = {**tree.get(name, {}), **values}
    return validate_config(tree, "gpu_check")


class Loop:
    """A step with its sampler and average, as training builds it."""

    def __init__(self, prepared: Path, config: Config, device: torch.device) -> None:
        torch.manual_seed(0)
        shards = ShardSet.open(prepared)
        clips = training_clips(shards, "train", device)
        self.device = device
        self.model = StreamingModel(config, config.labels).to(device)
        self.average = ModelAverage(self.model, config.training.ema_decay)
        self.sampler = BatchSampler(config, clips, self.model.context_samples)
        windows = WindowMaker(clips, self.sampler.window_samples)
        self.views = ViewMaker(windows, training_augmenter(config, shards, clips, device))
        self.step = TrainingStep(config, self.model, make_optimizer(self.model, config.training), self.views)
        self.done = 0

    def steps(self, count: int) -> torch.Tensor:
        """The losses of the next steps, on the device."""
        losses = []
        for _ in range(count):
            losses.append(self.step(self.sampler.batch(self.done), RATE, self.done)[0])
            self.average.update(self.model)
            self.done += 1
        return torch.stack(losses)


def wait(device: torch.device) -> None:
    """Wait until the device has done all its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def golden(prepared: Path, device: torch.device, quick: bool) -> list[Bar]:
    """Losses of the first steps on the device, against float32 on the CPU."""
    names = [name for name in families() if name in QUICK_FAMILIES] if quick else families()
    count, rows = (2, 4) if quick else (5, 16) if device.type == "cuda" else (3, 8)
    bars = []
    for name in names:
        config = config_of(name, training={"batch_size": rows})
        expected = Loop(prepared, config, CPU).steps(count)
        for kind, limit, amp in (("float32", 1e-2, False), ("mixed precision", 5e-2, True)):
            changed = config_of(name, training={"batch_size": rows, "amp": amp})
            found = Loop(prepared, changed, device).steps(count).cpu()
            worst = float(((found - expected) / expected).abs().max())
            bars.append(Bar(f"losses of {name}, {kind}: largest difference from the CPU", worst, "", limit))
    return bars


class Stop(Exception):
    """Ends a training in the middle."""


def training(prepared: Path, device: torch.device, quick: bool, folder: Path) -> list[Bar]:
    """A training, one ended in the middle and continued, and the export of the first."""
    epochs, steps = (2, 1) if quick else (4, 50)
    sizes = {
        "epochs": epochs,
        "steps_per_epoch": steps,
        "batch_size": 6 if quick else 64 if device.type == "cuda" else 16,
    }
    config = config_of("tc_resnet", training=sizes)

    def stop(metrics: dict[str, Any]) -> None:
        if metrics["epoch"] == epochs // 2:
            raise Stop

    train(config, prepared, folder / "whole", TrainContext(device=device))
    try:
        train(config, prepared, folder / "continued", TrainContext(device=device, report=stop))
    except Stop:
        train(config, prepared, folder / "continued", TrainContext(device=device))
    losses = [
        [line["loss"] for line in read_metrics(folder / name / "metrics.jsonl")] for name in ("whole", "continued")
    ]
    worst = max(abs(a - b) / a for a, b in zip(*losses, strict=True))
    return [
        Bar(f"{epochs * steps} steps, continued in the middle: largest difference of an epoch's loss", worst, "", 1e-3),
        Bar("loss of the last epoch over that of the first", losses[0][-1] / losses[0][0], "", None if quick else 1.0),
        _exported(folder / "whole", device),
    ]


def _exported(run_dir: Path, device: torch.device) -> Bar:
    """Scores of the exported graph against those of the model on the device."""
    import onnxruntime

    from wakeword.export.onnx import export_onnx

    model, config = load_trained(run_dir)
    graph = export_onnx(model, config.export.opset, {})
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    audio = 0.1 * torch.randn(2, 50 * model.step_samples, generator=torch.Generator().manual_seed(0))
    state = model.settled_state(2)
    scores = []
    states = state.numpy()
    for chunk in audio.split(5 * model.step_samples, dim=1):
        score, states = session.run(None, {"audio": chunk.numpy(), "state": states})
        scores.append(score)
    with torch.inference_mode():
        model.to(device)
        there, state, found = audio.to(device), model.settled_state(2), []
        for chunk in there.split(10 * model.step_samples, dim=1):
            score, state = model(chunk, state)
            found.append(score.cpu().numpy())
    worst = float(np.abs(np.concatenate(scores, axis=1) - np.concatenate(found, axis=1)).max())
    return Bar("exported graph: largest difference of a score from the model on the device", worst, "", 1e-3)


def numbers_per_clip(loop: Loop) -> float:
    """E of the byte limit: the numbers that the network's leaf modules read and write for a clip."""
    plan = loop.sampler.batch(0)
    total = [0]

    def count(module: torch.nn.Module, inputs: Any, output: Any) -> None:
        total[0] += sum(value.numel() for value in (*inputs, output) if isinstance(value, torch.Tensor))

    leaves = [module for module in loop.model.network.modules() if not list(module.children())]
    hooks = [module.register_forward_hook(count) for module in leaves]
    with torch.no_grad():
        loop.step.losses(plan)
    for hook in hooks:
        hook.remove()
    return total[0] / len(plan)


def bandwidth(device: torch.device, quick: bool) -> float:
    """Bytes per second that a copy on the device reads and writes."""
    size = 2**30 if device.type == "cuda" else 2**23 if quick else 2**26
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    wait(device)
    began = time.perf_counter()
    for _ in range(10):
        target.copy_(source)
    wait(device)
    return 20 * size / (time.perf_counter() - began)


def speed(prepared: Path, device: torch.device, quick: bool) -> list[Bar]:
    """Clips per second of whole steps, the byte limit, and what the host and the device wait for."""
    gpu = device.type == "cuda"
    rows, count = (4, 2) if quick else (1024, 40) if gpu else (64, 4)
    width = {"model": {"width": 2.0, "frame_stride": 1}}
    loop = Loop(prepared, config_of("bc_resnet", training={"batch_size": rows, "amp": gpu}, **width), device)
    loop.steps(1 if quick else WARM_UP)
    wait(device)
    if gpu:
        torch.cuda.reset_peak_memory_stats(device)
    began = time.perf_counter()
    loop.steps(count)
    wait(device)
    seconds = time.perf_counter() - began
    planned = time.perf_counter()
    for number in range(count):
        loop.views.draw(loop.sampler.batch(number))
    planned = time.perf_counter() - planned
    bytes_each = 2 if gpu and half_precision(device).itemsize == 2 else 4
    limit = bandwidth(device, quick) / (3 * numbers_per_clip(loop) * bytes_each)
    clips = rows * count / seconds
    name = f"bc_resnet-2, batches of {rows} windows of {loop.sampler.window_samples / 16_000:.2f} s"
    bars = [
        Bar(f"{name}: augmented and trained", clips, "clips/s"),
        Bar("byte limit of this device for these windows", limit, "clips/s"),
        Bar("share of the byte limit", clips / limit, "", 0.5 if gpu else None, "least"),
        Bar("share of the step in which the host draws its plan", planned / seconds, ""),
    ]
    return bars + (_gpu_bars(loop, device, count) if gpu else [])


def _gpu_bars(loop: Loop, device: torch.device, count: int) -> list[Bar]:
    from torch.profiler import ProfilerActivity, profile

    memory = torch.cuda.max_memory_allocated(device)
    torch.cuda.set_sync_debug_mode("warn")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        loop.steps(count)
    torch.cuda.set_sync_debug_mode("default")
    waits = [str(warning.message) for warning in seen if "synchroniz" in str(warning.message)]
    wait(device)
    began = time.perf_counter()
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        loop.steps(count // 2)
        wait(device)
    seconds = time.perf_counter() - began
    busy = sum(event.self_device_time_total for event in profiled.key_averages()) / 1e6
    return [
        Bar(f"times that the host waited for the device in {count} steps", len(waits), "", 0.0),
        Bar("share of time in which the GPU is busy", min(1.0, busy / seconds), "", 0.95, "least"),
        Bar("largest memory of tensors", memory / 2**30, "GiB"),
    ]


def measure_bars(args: argparse.Namespace) -> list[Bar]:
    """All checks."""
    began = time.perf_counter()
    device = resolve_device(args.device)
    if device.type == "cuda":
        # The CPU has no TF32: the comparison is of float32.
        torch.backends.cudnn.allow_tf32 = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared = write_prepared(folder / "prepared", 3 if args.quick else 48)
        bars = golden(prepared, device, args.quick) + training(prepared, device, args.quick, folder)
        torch.backends.cudnn.allow_tf32 = True
        bars += speed(prepared, device, args.quick)
    return [
        *bars,
        Bar(
            f"whole check on {device.type}", time.perf_counter() - began, "s", MOST_S if device.type == "cuda" else None
        ),
    ]


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="as compute.device")


if __name__ == "__main__":
    sys.exit(run("gpu_check", measure_bars, _arguments))
