"""Prepared clips that are made on the spot, for a check that has no recordings: a "word" is two rising tones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from wakeword.config import SAMPLE_RATE_HZ
from wakeword.data.manifest import clip_row
from wakeword.data.shards import INDEX_VERSION, write_shard
from wakeword.system.files import sha256_of, write_json

PAUSE_S, TONE_S = 0.15, 0.25


def write_prepared(folder: Path, words: int) -> Path:
    """Write shards and index of `words` words, as many negatives, a few noises and room responses for each split."""
    splits: dict[str, Any] = {}
    for seed, split in enumerate(("train", "val", "test")):
        path = folder / "shards" / f"{split}-0000.arrow"
        path.parent.mkdir(parents=True, exist_ok=True)
        count = write_shard(path, _rows(split, words, np.random.default_rng(seed)))
        entry = {"file": f"shards/{path.name}", "rows": count, "bytes": path.stat().st_size, "sha256": sha256_of(path)}
        splits[split] = {"shards": [entry]}
    index = {"version": INDEX_VERSION, "config_hash": f"gpu-clips-{words}", "labels": ["nova"], "splits": splits}
    write_json(folder / "index.json", index)
    return folder


def _rows(split: str, words: int, draw: np.random.Generator) -> Iterator[dict[str, Any]]:
    for number in range(words):
        yield _row(
            split, "wakeword", "nova", number, _word(draw), word_start_s=PAUSE_S, word_end_s=PAUSE_S + 2 * TONE_S
        )
        yield _row(split, "wakeword", "other", number, _word(draw)[::-1].copy())
        speech = np.concatenate([_tone(draw, draw.uniform(200, 2500)) for _ in range(int(draw.integers(6, 20)))])
        yield _row(split, "speech", "speech", number, speech)
    for number in range(4):
        yield _row(split, "noise", "noise", number, 0.05 * draw.standard_normal(4 * SAMPLE_RATE_HZ))
        decay = np.exp(-np.arange(1600) / 200) * draw.standard_normal(1600) * 0.1
        decay[0] = 0.9
        yield _row(split, "rir", "rir", number, decay)


def _tone(draw: np.random.Generator, frequency_hz: float) -> np.ndarray:
    time_s = np.arange(round(TONE_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    edge = np.minimum(1, np.minimum(time_s, TONE_S - time_s) / 0.02)
    wave = np.sin(2 * np.pi * frequency_hz * time_s) + 0.5 * np.sin(4.2 * np.pi * frequency_hz * time_s)
    return wave * edge * draw.uniform(0.1, 0.3)


def _word(draw: np.random.Generator) -> np.ndarray:
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ))
    return np.concatenate([pause, _tone(draw, draw.uniform(380, 450)), _tone(draw, draw.uniform(1400, 1700)), pause])


def _row(split: str, kind: str, label: str, number: int, audio: np.ndarray, **values: Any) -> dict[str, Any]:
    samples = (np.clip(audio, -1, 1) * 32767).astype("<i2")
    row = clip_row(
        clip_id=f"{split}-{kind}-{label}-{number}",
        uri="made",
        kind=kind,
        label=label,
        speaker=f"{split}{number % 5}",
        split=split,
        source=f"made-{kind}",
        duration_s=len(samples) / SAMPLE_RATE_HZ,
        **values,
    )
    return {**row, "audio": samples.tobytes()}
