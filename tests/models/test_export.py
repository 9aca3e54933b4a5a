"""Every family through the export of a bundle: ONNX Runtime gives the numbers of torch for any streams and chunk."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.audio.test_frontend import speechlike
from tests.models.test_registry import FAMILIES, config_of, lived_in, mels_of
from wakeword.config import validate_config
from wakeword.export.onnx import export_onnx
from wakeword.models.streaming import StreamingModel

QUICK = ("gru",)
"""A recurrence; an export takes 10 to 20 s of CPU time, so the others are with the slow suites."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "family", [family if family in QUICK else pytest.param(family, marks=pytest.mark.slow) for family in FAMILIES]
)
def test_onnx_equals_torch_for_any_streams_and_chunk(family: str) -> None:
    import onnxruntime

    torch.manual_seed(0)
    tree = {"words": [{"label": "one"}, {"label": "two"}], "model": config_of(family).model_dump()}
    config = validate_config({**tree, "frontend": {"n_mels": mels_of(family)}})
    model = StreamingModel(config, config.labels).eval()
    lived_in(model.network)
    session = onnxruntime.InferenceSession(export_onnx(model, config.export.opset, {}))
    assert [value.name for value in session.get_inputs()] == ["audio", "state"]
    for streams, steps in ((1, 1), (3, 5)):
        audio = speechlike(streams, 6 * steps * model.step_samples)
        state = model.settled_state(streams)
        theirs = state.numpy()
        for chunk in audio.split(steps * model.step_samples, dim=1):
            with torch.no_grad():
                score, state = model(chunk, state)
            their_score, theirs = session.run(None, {"audio": chunk.numpy(), "state": theirs})
            np.testing.assert_allclose(their_score, score.numpy(), atol=2e-5)
            np.testing.assert_allclose(theirs, state.numpy(), atol=1e-4, rtol=1e-4)
