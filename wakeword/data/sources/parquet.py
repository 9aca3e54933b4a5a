"""`type: parquet`: Parquet files (or a folder of them) that contain audio, such as MLS and VoxPopuli, or a manifest.

With an audio column (a struct of `bytes` and `path`, or binary) each row is a clip, which is decoded in place. With the
columns `path` and `kind` the file is a manifest with the columns of `type: csv`. Optional columns: text (or transcript,
sentence, …), speaker (or speaker_id, client_id), kind, label, split, source, licence, accent, age, gender. Class
numbers (Hugging Face's ClassLabel) are replaced by their names. Without a split column, the split is taken from the
file's name (`train-00000-of-00004.parquet`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from wakeword.audio.locators import Entry, audio_column, open_parquet, plain, walk
from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.data.sources.csv_manifest import NEEDED, validated
from wakeword.data.sources.listing import Gathering
from wakeword.data.sources.registry import SourceClips, register
from wakeword.errors import DataError


@register("parquet")
def read_parquet(config: SourceConfig, words: Sequence[WordConfig]) -> SourceClips:
    """Read the rows without their audio.

    Raises:
        DataError: there is no file, or a file is not Parquet or has neither audio nor the columns of a manifest.
    """
    root = plain(config.uri)
    found = Gathering("parquet")
    for entry in walk(root):
        if not entry.name.endswith(".parquet"):
            continue
        found.read(entry)
        with open_parquet(entry.uri) as file:
            audio = audio_column(file.schema_arrow)
            names = [name for name in file.schema_arrow.names if name != audio]
            if not audio and not set(names) >= (set(NEEDED) if config.kind is None else {"path"}):
                raise DataError(f"{entry.uri} has neither a column of audio bytes nor the columns path and kind")
            rows = file.read(columns=names).to_pylist() if names else [{}] * file.metadata.num_rows
            classes = _classes(file.schema_arrow)
        for row in rows if classes else ():
            if isinstance(row["label"], int) and 0 <= row["label"] < len(classes):
                row["label"] = classes[row["label"]]
        for number, row in enumerate(rows):
            if audio:
                found.add_described(entry, str(number), row, config, words)
            else:
                _add_manifest_row(found, entry, number, row, config)
    return found.result(root, "*.parquet")


def _classes(schema: Any) -> list[str]:
    """Names of the class numbers in the column `label` (Hugging Face's ClassLabel); empty where there are none."""
    try:
        names = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]["label"]["names"]
    except (KeyError, TypeError, ValueError):
        return []
    return [str(name) for name in names] if "label" in schema.names else []


def _add_manifest_row(found: Gathering, entry: Entry, number: int, row: dict[str, Any], config: SourceConfig) -> None:
    cells = ["" if value is None else str(value) for value in row.values()]
    values, fault = validated(cells, [name.lower() for name in row], config, entry.uri)
    if fault:
        found.refuse(f"{entry.uri}#{number}", *fault)
    else:
        found.add(**values)
