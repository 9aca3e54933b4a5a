"""The manifest, one row per clip of any source, and the quarantine table of refused clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, get_args

import pyarrow as pa

from wakeword.config.data import ClipKind

KINDS: tuple[str, ...] = get_args(ClipKind)
SPLITS = ("train", "val", "test")
VOICED = frozenset({"wakeword", "confusable", "speech", "hard_negative"})
"""Kinds that hold a voice: levels are checked, splits go by speaker."""
PLACED = frozenset({"wakeword", "confusable", "hard_negative"})
"""Kinds whose word times (of the one sound that counts) are known."""
WHOLE = PLACED | {"rir"}
"""Kinds that are never cut into pieces."""

MANIFEST_SCHEMA = pa.schema(
    [
        ("clip_id", pa.string()),
        ("uri", pa.string()),
        ("kind", pa.string()),
        ("label", pa.string()),
        ("text", pa.string()),
        ("speaker", pa.string()),
        ("speaker_source", pa.string()),
        ("split", pa.string()),
        ("source", pa.string()),
        ("licence", pa.string()),
        ("duration_s", pa.float64()),
        ("word_start_s", pa.float64()),
        ("word_end_s", pa.float64()),
        ("synthetic", pa.bool_()),
        ("sha256", pa.string()),
        ("peak_level_dbfs", pa.float32()),
        ("contains", pa.string()),
        ("resembles", pa.string()),
        ("phoneme_distance", pa.int32()),
        ("accent", pa.string()),
        ("age", pa.string()),
        ("gender", pa.string()),
        ("pitch_hz", pa.float32()),
        ("loudness_db", pa.float32()),
        ("snr_db", pa.float32()),
        ("carrier", pa.string()),
        ("weight", pa.float64()),
    ]
)
"""`peak_level_dbfs` is the level of the loudest second; `speaker_source` is one of `SPEAKER_SOURCES`;
`contains` names a configured word that the clip holds without being one; of a confusable (or hard negative),
`resembles` is the label of the word that it sounds like and `phoneme_distance` the number of phonemes between them;
`carrier` is the sentence around a spoken wake word, `{phrase}` in its place, and empty where there is none; shards give
`word_start_s` and `word_end_s` of every wake word, confusable and hard negative (audio that fired a model); unknown
text is empty, never null, except `accent`, `age` and `gender`, which only some sources state. `pitch_hz`,
`loudness_db` and `snr_db` are measured of voices (`wakeword.data.measures`) and null where there is nothing to measure.
`weight` is `data.sources[].weight`: how often training draws the clip, relative to others in its place."""

SPEAKER_SOURCES = ("given", "guessed", "inferred", "donor", "synthetic", "none")
"""Origin of a clip's speaker: stated by the source (a column, a folder, documented file names), guessed from a file
name, inferred from the recordings, the pseudonym of a donor, an engine's voice, or unknown."""

SHARD_SCHEMA = MANIFEST_SCHEMA.append(pa.field("audio", pa.large_binary()))

QUARANTINE_SCHEMA = pa.schema([(name, pa.string()) for name in ("uri", "source", "stage", "reason", "detail", "label")])
"""`label` is empty where it is not known."""

_DEFAULTS: dict[str, Any] = {
    **{name: "" for name in MANIFEST_SCHEMA.names if pa.types.is_string(MANIFEST_SCHEMA.field(name).type)},
    **dict.fromkeys(("duration_s", "word_start_s", "word_end_s", "peak_level_dbfs", "phoneme_distance")),
    **dict.fromkeys(("accent", "age", "gender", "pitch_hz", "loudness_db", "snr_db")),
    "synthetic": False,
    "weight": 1.0,
}

Row = dict[str, Any]


def clip_row(**values: Any) -> Row:
    """A manifest row with defaults for what is not known."""
    unknown = set(values) - set(_DEFAULTS)
    if unknown:
        raise KeyError(f"no such manifest columns: {sorted(unknown)}")
    return {**_DEFAULTS, **values}


def clip_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows to a table of `MANIFEST_SCHEMA`."""
    return pa.Table.from_pylist(list(rows), schema=MANIFEST_SCHEMA)


def quarantine_row(uri: str, source: str, stage: str, reason: str, detail: str, label: str = "") -> Row:
    """A quarantine row; `stage` is the step that refused the clip (source, splits, words, synthesis, decode)."""
    return {"uri": uri, "source": source, "stage": stage, "reason": reason, "detail": detail, "label": label}


def quarantine_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows to a sorted table of `QUARANTINE_SCHEMA`."""
    ordered = sorted(rows, key=lambda row: (row["uri"], row["stage"], row["reason"], row["detail"]))
    return pa.Table.from_pylist(ordered, schema=QUARANTINE_SCHEMA)


def counts_of(table: pa.Table) -> dict[str, dict[str, dict[str, int]]]:
    """Clips per split, kind and label."""
    counts: dict[str, dict[str, dict[str, int]]] = {}
    columns = [table.column(name).to_pylist() for name in ("split", "kind", "label")]
    for (split, kind, label), number in sorted(Counter(zip(*columns, strict=True)).items()):
        counts.setdefault(split, {}).setdefault(kind, {})[label] = number
    return counts


def set_column(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    """Replace one column, keeping the schema's type."""
    index = table.schema.get_field_index(name)
    field = table.schema.field(index)
    return table.set_column(index, field, pa.array(values, field.type))
