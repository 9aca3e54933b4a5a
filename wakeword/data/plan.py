"""The clips of each shard, planned from the manifest before any audio is decoded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from wakeword.audio.locators import parts_of, size_of
from wakeword.config.data import DataConfig
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.data.manifest import SPLITS
from wakeword.data.shard_stage import plan_digest

PREPARE_VERSION = 6
"""Increased when the same input would give other shards; stored ones are then made again."""

PLAN_SCHEMA = pa.schema([("name", pa.string()), ("plan_hash", pa.string()), ("clips", pa.large_binary())])

_BYTES_PER_S = {".wav": 32_000, ".flac": 20_000, ".mp3": 8_000}
_COMPRESSED_BYTES_PER_S = 6_000


def plan_shards(clips: pa.Table, config: DataConfig) -> pa.Table:
    """One row per shard: `name` (`train-00000`), a hash of everything its bytes depend on, and its clips as Arrow IPC.

    Clips are sorted by id within their split, so the plan does not depend on the order of the sources' files.
    """
    settings = json.dumps(
        {"version": PREPARE_VERSION, "quality": config.quality.model_dump(), "max_kept_s": config.max_kept_s},
        sort_keys=True,
    ).encode()
    rows: list[dict[str, Any]] = []
    for split in SPLITS:
        chosen = clips.filter(pa.compute.equal(clips.column("split"), split)).sort_by("clip_id").combine_chunks()
        for number, part in enumerate(_parts(chosen, config.shard_mb)):
            data = as_ipc(part)
            digest = plan_digest(settings, data)
            rows.append({"name": f"{split}-{number:05d}", "plan_hash": digest, "clips": data})
    return pa.Table.from_pylist(rows, schema=PLAN_SCHEMA)


def _parts(clips: pa.Table, shard_mb: float) -> list[pa.Table]:
    limit = shard_mb * 1e6
    parts, start, held = [], 0, 0.0
    columns = zip(clips.column("duration_s").to_pylist(), clips.column("uri").to_pylist(), strict=True)
    for row, (duration_s, uri) in enumerate(columns):
        size = 2.0 * SAMPLE_RATE_HZ * (duration_s or guessed_s(uri))
        if held and held + size > limit:
            parts.append(clips.slice(start, row - start))
            start, held = row, 0.0
        held += size
    return parts + ([clips.slice(start)] if clips.num_rows > start else [])


def guessed_s(uri: str) -> float:
    """Length in seconds estimated from the file size."""
    suffix = Path(parts_of(uri)[1] or uri).suffix.lower()
    return size_of(uri) / _BYTES_PER_S.get(suffix, _COMPRESSED_BYTES_PER_S)


def as_ipc(table: pa.Table) -> bytes:
    """Rows as an Arrow IPC stream."""
    # A slice would include its parent's buffers; `take` copies the rows alone.
    table = table.take(pa.array(range(table.num_rows), pa.int64())).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()
