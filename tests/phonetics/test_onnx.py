"""The exported recogniser gives what the network gives, for every number of windows and samples."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from wakeword.phonetics import onnx as tracing
from wakeword.phonetics.onnx import export_recogniser
from wakeword.phonetics.recogniser import Recogniser

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def exported(recogniser: Recogniser, cache: Path) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WAKEWORD_CACHE", str(cache))
        patch.setattr(tracing, "_made", {})
        return export_recogniser(recogniser)


@pytest.fixture(scope="module")
def session(exported: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])


def test_speech_has_the_same_log_probabilities(
    session: onnxruntime.InferenceSession, recogniser: Recogniser, speech: list[torch.Tensor]
) -> None:
    for audio in speech:
        for first in (0, len(audio) // 2):
            window = audio[None, first : first + 33_600]
            expected = recogniser.log_probs(window).numpy()
            found = session.run(None, {"audio": window.numpy()})[0]
            # A score is a difference to the best token of the frame: what is e^-15 less likely counts for nothing.
            counts = expected > -15
            assert np.abs(found - expected)[counts].max() <= 1e-4
            assert (found.argmax(-1) == expected.argmax(-1)).mean() > 0.99


@pytest.mark.parametrize(("windows", "samples"), [(1, 33_600), (7, 33_600), (2, 400), (3, 12_345)])
def test_any_number_of_windows_and_samples(
    session: onnxruntime.InferenceSession, recogniser: Recogniser, windows: int, samples: int
) -> None:
    audio = 0.1 * torch.randn(windows, samples, generator=torch.Generator().manual_seed(windows))
    expected = recogniser.log_probs(audio).numpy()
    found = session.run(None, {"audio": audio.numpy()})[0]
    assert found.shape == expected.shape
    # Noise is heard as nothing in particular: its small probabilities are less exact than those of speech.
    assert np.abs(found - expected)[expected > -15].max() <= 1e-3


def test_it_is_traced_once_and_a_damaged_file_is_not_used(
    exported: bytes, recogniser: Recogniser, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def traced(_: Recogniser) -> bytes:
        return b"traced anew"

    monkeypatch.setenv("WAKEWORD_CACHE", str(cache))
    monkeypatch.setattr(tracing, "_export", traced)
    (path,) = cache.rglob("*.onnx")
    for damage, expected in ((b"", exported), (b"?", b"traced anew")):
        path.write_bytes(path.read_bytes() + damage)
        monkeypatch.setattr(tracing, "_made", {})
        assert export_recogniser(recogniser) == expected


def test_digital_silence_is_finite(session: onnxruntime.InferenceSession, recogniser: Recogniser) -> None:
    silence = torch.zeros(1, 33_600)
    found = session.run(None, {"audio": silence.numpy()})[0]
    np.testing.assert_allclose(found, recogniser.log_probs(silence).numpy(), atol=2e-3)


def test_the_file_is_small_and_names_its_sizes(exported: bytes) -> None:
    assert len(exported) <= 5_500_000
    graph = onnx.load_from_string(exported).graph
    assert [d.dim_param or d.dim_value for d in graph.input[0].type.tensor_type.shape.dim] == ["windows", "samples"]
    output = [d.dim_param or d.dim_value for d in graph.output[0].type.tensor_type.shape.dim]
    assert output == ["windows", "frames", 191]


def test_a_window_costs_little(session: onnxruntime.InferenceSession) -> None:
    audio = np.random.default_rng(0).normal(size=(1, 33_600)).astype(np.float32) * 0.1
    session.run(None, {"audio": audio})
    begin = time.process_time()
    for _ in range(10):
        session.run(None, {"audio": audio})
    assert (time.process_time() - begin) / 10 < 0.06
