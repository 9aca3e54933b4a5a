"""A tone bundle with a verifier whose phonemes are tones: a second stage that is exact, and made in milliseconds.

The recogniser is a graph of its own with the contract of `verifier.onnx`: it hears which of four tones sounds in each
20 ms. The word alpha is pronounced as a low tone and then the tone that its detector knows; the same for beta.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.bundles import SAMPLE_RATE_HZ, TONES_HZ, tone, tone_manifest, tone_model
from wakeword.export.manifest import graph_metadata, write_bundle_files

LOW_HZ, HIGH_HZ = 400.0, 4000.0
PHONEMES_HZ = (LOW_HZ, TONES_HZ["alpha"], TONES_HZ["beta"], HIGH_HZ)
LOW, ALPHA, BETA, HIGH = range(4)
BLANK, BOUNDARY, TOKENS = 4, 5, 6
FRAME_SAMPLES = 320
PATHS = {"alpha": (LOW, ALPHA), "beta": (LOW, BETA)}
FUSION = {"weights": {"logit": 1.0, "mean": 2.0, "weakest": 1.0}, "offset": -0.5, "made": "by hand for tests"}


def tone_recogniser(sharpness: float = 6.0, blank: float = 0.3) -> onnx.ModelProto:
    """`audio (windows, samples)` to `log_probs (windows, frames, TOKENS)`: softmax of the share of power per tone."""
    time_s = np.arange(FRAME_SAMPLES) / SAMPLE_RATE_HZ
    waves = [f(2 * math.pi * hz * time_s) for hz in PHONEMES_HZ for f in (np.sin, np.cos)]
    count = len(PHONEMES_HZ)
    pairs = np.kron(np.eye(count), np.ones((1, 2))).reshape(count, 2 * count, 1)
    # Blank and boundary have constant outputs: a copy of the first tone's share times 0, plus a bias.
    spread = np.concatenate([np.eye(count) * sharpness, np.zeros((TOKENS - count, count))])[..., None]
    bias = np.r_[np.zeros(count), sharpness * blank, 0.0]
    constants = {
        "kernel": np.stack(waves)[:, None].astype(np.float32),
        "pairs": (pairs * 2 / FRAME_SAMPLES).astype(np.float32),
        "ones": np.ones((1, 1, FRAME_SAMPLES), np.float32),
        "floor": np.float32(0.1),
        "spread": spread.astype(np.float32),
        "bias": bias.astype(np.float32),
        "axis": np.array([1]),
    }
    node = helper.make_node
    nodes = [
        node("Unsqueeze", ["audio", "axis"], ["signal"]),
        node("Conv", ["signal", "kernel"], ["quadratures"], strides=[FRAME_SAMPLES]),
        node("Mul", ["quadratures", "quadratures"], ["squares"]),
        node("Conv", ["squares", "pairs"], ["power"]),
        node("Mul", ["signal", "signal"], ["energies"]),
        node("Conv", ["energies", "ones"], ["energy"], strides=[FRAME_SAMPLES]),
        node("Add", ["energy", "floor"], ["total"]),
        node("Div", ["power", "total"], ["share"]),
        node("Conv", ["share", "spread", "bias"], ["logits"]),
        node("Transpose", ["logits"], ["frames"], perm=[0, 2, 1]),
        node("LogSoftmax", ["frames"], ["log_probs"], axis=-1),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "tone_phonemes",
        [value("audio", TensorProto.FLOAT, ["windows", "samples"])],
        [value("log_probs", TensorProto.FLOAT, ["windows", "frames", TOKENS])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def verifier_part(labels: list[str], **changes: Any) -> dict[str, Any]:
    """The part `verifier` of `wake.json`; `changes` replace its entries."""
    words = []
    for label in labels:
        tokens = [[token] for token in PATHS[label]]
        words.append(
            {
                "label": label,
                "pronunciations": [{"tokens": tokens, "costs": [[0.0] for _ in tokens]}],
                "trigger_threshold": 0.1,
                "threshold": 0.4,
            }
        )
    return {
        "kind": "phonetic",
        "recogniser": "tones",
        "fingerprint": "tones-1",
        "licence": "made by the tests",
        "rate_hz": SAMPLE_RATE_HZ / FRAME_SAMPLES,
        "tokens": TOKENS,
        "blank": BLANK,
        "boundary": BOUNDARY,
        "before_s": 0.8,
        "after_s": 0.3,
        "fusion": FUSION,
        "words": words,
        **changes,
    }


def write_verified_bundle(
    folder: Path,
    labels: tuple[str, ...] = ("alpha", "beta"),
    recogniser: bytes | None = None,
    part: dict[str, Any] | None = None,
    **changes: Any,
) -> Path:
    """Write the bundle into `folder`: `part` replaces its part `verifier`, `changes` other entries of its manifest."""
    part = verifier_part(list(labels)) if part is None else part
    manifest = tone_manifest(list(labels), verifier=part, **changes)
    model = tone_model(list(labels))
    helper.set_model_props(model, graph_metadata(manifest))
    content = tone_recogniser().SerializeToString() if recogniser is None else recogniser
    write_bundle_files(folder, model.SerializeToString(), manifest, verifier=content)
    return folder


def spoken_track(
    words: list[tuple[str, float]], alone: list[tuple[str, float]], seconds: float, noise: float = 0.02, seed: int = 0
) -> np.ndarray:
    """Noise with words (a low tone of 0.2 s, then the word's tone) at (label, start_s), and with bare tones `alone`."""
    random = np.random.default_rng(seed)
    audio = (noise * random.standard_normal(round(seconds * SAMPLE_RATE_HZ))).astype(np.float32)

    def add(sound: np.ndarray, start_s: float) -> None:
        start = round(start_s * SAMPLE_RATE_HZ)
        room = max(0, min(len(sound), len(audio) - start))
        audio[start : start + room] += sound[:room]

    time_s = np.arange(round(0.2 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    low = (0.5 * np.sin(2 * math.pi * LOW_HZ * time_s)).astype(np.float32)
    for label, start_s in words:
        add(np.concatenate([low, tone(label, 0.3)]), start_s)
    for label, start_s in alone:
        add(tone(label, 0.3), start_s)
    return audio
