"""One real model, exported once: tracing takes tens of seconds on a busy machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from wakeword.config import Config, validate_config
from wakeword.export.manifest import build_manifest, graph_metadata, write_bundle_files
from wakeword.export.onnx import export_onnx
from wakeword.models.streaming import StreamingModel


def small_config(**sections: dict) -> Config:
    """Two words and a student that is quick to trace."""
    words = [{"label": "hey_nova"}, {"label": "stop", "phrase": "stop it"}]
    model = {"family": "ds_tcn", "width": 0.25, "pool_frames": 5}
    return validate_config({"name": "small", "words": words, "model": model} | sections)


def untrained(config: Config) -> StreamingModel:
    """A model with random weights whose scores move: its logits are spread around zero."""
    torch.manual_seed(3)
    model = StreamingModel(config, config.labels).eval()
    with torch.no_grad():
        from wakeword.export.verify import synthetic_audio

        logits = model.offline(torch.from_numpy(synthetic_audio()[0])[None])[0]
        final = [module for module in model.network.modules() if isinstance(module, torch.nn.Conv1d | torch.nn.Linear)]
        scale = 2.0 / logits.std(dim=0)
        _rescale(final[-1], scale, logits.mean(dim=0))
    return model


def _rescale(layer: torch.nn.Module, scale: torch.Tensor, mean: torch.Tensor) -> None:
    layer.weight.mul_(scale.reshape(-1, *([1] * (layer.weight.ndim - 1))))
    layer.bias.copy_((layer.bias - mean) * scale)


@pytest.fixture(scope="session")
def small_model() -> StreamingModel:
    """A real student with random weights."""
    return untrained(small_config())


@pytest.fixture(scope="session")
def small_bundle(small_model: StreamingModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its bundle, without parity having been checked; not to be changed."""
    config = small_config()
    manifest = build_manifest(config, small_model.step_samples, small_model.state_size, small_model.context_samples, {})
    folder = tmp_path_factory.mktemp("small") / "bundle"
    write_bundle_files(folder, export_onnx(small_model, config.export.opset, graph_metadata(manifest)), manifest)
    return folder
