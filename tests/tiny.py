"""A tiny corpus made by the test, and a recipe that runs every stage on it within seconds."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from wakeword.audio.io import write_wav

RATE_HZ = 16_000


def tone(chance: np.random.Generator, frequencies_hz: tuple[float, ...], piece_s: float = 0.2) -> np.ndarray:
    """Tones after each other with a little noise and quiet around: `(samples,)` float32."""
    shift = chance.uniform(0.9, 1.1)
    t = np.arange(round(piece_s * RATE_HZ)) / RATE_HZ
    pieces = [0.3 * np.hanning(len(t)) * np.sin(2 * np.pi * f * shift * t) for f in frequencies_hz]
    quiet = np.zeros(round(chance.uniform(0.1, 0.2) * RATE_HZ))
    audio = np.concatenate([quiet, *pieces, quiet])
    return (audio + chance.normal(scale=0.002, size=len(audio))).astype(np.float32)


def write_corpus(folder: Path, seed: int = 0) -> Path:
    """Write clips and `manifest.csv`: the wake word `chime` is two rising tones, speech is other tones."""
    chance = np.random.default_rng(seed)
    rows = []
    counts = {"train": 10, "val": 5, "test": 5}
    for split, count in counts.items():
        for number in range(count):
            for kind, label in (("wakeword", "chime"), ("speech", "speech"), ("noise", "noise")):
                if kind == "wakeword":
                    audio = tone(chance, (600, 1500))
                elif kind == "speech":
                    audio = tone(chance, tuple(chance.permutation([300, 2500, 900, 400])), 0.25)
                else:
                    audio = chance.normal(scale=0.05, size=2 * RATE_HZ).astype(np.float32)
                path = f"{kind}/{split}-{number}.wav"
                (folder / kind).mkdir(parents=True, exist_ok=True)
                write_wav(folder / path, audio)
                speaker = f"{split}-{number}" if kind != "noise" else ""
                rows.append({"path": path, "kind": kind, "label": label, "speaker": speaker, "split": split})
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "manifest.csv"


def tiny_tree(manifest: Path, runs_dir: Path, **changes: Any) -> dict[str, Any]:
    """The recipe as a plain tree; `changes` are dotted keys with `__` for dots."""
    tree: dict[str, Any] = {
        "name": "tiny",
        "runs_dir": str(runs_dir),
        "words": [{"label": "chime"}],
        "data": {"sources": [{"type": "csv", "uri": str(manifest)}]},
        "model": {"family": "tc_resnet", "width": 0.5, "pool_frames": 5},
        "frontend": {"n_mels": 16},
        "training": {"epochs": 2, "steps_per_epoch": 3, "batch_size": 8, "window_s": 0.8},
        "evaluation": {"snr_db": [10.0], "far": False},
        "compute": {"workers": 0, "device": "cpu"},
        "tracking": {"resource_interval_s": 0.2},
    }
    for key, value in changes.items():
        *parents, leaf = key.split("__")
        node = tree
        for name in parents:
            node = node.setdefault(name, {})
        node[leaf] = value
    return tree


def write_recipe(path: Path, tree: dict[str, Any]) -> Path:
    """Write a recipe as YAML."""
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path
