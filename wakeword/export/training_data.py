"""Summary of the training data for the model card, and clips of it for the parity check."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeword.config import SAMPLE_RATE_HZ
from wakeword.data.shards import ShardSet


def about_teacher(spec: str) -> str:
    """What a card says of `distillation.teacher`: its name, and the licence and data of its weights."""
    from wakeword.export.verifier import LICENCES
    from wakeword.models.speech_embedding import SpeechEmbeddingModel

    kind = spec.partition(":")[0]
    known = {
        **LICENCES,
        "speech_embedding": SpeechEmbeddingModel.PRETRAINED,
        "transformers": f"{spec}: its licence and training data are those of the checkpoint",
    }
    return known.get(kind, f"{spec}: detectors of wakeword, whose cards name their data")


def summarise_training_data(prepared_dir: str | Path) -> dict[str, Any]:
    """Clips and hours by kind, words, speakers, licences and sources of the train split, for `wake.json`.

    Raises DataError if the prepared data is missing or damaged.
    """
    shards = ShardSet.open(prepared_dir)
    columns = ["kind", "label", "speaker", "source", "licence", "duration_s", "synthetic"]
    rows = shards.table("train").select(columns).to_pylist()
    hours: dict[str, float] = defaultdict(float)
    for row in rows:
        hours[row["kind"]] += (row["duration_s"] or 0.0) / 3600.0
    return {
        "clips": len(rows),
        "clips_by_kind": _counts(row["kind"] for row in rows),
        "hours_by_kind": {kind: round(value, 4) for kind, value in sorted(hours.items())},
        "clips_by_word": _counts(row["label"] for row in rows if row["kind"] == "wakeword"),
        "speakers": len({row["speaker"] for row in rows if row["speaker"]}),
        "synthetic_clips": sum(bool(row["synthetic"]) for row in rows),
        "licences": _counts(row["licence"] or "unknown" for row in rows),
        "sources": _counts(row["source"] or "unknown" for row in rows),
        "config_hash": shards.config_hash,
    }


def _counts(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def parity_clips(prepared_dir: str | Path, limit_s: float = 60.0) -> list[NDArray[np.float32]]:
    """About `limit_s` seconds of the val split, half of it wake words, as one recording per kind.

    Recordings are `(samples,)` float32 in [-1, 1]; the list is empty without a val split. Raises DataError.
    """
    table = ShardSet.open(prepared_dir).table("val")
    kinds = table.column("kind").to_pylist()
    audio = table.column("audio")
    recordings = []
    for wanted in (("wakeword",), ("speech", "confusable")):
        kept, samples = [], 0
        for index in (i for i, kind in enumerate(kinds) if kind in wanted):
            if samples >= limit_s / 2 * SAMPLE_RATE_HZ:
                break
            clip = np.frombuffer(audio[index].as_buffer(), dtype="<i2").astype(np.float32) / np.float32(32768.0)
            kept.append(clip)
            samples += len(clip)
        if kept:
            recordings.append(np.concatenate(kept))
    return recordings
