"""Sections `frontend` and `model`: features of fixed audio, and the network that is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.audio.augment.sounds import seeded
from tests.config.effects.effect import Effect, Effects, check, falls, rises
from wakeword.audio.frontend import Frontend
from wakeword.config import Config
from wakeword.models.streaming import StreamingModel

AUDIO = torch.cat([0.1 * torch.randn(1, 8000, generator=seeded(8)), torch.zeros(1, 8000)], dim=1)
"""Half a second of noise, then digital silence."""
PCEN = {"frontend.kind": "pcen"}
FROZEN = {"model.family": "speech_embedding", "model.frame_stride": 8, "frontend.n_mels": 32}


def features(config: Config) -> torch.Tensor:
    """`(frames, mels)`."""
    frontend = Frontend(config.frontend)
    audio = AUDIO[:, : AUDIO.shape[1] // frontend.hop * frontend.hop]
    return frontend(audio, frontend.initial_state(1))[0][0]


def numbers(config: Config, folder: Path) -> Any:
    return features(config).numpy().tobytes()


def frames(config: Config, folder: Path) -> int:
    return len(features(config))


def mels(config: Config, folder: Path) -> int:
    return features(config).shape[1]


def lowest_mel(config: Config, folder: Path) -> float:
    """Mean of the first mel: noise has more power in the wider filters of higher frequencies."""
    return float(features(config)[:45, 0].mean())


def highest_mel(config: Config, folder: Path) -> float:
    return float(features(config)[:45, -1].mean())


def silence(config: Config, folder: Path) -> float:
    return float(features(config)[-1].mean())


def state(config: Config, folder: Path) -> int:
    return Frontend(config.frontend).state_size


def model(config: Config) -> StreamingModel:
    torch.manual_seed(0)
    return StreamingModel(config, config.labels)


def weights(config: Config, folder: Path) -> int:
    return sum(value.numel() for value in model(config).network.parameters())


def family(config: Config, folder: Path) -> str:
    return type(model(config).network).__name__


def step(config: Config, folder: Path) -> int:
    return model(config).step_samples


def context(config: Config, folder: Path) -> int:
    return model(config).context_samples


def scatter(config: Config, folder: Path) -> float:
    """How far two passes in training lie apart."""
    network = model(config).train()
    audio = AUDIO.repeat(2, 2)[:, : network.context_samples]
    return float((network.offline(audio) - network.offline(audio)).detach().abs().max())


EFFECTS: Effects = {
    "frontend.kind": Effect(numbers, "pcen"),
    "frontend.window_ms": Effect(state, 40, holds=rises),
    "frontend.hop_ms": Effect(frames, 20, holds=falls),
    "frontend.n_mels": Effect(mels, 64, holds=rises),
    "frontend.f_min_hz": Effect(lowest_mel, 1000, holds=rises),
    "frontend.f_max_hz": Effect(highest_mel, 4000, holds=falls),
    "frontend.mel_scale": Effect(numbers, "slaney"),
    "frontend.floor_db": Effect(silence, -40, holds=rises),
    "frontend.pcen.smoothing": Effect(numbers, 0.1, given=PCEN),
    "frontend.pcen.gain": Effect(numbers, 0.5, given=PCEN),
    "frontend.pcen.bias": Effect(numbers, 4.0, given=PCEN),
    "frontend.pcen.power": Effect(numbers, 0.25, given=PCEN),
    "model.family": Effect(family, "ds_tcn"),
    "model.width": Effect(weights, 2, holds=rises),
    "model.frame_stride": Effect(step, 4, holds=rises),
    "model.dropout": Effect(scatter, 0.5, start=0, holds=rises),
    "model.pool_frames": Effect(context, 20, holds=rises),
    "model.heads": Effect(weights, 3, given=FROZEN, holds=rises),
    "model.blocks": Effect(context, 5, given={"model.family": "matchboxnet"}, holds=rises),
    "model.repeats": Effect(context, 2, given={"model.family": "matchboxnet"}, holds=rises),
    "model.stacks": Effect(context, 3, given={"model.family": "mdtc"}, holds=rises),
    "model.stack_blocks": Effect(context, 2, given={"model.family": "mdtc"}, holds=falls),
    "model.kernels": Effect(context, [[5], [7, 41]], given={"model.family": "mixednet"}, holds=falls),
    "model.layers": Effect(weights, 5, given={"model.family": "tcn"}, holds=rises),
    "model.window_steps": Effect(context, 20, given={"model.family": "gru"}, holds=rises),
    "model.step_frames": Effect(context, 2, given={"model.family": "gru"}, holds=falls),
    "model.left_frames": Effect(context, 32, given={"model.family": "transformer"}, holds=rises),
    "model.attention_heads": Effect(weights, 8, given={"model.family": "transformer"}, holds=rises),
    "model.conv_frames": Effect(context, 15, given={"model.family": "conformer"}, holds=rises),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_the_field_has_its_effect(name: str) -> None:
    check(name, EFFECTS[name])
