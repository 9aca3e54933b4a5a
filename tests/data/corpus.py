"""Small corpora made on the spot: real files of known content, written as users' folders and manifests are."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from wakeword.audio.io import write_wav
from wakeword.config import Config, validate_config

COLUMNS = ("path", "kind", "label", "speaker", "split", "text", "contains", "duration_s", "sha256")


def burst(seed: int, seconds: float = 0.8, level: float = 0.2) -> np.ndarray:
    """A tone with noise between two silences with a noise floor: something with a beginning and an end."""
    draw = np.random.default_rng(seed)
    samples = round(seconds * 16_000)
    envelope = np.zeros(samples)
    envelope[samples // 4 : -samples // 4] = np.hanning(samples - samples // 4 - (samples + 3) // 4)[: samples // 2 + 9]
    pitch_hz = draw.uniform(120, 900)
    tone = np.sin(2 * np.pi * pitch_hz * np.arange(samples) / 16_000) + 0.3 * draw.standard_normal(samples)
    return (level * envelope * tone + 1e-3 * draw.standard_normal(samples)).astype(np.float32)


def write_corpus(root: Path, speakers: int = 6, per_speaker: int = 3, label: str = "marvin") -> Path:
    """A CSV corpus: wake words of several speakers, speech, one noise, one room; returns the manifest."""
    rows = []
    for speaker in range(speakers):
        for take in range(per_speaker):
            path = f"words/s{speaker}_{take}.wav"
            write_wav(root / path, burst(100 * speaker + take))
            rows.append({"path": path, "kind": "wakeword", "label": label, "speaker": f"s{speaker}"})
        path = f"speech/t{speaker}.wav"
        write_wav(root / path, burst(1000 + speaker, 2.0))
        rows.append({"path": path, "kind": "speech", "label": "speech", "speaker": f"t{speaker}", "text": "good day"})
    write_wav(root / "noise.wav", np.random.default_rng(7).uniform(-0.1, 0.1, 40_000).astype(np.float32))
    write_wav(root / "room.wav", np.concatenate([[0.9], np.zeros(800)]).astype(np.float32))
    rows += [
        {"path": "noise.wav", "kind": "noise", "label": "noise", "split": "train"},
        {"path": "room.wav", "kind": "rir", "label": "rir", "split": "train"},
    ]
    return write_manifest(root / "manifest.csv", rows)


def write_manifest(path: Path, rows: list[dict[str, Any]], columns: tuple[str, ...] = COLUMNS) -> Path:
    """Write rows as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def config_for(uri: Path | str, *, kind: str = "csv", label: str = "marvin", **tree: Any) -> Config:
    """A config with one source; `data` and `source` among the keywords are merged in."""
    source = {"type": kind, "uri": str(uri), **tree.pop("source", {})}
    data = {"sources": [source], **tree.pop("data", {})}
    words = tree.pop("words", [{"label": label}])
    return validate_config({"words": words, "data": data, **tree})


def shard_bytes(out_dir: Path) -> dict[str, bytes]:
    """Content of every shard file."""
    return {path.name: path.read_bytes() for path in sorted((out_dir / "shards").glob("*.arrow"))}
