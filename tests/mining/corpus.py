"""Recordings for mining with the tone detector: noises that sound like voices, with a tone where the detector fires."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.data.corpus import config_for, write_manifest
from tests.data.test_duplicates import voice
from tests.evaluation import known
from wakeword.audio.io import write_flac, write_wav
from wakeword.config import Config


def talk(seed: int, seconds: float, tones: list[tuple[str, float, float]]) -> np.ndarray:
    """A moving noise with a pure tone that ends at each (label, end_s, share of energy): `(samples,)` float32."""
    audio = voice(seed, seconds)
    for label, end_s, share in tones:
        place = slice(round((end_s - known.TONE_S) * known.RATE), round(end_s * known.RATE))
        time_s = np.arange(place.stop - place.start) / known.RATE
        wave = np.sqrt(2 * share) * np.sin(2 * np.pi * known.TONES_HZ[label] * time_s)
        rest = audio[place] / max(float(np.std(audio[place])), 1e-6) * np.sqrt(1 - share)
        audio[place] = 0.1 * (wave + rest)
    return audio


def write_home(root: Path) -> Path:
    """Words and speech of three splits; what fires in train at known times, and in test too. Returns the manifest."""
    rng = np.random.default_rng(5)
    rows = []
    for split in ("train", "val", "test"):
        for label in known.TONES_HZ:
            for number in range(2):
                path = f"words/{split}-{label}-{number}.wav"
                write_wav(root / path, known.tone_clip(label, rng))
                speaker = f"{split}-{number}"
                rows.append({"path": path, "kind": "wakeword", "label": label, "speaker": speaker, "split": split})
    spoken = {"text": "turn alpha off"}
    for number, (name, split, seconds, tones, more) in enumerate(
        [
            # A low peak half a second before a high one: one event, and the high one is the candidate.
            ("a", "train", 12.0, [("alpha", 5.0, 0.7), ("alpha", 5.5, 0.95)], {}),
            ("b", "train", 14.0, [("beta", 3.0, 0.9), ("beta", 9.0, 0.8), ("beta", 13.95, 0.85)], {}),
            ("c", "train", 6.0, [], {}),
            ("said", "train", 6.0, [("alpha", 3.0, 0.95)], spoken),
            ("held", "train", 6.0, [("alpha", 3.0, 0.95)], {"contains": "alpha"}),
            ("v", "val", 4.0, [("beta", 2.0, 0.95)], {}),
            ("t", "test", 5.0, [("alpha", 2.5, 0.95)], {}),
        ]
    ):
        path = f"speech/{name}.flac"
        write_flac(root / path, talk(number, seconds, tones))
        row = {"path": path, "kind": "speech", "label": "speech", "speaker": f"s-{name}", "split": split, **more}
        rows.append(row)
    return write_manifest(root / "manifest.csv", rows)


def home_config(manifest: Path, **tree: object) -> Config:
    """A recipe for it."""
    words = [{"label": label} for label in known.TONES_HZ]
    return config_for(manifest, words=words, **tree)
