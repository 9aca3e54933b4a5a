"""Lists of what was synthesised, in the prepared folder, for the report on data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from wakeword.data.manifest import Row
from wakeword.system.files import atomic_path

CONFUSABLES = "confusables.parquet"
CONFUSABLES_SCHEMA = pa.schema(
    [
        ("resembles", pa.string()),
        ("split", pa.string()),
        ("phoneme_distance", pa.int32()),
        ("text", pa.string()),
        ("way", pa.string()),
        ("clips", pa.int64()),
    ]
)
"""A row per word, split and near-miss text."""
VOICES = "voices.parquet"
VOICES_SCHEMA = pa.schema(
    [
        ("engine", pa.string()),
        ("voice", pa.string()),
        ("label", pa.string()),
        ("reason", pa.string()),
        ("clips", pa.int64()),
    ]
)
"""A row per voice, label and reason why clips were left out; the reason of usable clips is empty."""


def write_lists(folder: Path, utterances: list[Row], reasons: Mapping[str, str]) -> None:
    """Write both lists; `reasons` are those of the clips that were left out, by key, empty for usable ones."""
    near = [row for row in utterances if row["kind"] == "confusable"]
    spoken = [{**row, "reason": reasons[row["key"]]} for row in utterances]
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema, rows in ((CONFUSABLES, CONFUSABLES_SCHEMA, near), (VOICES, VOICES_SCHEMA, spoken)):
        keys = schema.names[:-1]
        counts = Counter(tuple(row[key] for key in keys) for row in rows)
        counted = [{**dict(zip(keys, key, strict=True)), "clips": number} for key, number in sorted(counts.items())]
        with atomic_path(folder / name) as temporary:
            pq.write_table(pa.Table.from_pylist(counted, schema=schema), temporary)
