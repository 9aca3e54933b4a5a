"""A tiny bundle: each word is a tone, and its score is the share of the power at its frequency.

The window is as long as the tones, so that a score has one clear peak and float noise moves no event.
Not a stand-in for a trained net but a detector of its own: a streaming graph with the bundle's contract (state, many
streams, any multiple of the step), written by the same writer as every exported bundle. For tests of what runs bundles.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from wakeword.export.manifest import graph_metadata, write_bundle_files

STEP_SAMPLES = 320
CONTEXT_SAMPLES = 4800
SAMPLE_RATE_HZ = 16_000
TONES_HZ = {"alpha": 1000.0, "beta": 2300.0}


def tone(label: str, seconds: float, level: float = 0.5) -> np.ndarray:
    """The tone of the word `label`: `(samples,)` float32."""
    time_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (level * np.sin(2 * math.pi * TONES_HZ[label] * time_s)).astype(np.float32)


def track(events: list[tuple[str, float]], seconds: float, noise: float = 0.02, seed: int = 0) -> np.ndarray:
    """Noise with a 0.3 s tone for each (label, start_s): `(samples,)` float32."""
    audio = (noise * np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE_HZ))).astype(np.float32)
    for label, start_s in events:
        sound = tone(label, 0.3)
        start = round(start_s * SAMPLE_RATE_HZ)
        audio[start : start + len(sound)] += sound
    return audio


def tone_model(labels: list[str]) -> onnx.ModelProto:
    """The graph: power at each word's frequency over the last `CONTEXT_SAMPLES`, as a share of all power."""
    kept = CONTEXT_SAMPLES - STEP_SAMPLES
    time_s = np.arange(CONTEXT_SAMPLES) / SAMPLE_RATE_HZ
    waves = [f(2 * math.pi * TONES_HZ[label] * time_s) for label in labels for f in (np.sin, np.cos)]
    # Both quadratures of a tone: the sum of their squares times 2 / samples is the tone's power.
    pairs = np.kron(np.eye(len(labels)), np.ones((1, 2))).reshape(len(labels), 2 * len(labels), 1)
    constants = {
        "kernel": np.stack(waves)[:, None].astype(np.float32),
        "pairs": (pairs * 2 / CONTEXT_SAMPLES).astype(np.float32),
        "ones": np.ones((1, 1, CONTEXT_SAMPLES), np.float32),
        "floor": np.float32(1.0),
        "axis": np.array([1]),
        "last": np.array([-kept]),
        "end": np.array([np.iinfo(np.int64).max]),
    }
    node = helper.make_node
    nodes = [
        node("Concat", ["state", "audio"], ["joined"], axis=1),
        node("Slice", ["joined", "last", "end", "axis"], ["next_state"]),
        node("Unsqueeze", ["joined", "axis"], ["signal"]),
        node("Conv", ["signal", "kernel"], ["quadratures"], strides=[STEP_SAMPLES]),
        node("Mul", ["quadratures", "quadratures"], ["squares"]),
        node("Conv", ["squares", "pairs"], ["power"]),
        node("Mul", ["signal", "signal"], ["energies"]),
        node("Conv", ["energies", "ones"], ["energy"], strides=[STEP_SAMPLES]),
        node("Add", ["energy", "floor"], ["total"]),
        node("Div", ["power", "total"], ["share"]),
        node("Transpose", ["share"], ["score"], perm=[0, 2, 1]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "tones",
        [
            value("audio", TensorProto.FLOAT, ["streams", "samples"]),
            value("state", TensorProto.FLOAT, ["streams", kept]),
        ],
        [
            value("score", TensorProto.FLOAT, ["streams", "scores", len(labels)]),
            value("next_state", TensorProto.FLOAT, ["streams", kept]),
        ],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def tone_manifest(labels: list[str], **changes: Any) -> dict[str, Any]:
    """`wake.json` without `files` and `checksum`."""
    return {
        "schema_version": 1,
        "name": "tones",
        "sample_rate_hz": SAMPLE_RATE_HZ,
        "step_samples": STEP_SAMPLES,
        "chunk_ms": 80.0,
        "state_size": CONTEXT_SAMPLES - STEP_SAMPLES,
        "context_samples": CONTEXT_SAMPLES,
        "words": [
            {"label": label, "phrase": label, "threshold": 0.5, "ready": False, "operating_points": []}
            for label in labels
        ],
        "detector": {"smoothing_s": 0.06, "nms_window_s": 0.1, "refractory_s": 1.0},
        "metrics": {},
        "training_data": {},
        **changes,
    }


def write_tone_bundle(folder: Path, labels: tuple[str, ...] = ("alpha", "beta"), **changes: Any) -> Path:
    """Write the bundle into `folder`; `changes` replace entries of its manifest. Returns `folder`."""
    manifest = tone_manifest(list(labels), **changes)
    model = tone_model(list(labels))
    helper.set_model_props(model, graph_metadata(manifest))
    write_bundle_files(folder, model.SerializeToString(), manifest)
    return folder
