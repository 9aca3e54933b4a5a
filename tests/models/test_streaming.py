"""The detector's function: one state, offline parity, export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.audio.test_frontend import speechlike
from tests.models.test_registry import lived_in
from wakeword.config import Config, validate_config
from wakeword.models.streaming import StreamingModel


def model_of(family: str = "bc_resnet", kind: str = "log_mel", **model: object) -> StreamingModel:
    torch.manual_seed(0)
    config: Config = validate_config(
        {
            "words": [{"label": "one"}, {"label": "two"}],
            "frontend": {"kind": kind},
            "model": {"family": family, "width": 1, **model},
        }
    )
    built = StreamingModel(config, config.labels).eval()
    lived_in(built.network)
    return built


@torch.no_grad()
def streamed(model: StreamingModel, audio: torch.Tensor, steps: int) -> torch.Tensor:
    state, parts = model.settled_state(audio.shape[0]), []
    for chunk in audio.split(steps * model.step_samples, dim=1):
        score, state = model(chunk, state)
        parts.append(score)
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize(("family", "kind", "stride"), [("bc_resnet", "log_mel", 2), ("ds_tcn", "pcen", 3)])
@pytest.mark.parametrize("steps", [1, 4, 7])
def test_offline_equals_streaming_from_the_first_whole_context(family: str, kind: str, stride: int, steps: int) -> None:
    model = model_of(family, kind, frame_stride=stride)
    audio = speechlike(2, model.context_samples + 20 * model.step_samples)
    with torch.no_grad():
        whole = torch.sigmoid(model.offline(audio))
    assert whole.shape == (2, 21, 2)
    scores = streamed(model, audio, steps)
    first = model.context_samples // model.step_samples - 1
    torch.testing.assert_close(scores[:, first:], whole, atol=1e-5, rtol=0)


def test_offline_depends_on_nothing_before_the_audio() -> None:
    """Log-mel, convolutions and pooling are finite: history cannot matter after the context."""
    model = model_of()
    audio = speechlike(1, model.context_samples + 5 * model.step_samples)
    history = speechlike(1, 50 * model.step_samples, seed=7)
    with torch.no_grad():
        whole = torch.sigmoid(model.offline(audio))
    scores = streamed(model, torch.cat([history, audio], dim=1), 5)
    torch.testing.assert_close(scores[:, -6:], whole, atol=1e-5, rtol=0)


def test_settled_state_is_that_of_a_long_silence() -> None:
    model = model_of()
    with torch.no_grad():
        state = model(torch.zeros(1, 2 * model.context_samples), model.initial_state(1))[1]
    torch.testing.assert_close(model.settled_state(3), state.repeat(3, 1), atol=1e-6, rtol=0)
    assert model.settled_state(3).shape == (3, model.state_size)


def test_settling_leaves_training_mode_and_statistics_alone() -> None:
    model = model_of().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.settled_state(1)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_streams_are_independent() -> None:
    model = model_of()
    audio = speechlike(3, 30 * model.step_samples)
    together = streamed(model, audio, 3)
    alone = torch.cat([streamed(model, audio[row : row + 1], 3) for row in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_feature_hook_stands_between_front_end_and_network() -> None:
    model = model_of()
    audio = speechlike(2, model.context_samples)
    shapes = []

    def blank(features: torch.Tensor) -> torch.Tensor:
        shapes.append(features.shape)
        return torch.zeros_like(features)

    first, second = model.offline(audio, blank)
    torch.testing.assert_close(first, second)
    assert shapes == [(2, model.context_samples // 160, 40)]


def test_short_clips_are_refused() -> None:
    model = model_of()
    with pytest.raises(ValueError, match="fewer than"):
        model.offline(torch.zeros(1, model.context_samples - 1))


def test_state_dict_holds_the_network_alone() -> None:
    assert {name.split(".")[0] for name in model_of().state_dict()} == {"network"}


EXPORTS = [
    pytest.param("tc_resnet", "pcen", 2, 8, marks=pytest.mark.slow),
    pytest.param("bc_resnet", "log_mel", 2, 15, marks=pytest.mark.slow),
    pytest.param("ds_tcn", "pcen", 3, 1, marks=pytest.mark.slow),
    pytest.param("bc_resnet", "pcen", 1, 1, marks=pytest.mark.slow),
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("family", "kind", "stride", "pool"), EXPORTS)
def test_onnx_equals_torch_for_any_streams_and_chunk(
    family: str, kind: str, stride: int, pool: int, tmp_path: Path
) -> None:
    import onnxruntime

    model = model_of(family, kind, frame_stride=stride, pool_frames=pool)
    streams, chunks = torch.export.Dim("streams"), torch.export.Dim("chunks")
    program = torch.onnx.export(
        model,
        (torch.zeros(3, 4 * model.step_samples), model.settled_state(3)),
        dynamo=True,
        opset_version=20,
        dynamic_shapes=({0: streams, 1: model.step_samples * chunks}, {0: streams}),
        input_names=["audio", "state"],
        output_names=["score", "next_state"],
        external_data=False,
        verbose=False,
    )
    assert program is not None
    path = tmp_path / "model.onnx"
    program.save(str(path))
    session = onnxruntime.InferenceSession(str(path))
    for count, steps in ((1, 1), (5, 3), (2, 7)):
        audio = speechlike(count, 4 * steps * model.step_samples)
        audio[:, : 2 * model.step_samples] = 0.0
        state = model.settled_state(count)
        theirs = state.numpy()
        for chunk in audio.split(steps * model.step_samples, dim=1):
            with torch.no_grad():
                score, state = model(chunk, state)
            their_score, theirs = session.run(None, {"audio": chunk.numpy(), "state": theirs})
            np.testing.assert_allclose(their_score, score.numpy(), atol=1e-4)
            # The smoother of PCEN holds energies in units of the floor, up to 1e8: relative.
            np.testing.assert_allclose(theirs, state.numpy(), atol=1e-4, rtol=1e-4)
