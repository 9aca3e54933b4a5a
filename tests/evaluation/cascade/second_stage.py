"""The phoneme recogniser of the wheel as a second stage, and rows of the real recordings."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import soundfile
import torch

from tests.evaluation import known
from wakeword.phonetics.hama import load_hama
from wakeword.runtime.phoneme_path import PathFeatures, PhraseScorer, Pronunciation

SOUNDS = {"jarvis": ("d͡ʒ", "ɑ", "ɹ", "v", "ɪ", "s")}


class TorchVerifier:
    """The phoneme recogniser of the wheel in torch, as the second stage of a bundle."""

    before_samples, after_samples = 28_800, 4_800

    def __init__(self) -> None:
        self.network, tokens = load_hama()
        phonemes = [(tokens.index(sound),) for sound in SOUNDS["jarvis"]]
        spoken = Pronunciation(tuple(phonemes), tuple((0.0,) for _ in phonemes))
        self.scorer = PhraseScorer([spoken], tokens.index("<blank>"), tokens.index("<wb>"))

    def log_probs(self, windows: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return self.network(torch.from_numpy(windows)).numpy()

    def measure(self, label: str, log_probs: np.ndarray) -> PathFeatures:
        assert label == "jarvis"
        return self.scorer(log_probs)


def real_rows(recordings: Path, split: str, kind: str, label: str, count: int) -> list[dict]:
    """Shard rows of the first `count` real clips of a kind and label, as clips of `split`."""
    with (recordings / "manifest.csv").open(encoding="utf-8", newline="") as file:
        found = [row for row in csv.DictReader(file) if (row["kind"], row["label"]) == (kind, label)][:count]
    rows = []
    for number, row in enumerate(found):
        audio, _ = soundfile.read(recordings / row["path"], dtype="int16")
        place = {"word_start_s": 0.5, "word_end_s": len(audio) / known.RATE - 0.5} if kind == "wakeword" else {}
        rows.append(known.row(split, kind, label, audio, number, **place | {"speaker": row["speaker"]}))
    return rows
