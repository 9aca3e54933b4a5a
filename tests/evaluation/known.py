"""A detector and recordings with known answers: words are tones, and the graph is a real ONNX tone detector.

The score is the share of a step's energy that lies at the word's frequency, so a tone in quiet scores near 1, speech
(noise here) near 0, and noise on a tone lowers the score as the SNR falls.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet
from onnx import TensorProto, helper, numpy_helper

from wakeword.data.manifest import MANIFEST_SCHEMA, SHARD_SCHEMA, clip_row
from wakeword.data.shards import INDEX_VERSION, write_shard
from wakeword.runtime.bundle import seal_manifest
from wakeword.system.files import sha256_of

RATE = 16_000
STEP = 320
TONES_HZ = {"alpha": 1000.0, "beta": 3000.0}
WORD_S = (0.4, 0.9)
TONE_S = 0.16
"""The tone sounds at the end of the word, so that its peak lies in the hit window."""
CLIP_S = 1.3


def tone_bundle(
    folder: Path,
    labels: tuple[str, ...] = ("alpha", "beta"),
    gain: float = 1.0,
    recalls: int = 0,
    keeps: float = 0.0,
    **detector: float,
) -> Path:
    """A bundle whose scores are `gain` times the share of energy at each word's tone; `detector`: its times.

    With `recalls`, a score is the mean over as many steps before it too, which the state holds, as a student's caches
    do. With `keeps` above 0 the graph never quite forgets: its state is this share of the last call's and the mean
    energy of this call's steps, and the louder it was before, the lower it scores.
    """
    folder.mkdir(parents=True)
    model = folder / "model.onnx"
    onnx.save(_graph(labels, gain, recalls, keeps), model)
    (folder / "MODEL_CARD.md").write_text("# tones\n")
    files = {path.name: {"sha256": sha256_of(path), "bytes": path.stat().st_size} for path in folder.iterdir()}
    manifest = {
        "schema_version": 1,
        "name": "tones",
        "sample_rate_hz": RATE,
        "step_samples": STEP,
        "chunk_ms": 80.0,
        "state_size": max(1, recalls * len(labels)),
        "context_samples": recalls * STEP,
        "words": [{"label": label, "phrase": label} for label in labels],
        "detector": {"smoothing_s": 0.06, "nms_window_s": 0.1, "refractory_s": 1.0, **detector},
        "files": files,
    }
    (folder / "wake.json").write_text(seal_manifest(manifest))
    return folder


def _graph(labels: tuple[str, ...], gain: float, recalls: int = 0, keeps: float = 0.0) -> onnx.ModelProto:
    time = np.arange(STEP) / RATE
    waves = [np.exp(2j * np.pi * TONES_HZ[label] * time) for label in labels]
    basis = np.concatenate([np.real(waves), np.imag(waves)]).T.astype(np.float32) * np.sqrt(2 / STEP)
    words = len(labels)
    constants = {
        "shape": np.array([0, -1, STEP], dtype=np.int64),
        "basis": basis.astype(np.float32),
        "cut": np.array([words, words], dtype=np.int64),
        "two": np.array(2.0, dtype=np.float32),
        "floor": np.array(1e-4, dtype=np.float32),
        "gain": np.array(gain, dtype=np.float32),
        "zero": np.array(0.0, dtype=np.float32),
        "one": np.array(1.0, dtype=np.float32),
        "last": np.array([2], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Reshape", ["audio", "shape"], ["steps"]),
        helper.make_node("MatMul", ["steps", "basis"], ["parts"]),
        helper.make_node("Pow", ["parts", "two"], ["powers"]),
        helper.make_node("Split", ["powers", "cut"], ["cosine", "sine"], axis=2),
        helper.make_node("Add", ["cosine", "sine"], ["tone"]),
        helper.make_node("Pow", ["steps", "two"], ["squares"]),
        helper.make_node("ReduceSum", ["squares", "last"], ["energy"], keepdims=1),
        helper.make_node("Add", ["energy", "floor"], ["whole"]),
        helper.make_node("Div", ["tone", "whole"], ["share"]),
        helper.make_node("Mul", ["share", "gain"], ["scaled"]),
    ]
    constants |= _memory(words, recalls, keeps, nodes)
    nodes.append(helper.make_node("Clip", ["heard", "zero", "one"], ["score"]))
    floats = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "tones",
        [
            helper.make_tensor_value_info("audio", floats, ["streams", "samples"]),
            helper.make_tensor_value_info("state", floats, ["streams", max(1, recalls * words)]),
        ],
        [
            helper.make_tensor_value_info("score", floats, ["streams", "scores", words]),
            helper.make_tensor_value_info("next_state", floats, ["streams", max(1, recalls * words)]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    about = {"words": ",".join(labels), "sample_rate_hz": RATE, "step_samples": STEP, "context_samples": recalls * STEP}
    helper.set_model_props(model, {key: str(value) for key, value in about.items()})
    return model


def _memory(words: int, recalls: int, keeps: float, nodes: list[onnx.NodeProto]) -> dict[str, np.ndarray]:
    """Append the nodes from `scaled` and `state` to `heard` and `next_state`; returns their constants."""
    if keeps:
        nodes += [
            helper.make_node("Unsqueeze", ["state", "last"], ["loud"]),
            helper.make_node("Add", ["loud", "one"], ["louder"]),
            helper.make_node("Div", ["scaled", "louder"], ["heard"]),
            helper.make_node("ReduceMean", ["whole", "over_steps"], ["level"], keepdims=0),
            helper.make_node("Mul", ["state", "keeps"], ["kept"]),
            helper.make_node("Add", ["kept", "level"], ["next_state"]),
        ]
        return {"keeps": np.array(keeps, dtype=np.float32), "over_steps": np.array([1], dtype=np.int64)}
    if recalls:
        nodes += [
            helper.make_node("Transpose", ["scaled"], ["by_word"], perm=[0, 2, 1]),
            helper.make_node("Reshape", ["state", "cache_shape"], ["cache"]),
            helper.make_node("Concat", ["cache", "by_word"], ["joined"], axis=2),
            helper.make_node("Conv", ["joined", "mean"], ["mean_by_word"], group=words),
            helper.make_node("Transpose", ["mean_by_word"], ["heard"], perm=[0, 2, 1]),
            helper.make_node("Slice", ["joined", "newest", "end", "last"], ["next_cache"]),
            helper.make_node("Reshape", ["next_cache", "state_shape"], ["next_state"]),
        ]
        return {
            "cache_shape": np.array([0, words, recalls], dtype=np.int64),
            "mean": np.full((words, 1, recalls + 1), 1 / (recalls + 1), dtype=np.float32),
            "newest": np.array([-recalls], dtype=np.int64),
            "end": np.array([1 << 40], dtype=np.int64),
            "state_shape": np.array([0, words * recalls], dtype=np.int64),
        }
    nodes += [
        helper.make_node("Identity", ["scaled"], ["heard"]),
        helper.make_node("Identity", ["state"], ["next_state"]),
    ]
    return {}


def tone_clip(label: str, rng: np.random.Generator) -> np.ndarray:
    """int16 clip of a word at `WORD_S`."""
    audio = rng.standard_normal(round(CLIP_S * RATE)) * 0.001
    place = slice(round((WORD_S[1] - TONE_S) * RATE), round(WORD_S[1] * RATE))
    audio[place] += 0.2 * np.sin(2 * np.pi * TONES_HZ[label] * np.arange(place.stop - place.start) / RATE)
    return (audio * 32767).astype(np.int16)


def coloured(seconds: float, rng: np.random.Generator, level: float = 0.1) -> np.ndarray:
    """int16 noise that stands for speech."""
    return (np.clip(rng.standard_normal(round(seconds * RATE)) * level, -1, 1) * 32767).astype(np.int16)


def row(split: str, kind: str, label: str, audio: np.ndarray, number: int, **more: object) -> dict:
    """A shard row."""
    place = {"word_start_s": WORD_S[0], "word_end_s": WORD_S[1]} if kind == "wakeword" else {}
    values = {
        "clip_id": f"{split}-{kind}-{label}-{number}",
        "uri": f"{split}/{kind}/{label}/{number}",
        "kind": kind,
        "label": label,
        "speaker": f"{split}-{number % 4}",
        "split": split,
        "source": "made",
        "licence": "CC0",
        "duration_s": len(audio) / RATE,
        **place,
        **more,
    }
    return {**clip_row(**values), "audio": audio.astype("<i2").tobytes()}


def tone_rows(split: str, words: int = 8, speech: int = 6, labels: tuple[str, ...] = ("alpha", "beta")) -> list[dict]:
    """Words, speech, noise, a room and a near miss of one split."""
    rng = np.random.default_rng(len(split))
    rows = [row(split, "wakeword", label, tone_clip(label, rng), n) for label in labels for n in range(words)]
    rows += [row(split, "speech", "speech", coloured(5.0, rng), n) for n in range(speech)]
    rows += [row(split, "noise", "noise", coloured(2.0, rng, 0.05), n) for n in range(3)]
    response = np.zeros(4000, dtype=np.int16)
    response[800] = 30000
    response[900:3900:50] = np.where(np.arange(60) % 3, 6000, -6000)  # beyond the critical distance
    rows.append(row(split, "rir", "rir", response, 0))
    return rows


def table_of(rows: list[dict]) -> pa.Table:
    """Rows as a table with the shards' columns."""
    return pa.Table.from_pylist(rows, schema=SHARD_SCHEMA)


def prepared(folder: Path, rows: list[dict]) -> Path:
    """A prepared folder as `prepare` writes it, from rows."""
    splits: dict[str, dict] = {}
    for split in ("train", "val", "test"):
        own = [r for r in rows if r["split"] == split]
        if own:
            path = folder / "shards" / f"{split}-00000.arrow"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_shard(path, own)
            entry = {
                "file": f"shards/{path.name}",
                "bytes": path.stat().st_size,
                "sha256": sha256_of(path),
                "rows": len(own),
            }
            splits[split] = {"shards": [entry]}
    folder.mkdir(parents=True, exist_ok=True)
    labels = sorted({r["label"] for r in rows if r["kind"] == "wakeword"})
    config_hash = hashlib.sha256(str(len(rows)).encode()).hexdigest()[:16]
    index = {"version": INDEX_VERSION, "config_hash": config_hash, "labels": labels, "splits": splits}
    (folder / "index.json").write_text(json.dumps(index))
    pa.parquet.write_table(table_of(rows).select(MANIFEST_SCHEMA.names), folder / "manifest.parquet")
    return folder
