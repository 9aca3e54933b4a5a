"""`outcomes.parquet`: hit or miss of every test word at the operating point, for the comparison of two models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wakeword.evaluation.metrics.calibration import word_scores
from wakeword.evaluation.metrics.measure import WordOnSplit
from wakeword.evaluation.metrics.threshold_curve import outcome
from wakeword.evaluation.scoring.store import METADATA_KEY
from wakeword.system.files import atomic_path

OUTCOMES_NAME = "outcomes.parquet"
_TRUTH = ("track", "clip_id", "speaker", "source", "start_s", "end_s")
_TYPES = {"hit": pa.bool_()} | dict.fromkeys(("start_s", "end_s", "score", "latency_s"), pa.float64())
OUTCOMES_SCHEMA = pa.schema(
    [(name, _TYPES.get(name, pa.string())) for name in ("word", "condition", *_TRUTH, "hit", "score", "latency_s")]
)
"""`score`: the highest smoothed peak in the word's window, null without a peak; `latency_s`: null for misses."""


def outcome_rows(view: WordOnSplit, threshold: float) -> list[dict]:
    """One row of `OUTCOMES_SCHEMA` for every word of every condition."""
    rows = []
    for condition, (peaks, truth) in view.conditions.items():
        result, best = outcome(peaks, threshold), word_scores(peaks, without=-np.inf)
        for place, row in enumerate(truth):
            hit = bool(result.hit[place])
            score = float(best[place]) if np.isfinite(best[place]) else None
            latency_s = float(result.latency_s[place]) if hit else None
            about = {name: getattr(row, name) for name in _TRUTH}
            found = {"hit": hit, "score": score, "latency_s": latency_s}
            rows.append({"word": view.label, "condition": condition, **about, **found})
    return rows


def write_outcomes(
    path: Path, views: Sequence[WordOnSplit], thresholds: Sequence[float], about: dict[str, str]
) -> None:
    """Write all words of `views`, each at its threshold, atomically; `about` (hashes) is stored as metadata."""
    rows = [row for view, limit in zip(views, thresholds, strict=True) for row in outcome_rows(view, limit)]
    schema = OUTCOMES_SCHEMA.with_metadata({METADATA_KEY: json.dumps(about, sort_keys=True).encode()})
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary, compression="zstd")
