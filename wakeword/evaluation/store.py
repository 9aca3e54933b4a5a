"""Raw scores and truth as Parquet, with the hashes of what they were made from: every table can be made again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from wakeword.evaluation.tracks import Track, TruthRow
from wakeword.system.files import atomic_path

METADATA_KEY = b"wakeword"

SCORES_SCHEMA = pa.schema(
    [
        ("track", pa.dictionary(pa.int32(), pa.string())),
        ("time_s", pa.float32()),
        ("word", pa.dictionary(pa.int32(), pa.string())),
        ("score", pa.float32()),
    ]
)
_TRUTH_TYPES = {"start_s": pa.float64(), "end_s": pa.float64(), "distance": pa.int32()}
TRUTH_SCHEMA = pa.schema([(name, _TRUTH_TYPES.get(name, pa.string())) for name in TruthRow.__dataclass_fields__])


def write_scores(
    path: Path,
    tracks: Sequence[Track],
    scores: Sequence[NDArray[np.float32]],
    labels: Sequence[str],
    step_s: float,
    about: Mapping[str, str],
) -> None:
    """Raw (unsmoothed) scores: `track, time_s, word, score`, a row group per track and word.

    `about` (hashes) goes into the file's metadata with each track's split, kind, condition and length.
    """
    described = {
        track.name: {
            "kind": track.kind,
            "condition": track.condition,
            "word": track.word,
            "duration_s": track.duration_s,
        }
        for track in tracks
    }
    schema = SCORES_SCHEMA.with_metadata(_metadata({**about, "tracks": described, "step_s": step_s}))
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for track, values in zip(tracks, scores, strict=True):
            times = ((np.arange(len(values)) + 1) * step_s).astype(np.float32)
            for column, label in enumerate(labels):
                same = pa.array(np.zeros(len(values), dtype=np.int32))
                arrays = [
                    pa.DictionaryArray.from_arrays(same, [track.name]),
                    pa.array(times),
                    pa.DictionaryArray.from_arrays(same, [label]),
                    pa.array(np.ascontiguousarray(values[:, column])),
                ]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def write_truth(path: Path, tracks: Sequence[Track], about: Mapping[str, str]) -> None:
    """Truth rows of all tracks, with the same metadata."""
    rows = [asdict(row) for track in tracks for row in track.truth]
    schema = TRUTH_SCHEMA.with_metadata(_metadata(dict(about)))
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary, compression="zstd")


def read_metadata(path: Path) -> dict:
    """What `write_scores` and `write_truth` stored beside the rows."""
    return json.loads(pq.read_schema(path).metadata[METADATA_KEY])


def _metadata(values: Mapping[str, object]) -> dict[bytes, bytes]:
    return {METADATA_KEY: json.dumps(values, sort_keys=True).encode()}
