"""Section `training`: what a run of one or two steps on tones draws, updates and keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.config.effects.effect import Effect, Effects, check, differs, falls, rises
from tests.config.effects.material import prepared, sampler_of
from tests.training.test_step import build
from wakeword.config import Config
from wakeword.training.checkpoint import epoch_folder
from wakeword.training.loop import TrainResult, train
from wakeword.training.step import TrainingStep

SMALL = {
    "model.width": 0.25,
    "training.epochs": 1,
    "training.steps_per_epoch": 2,
    "training.batch_size": 4,
    "training.window_s": 0.8,
    "tracking.tensorboard": False,
    "compute.device": "cpu",
    "compute.workers": 0,
}
FROZEN = {
    **SMALL,
    "frontend.n_mels": 32,
    "model.family": "speech_embedding",
    "model.frame_stride": 8,
    "model.pool_frames": 1,
    "training.batch_size": 2,
}
MANY = {"training.batch_size": 400}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run(config: Config, folder: Path) -> TrainResult:
    return train(config, prepared(), folder)


def epochs(config: Config, folder: Path) -> int:
    return run(config, folder).epochs


def steps(config: Config, folder: Path) -> int:
    return run(config, folder).metrics["step"]


def last_rate(config: Config, folder: Path) -> float:
    """Learning rate of the last step."""
    return run(config, folder).metrics["learning_rate"]


def loss(config: Config, folder: Path) -> float:
    """Loss of the first step."""
    sampler, step = build(prepared(), config)
    return float(step(sampler.batch(0), 1e-2, 0)[0])


def lag(config: Config, folder: Path) -> float:
    """How far the averaged weights are from those of the last step."""
    run(config, folder)
    files = [load_file(epoch_folder(folder, 1) / f"{name}.safetensors") for name in ("model", "ema")]
    return max(float((files[0][name] - files[1][name]).abs().max()) for name in files[0] if "num_batches" not in name)


def checkpoints(config: Config, folder: Path) -> int:
    run(config, folder)
    return len(list((folder / "checkpoints").iterdir()))


def rows(config: Config, folder: Path) -> int:
    return len(sampler_of(config).batch(0))


def positives(config: Config, folder: Path) -> int:
    return int(sampler_of(config).batch(0).target.any(1).sum())


def hard_negatives(config: Config, folder: Path) -> int:
    sampler = sampler_of(config)
    return int((sampler.kinds[sampler.batch(0).clip] == "hard_negative").sum())


def window(config: Config, folder: Path) -> int:
    return sampler_of(config).window_samples


def clips(config: Config, folder: Path) -> list[int]:
    return sampler_of(config).batch(0).clip.tolist()


def stepped(config: Config, count: int = 1) -> TrainingStep:
    sampler, step = build(prepared(), config)
    for number in range(count):
        step(sampler.batch(number), 1e-2, number)
    return step


def gradient(config: Config, folder: Path) -> float:
    return float(torch.stack([p.grad.norm() for p in stepped(config).model.parameters() if p.grad is not None]).norm())


def kernels(config: Config, folder: Path) -> float:
    return sum(float(p.detach().square().sum()) for p in stepped(config).model.parameters() if p.ndim > 1)


def kept_windows(config: Config, folder: Path) -> int:
    replay = stepped(config, 3).replay
    return 0 if replay is None else len(replay)


def drawn_windows(config: Config, folder: Path) -> int:
    sampler, step = build(prepared(), config)
    seen: list[int] = []
    step.model.network.heads[0].register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    step(sampler.batch(0), 1e-2, 0)
    return seen[0]


def precision(config: Config, folder: Path) -> str:
    sampler, step = build(prepared(), config)
    seen: list[Any] = []
    step.model.network.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    step(sampler.batch(0), 1e-2, 0)
    return str(seen[0])


def layout(config: Config, folder: Path) -> list[tuple[int, ...]]:
    _, step = build(prepared(), config)
    return [p.stride() for p in step.model.parameters() if p.ndim == 4 and p.shape[1] > 1]


def of(observe: Any, to: Any, holds: Any = differs, given: dict[str, Any] = SMALL, **more: Any) -> Effect:
    own = {f"training.{key}": value for key, value in more.items() if key != "start"}
    start = {"start": more["start"]} if "start" in more else {}
    return Effect(observe, to, given={**given, **own}, holds=holds, **start)


EFFECTS: Effects = {
    "training.epochs": of(epochs, 2, rises, start=1, steps_per_epoch=1),
    "training.steps_per_epoch": of(steps, 3, rises),
    "training.batch_size": of(rows, 16, rises, start=8),
    "training.positive_share": of(positives, 0.7, rises, given=MANY),
    "training.window_s": of(window, 2.4, rises),
    "training.hard_negative_share": of(hard_negatives, 0.5, rises, given=MANY),
    "training.replay_windows": of(kept_windows, 5, rises, given=FROZEN, start=2, replay_batch=2),
    "training.replay_batch": of(drawn_windows, 6, rises, given=FROZEN, start=3, replay_windows=4),
    "training.learning_rate": of(last_rate, 1e-2, rises),
    "training.weight_decay": of(kernels, 5.0, falls, start=0.0),
    "training.warmup_share": of(last_rate, 0.5, rises, steps_per_epoch=4),
    "training.gradient_clip": of(gradient, 0.01, falls, start=1e6),
    "training.label_smoothing": of(loss, 0.1, start=0),
    "training.negative_weight": of(loss, 5.0, rises, start=1.0),
    "training.ema_decay": of(lag, 0.9, rises, start=0),
    "training.amp": of(precision, True),
    "training.channels_last": of(layout, True, given={**SMALL, "model.family": "bc_resnet", "model.width": 1.0}),
    "training.seed": of(clips, 1),
    "training.keep_checkpoints": of(checkpoints, 3, rises, start=1, epochs=3, steps_per_epoch=1),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_the_field_has_its_effect(name: str) -> None:
    check(name, EFFECTS[name])
