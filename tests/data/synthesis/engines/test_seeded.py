"""Noise of a graph comes from a seed: equal seeds give equal samples, in every process."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from wakeword.data.synthesis import load_engine
from wakeword.data.synthesis.engines.seeded import NOISE_VALUES, SeededSession
from wakeword.errors import MissingExtraError

SPEAK = """
import hashlib
from wakeword.data.synthesis import load_engine
engine = load_engine("piper")
audio, _ = engine.speak("hey nova. are you there", engine.voices()[0].name, 1.0, 0.0, {seed})
print(hashlib.sha256(audio.tobytes()).hexdigest())
"""


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """A model with three random nodes, of which the first two have the same shape and range."""
    nodes = [
        helper.make_node("RandomNormalLike", ["x"], ["a"], dtype=1),
        helper.make_node("RandomNormalLike", ["x"], ["b"], dtype=1),
        helper.make_node("RandomUniformLike", ["x"], ["c"], low=2.0, high=5.0),
        helper.make_node("RandomNormalLike", ["x"], ["d"], mean=10.0, scale=0.5),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, None])]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, None]) for name in "abcd"]
    graph = helper.make_graph(nodes, "noisy", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(tmp_path / "noisy.onnx"))
    return tmp_path / "noisy.onnx"


def test_noise_has_the_range_of_its_node_and_follows_the_seed(noisy: Path) -> None:
    x = np.zeros((300, 400), np.float32)
    one, two = SeededSession(noisy), SeededSession(noisy)
    one.seed(3)
    two.seed(3)
    first, second = one.run(None, {"x": x}), one.run(None, {"x": x})
    for value, again in zip(first, two.run(None, {"x": x}), strict=True):
        assert value.shape == x.shape
        assert np.array_equal(value, again)
    assert not np.array_equal(first[0], second[0]), "the next run has other noise"
    two.seed(4)
    assert not np.array_equal(first[0], two.run(None, {"x": x})[0])
    a, b, c, d = first
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.02, "no two nodes read the same values"
    assert (a.mean(), a.std()) == pytest.approx((0, 1), abs=0.02)
    assert c.min() >= 2
    assert c.max() <= 5
    assert c.mean() == pytest.approx(3.5, abs=0.02)
    assert (d.mean(), d.std()) == pytest.approx((10, 0.5), abs=0.02)


def test_a_node_that_needs_more_values_repeats_them(noisy: Path) -> None:
    session = SeededSession(noisy)
    long = session.run(["a"], {"x": np.zeros((1, NOISE_VALUES + 5), np.float32)})[0][0]
    assert np.array_equal(long[:5], long[NOISE_VALUES:])


def test_piper_speaks_equal_samples_for_equal_seeds_in_every_process() -> None:
    try:
        engine = load_engine("piper")
    except MissingExtraError as error:
        pytest.skip(str(error))
    voice = engine.voices()[0].name
    spoken = {}
    for seed in (5, 6, 5):
        digest = hashlib.sha256(engine.speak("hey nova. are you there", voice, 1.0, 0.0, seed)[0].tobytes()).hexdigest()
        assert spoken.setdefault(seed, digest) == digest
    assert spoken[5] != spoken[6]
    code = SPEAK.format(seed=5)
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == spoken[5]
