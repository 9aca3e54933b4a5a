"""A tiny prepared data set made on the spot: a "word" is a rising pair of tones, everything else is not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wakeword.config import Config, validate_config
from wakeword.data.manifest import clip_row
from wakeword.data.shards import INDEX_VERSION, write_shard
from wakeword.system.files import sha256_of, write_json

RATE = 16_000


def tone(generator: np.random.Generator, hertz: float, seconds: float) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    wave = np.sin(2 * np.pi * hertz * time) + 0.5 * np.sin(2 * np.pi * 2.1 * hertz * time)
    edge = np.minimum(1, np.minimum(time, time[-1] - time) / 0.02)
    return wave * edge * generator.uniform(0.1, 0.3)


def word(generator: np.random.Generator, rising: bool = True) -> np.ndarray:
    low, high = generator.uniform(380, 450), generator.uniform(1400, 1700)
    first, second = (low, high) if rising else (high, low)
    quiet = np.zeros(int(0.15 * RATE))
    return np.concatenate([quiet, tone(generator, first, 0.25), tone(generator, second, 0.25), quiet])


def babble(generator: np.random.Generator, seconds: float) -> np.ndarray:
    pieces = [
        tone(generator, generator.uniform(200, 2500), generator.uniform(0.1, 0.4)) for _ in range(int(seconds * 5))
    ]
    return np.concatenate(pieces)[: int(seconds * RATE)]


def clip(split: str, kind: str, label: str, number: int, audio: np.ndarray, **values: Any) -> dict[str, Any]:
    pcm = (np.clip(audio, -1, 1) * 32767).astype("<i2")
    row = clip_row(
        clip_id=f"{split}-{kind}-{label}-{number}", uri="synthetic", kind=kind, label=label,
        speaker=f"{split}{number % 5}", split=split, source=f"made-{kind}", duration_s=len(pcm) / RATE, **values,
    )  # fmt: skip
    return {**row, "audio": pcm.tobytes()}


def clips_of(split: str, words: int, seed: int, labels: tuple[str, ...] = ("nova",)) -> list[dict[str, Any]]:
    generator = np.random.default_rng(seed)
    rows = []
    for number in range(words):
        for label in labels:
            audio = word(generator, rising=label == "nova")
            rows.append(clip(split, "wakeword", label, number, audio, word_start_s=0.15, word_end_s=0.65))
        if "other" not in labels:
            audio = word(generator, rising=False)
            rows.append(clip(split, "wakeword", "other", number, audio, word_start_s=0.15, word_end_s=0.65))
    for number in range(words):
        rows.append(clip(split, "speech", "speech", number, babble(generator, generator.uniform(1.5, 5.0))))
    for number in range(4):
        noise = 0.05 * generator.standard_normal(4 * RATE)
        rows.append(clip(split, "noise", "noise", number, noise))
        impulse = np.exp(-np.arange(1600) / 200) * generator.standard_normal(1600) * 0.1
        impulse[0] = 0.9
        rows.append(clip(split, "rir", "rir", number, impulse))
    return rows


def make_prepared(
    folder: Path,
    words: int = 24,
    labels: tuple[str, ...] = ("nova",),
    drop: str = "",
    more: Sequence[dict[str, Any]] = (),
) -> Path:
    """Write shards and index for the splits train, val and test; `drop` leaves a kind out, `more` adds to train."""
    splits: dict[str, Any] = {}
    for seed, split in enumerate(("train", "val", "test")):
        path = folder / "shards" / f"{split}-0000.arrow"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [row for row in clips_of(split, words, seed, labels) if row["kind"] != drop and row["label"] != drop]
        count = write_shard(path, [*rows, *more] if split == "train" else rows)
        entry = {"file": f"shards/{path.name}", "rows": count, "bytes": path.stat().st_size, "sha256": sha256_of(path)}
        splits[split] = {"shards": [entry]}
    write_json(
        folder / "index.json",
        {
            "version": INDEX_VERSION,
            "config_hash": f"synthetic-{words}-{drop}",
            "labels": list(labels),
            "splits": splits,
        },
    )
    return folder


def tiny_config(**sections: dict[str, Any]) -> Config:
    """A config whose run takes seconds; `tiny_config(training={"epochs": 3})` changes fields."""
    tree: dict[str, Any] = {
        "words": [{"label": "nova"}],
        "model": {"family": "tc_resnet", "width": 0.5, "frame_stride": 2, "dropout": 0.05},
        "training": {"epochs": 2, "steps_per_epoch": 4, "batch_size": 12, "learning_rate": 5e-3, "ema_decay": 0.9},
        "tracking": {"tensorboard": False},
        "compute": {"device": "cpu", "workers": 0},
    }
    for name, values in sections.items():
        tree[name] = {**tree[name], **values} if isinstance(tree.get(name), dict) else values
    return validate_config(tree, "test")
