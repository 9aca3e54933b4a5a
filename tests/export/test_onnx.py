"""The exported graph: interface, constants that must survive, opset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from wakeword.errors import RunError
from wakeword.export.onnx import export_onnx
from wakeword.models.streaming import StreamingModel
from wakeword.runtime import load_bundle
from wakeword.runtime.engine import Engine
from wakeword.runtime.onnx_file import has_external_data


class Loudness(nn.Module):
    """The smallest thing with a `StreamingModel`'s interface: log energy with a floor, and its running maximum."""

    step_samples = 160
    context_samples = 320

    def settled_state(self, streams: int) -> Tensor:
        return torch.full((streams, 1), -4.0)

    def forward(self, audio: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        energy = audio.unflatten(1, (-1, self.step_samples)).square().mean(dim=2, keepdim=True)
        level = torch.log10(energy + 1e-8)
        return torch.sigmoid(level + 4.0), torch.maximum(state, level.amax(dim=1))


def scores(model: bytes, audio: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(model)
    return session.run(["score"], {"audio": audio, "state": np.full((len(audio), 1), -4, np.float32)})[0]


@pytest.mark.parametrize("opset", [18, 20])
def test_opset_and_metadata(opset: int) -> None:
    content = export_onnx(Loudness(), opset, {"words": "a,b"})
    model = onnx.load_from_string(content)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", opset)]
    assert {entry.key: entry.value for entry in model.metadata_props}["words"] == "a,b"
    assert not has_external_data(content)


def test_small_constants_survive_the_optimiser() -> None:
    """onnxscript's optimiser takes 1e-8 for 0: silence would give log(0), then NaN in every later score."""
    content = export_onnx(Loudness(), 20, {})
    silent = scores(content, np.zeros((1, 320), np.float32))
    assert np.allclose(silent, 1 / (1 + np.exp(4.0)), atol=1e-6)


def test_any_streams_and_steps() -> None:
    content = export_onnx(Loudness(), 20, {})
    generator = np.random.default_rng(0)
    for streams, steps in ((1, 1), (1, 50), (40, 1), (7, 3)):
        audio = generator.standard_normal((streams, 160 * steps)).astype(np.float32)
        expected = Loudness()(torch.from_numpy(audio), torch.full((streams, 1), -4.0))[0].numpy()
        assert np.allclose(scores(content, audio), expected, atol=1e-6)


def test_a_model_that_cannot_be_traced() -> None:
    class Branching(Loudness):
        def forward(self, audio: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
            if audio.abs().max() > 0.5:
                return super().forward(audio, state)
            return super().forward(audio * 2, state)

    with pytest.raises(RunError, match="cannot be exported to ONNX at opset 20"):
        export_onnx(Branching(), 20, {})


def test_the_real_student_exports(small_model: StreamingModel, small_bundle: Path) -> None:
    bundle = load_bundle(small_bundle)
    engine = Engine(bundle)
    with torch.inference_mode():
        settled = small_model.settled_state(1).numpy()[0]
    assert np.allclose(engine.settled_state, settled, atol=1e-3)
    graph = onnx.load_from_string(bundle.model).graph
    shapes = {
        v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in [*graph.input, *graph.output]
    }
    assert shapes == {
        "audio": ["streams", "samples"],
        "state": ["streams", small_model.state_size],
        "score": ["streams", "scores", 2],
        "next_state": ["streams", small_model.state_size],
    }
