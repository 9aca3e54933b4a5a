"""No recording is in two splits: every clip is fingerprinted before the shards are planned.

Speakers alone do not keep splits apart: the same recording comes with two corpora, under two names, or once as WAV and
once as MP3. Equal samples are found by the SHA-256 of the decoded audio, copies by `wakeword.audio.fingerprint`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wakeword.audio.decoding.guard import shared_decoder
from wakeword.audio.fingerprint import fingerprint, near_duplicates
from wakeword.audio.io import AudioError, silent, stream_blocks, to_int16
from wakeword.config.data import DataConfig
from wakeword.data.manifest import Row, quarantine_row
from wakeword.data.plan import as_ipc
from wakeword.data.shard_stage import plan_digest
from wakeword.stages.runner import RunStage
from wakeword.stages.stage import Stage, StageResources
from wakeword.system.files import atomic_path

COMPARED_S = 30.0
"""Seconds from the beginning of a recording that are fingerprinted."""
ROWS = 256
"""Clips per unit of work."""
_KEPT_FIRST = {"test": 0, "val": 1, "train": 2}
"""Of two copies in different splits the one with the higher number is removed."""
_SCHEMA = pa.schema([("digest", pa.string()), ("words", pa.binary())])


class FingerprintStage(Stage):
    """Writes the fingerprints of each row's clips to a file; a repeated run reuses it."""

    name = "fingerprints"
    reads = ("file", "clips")
    writes = ("file", "clips_done")
    resources = StageResources(cpus=1.0, batch_size=1)

    def __init__(self, config: DataConfig, near: bool) -> None:
        self.config = config
        self.near = near

    def __call__(self, table: pa.Table) -> pa.Table:
        """Write one file for each row."""
        done = []
        for row in table.to_pylist():
            clips = pa.ipc.open_stream(row["clips"]).read_all().to_pylist()
            prints = [self._print(clip["uri"], clip["kind"]) for clip in clips]
            with atomic_path(Path(row["file"])) as temporary:
                pq.write_table(pa.Table.from_pylist(prints, schema=_SCHEMA), temporary)
            done.append({"file": row["file"], "clips_done": len(clips)})
        return pa.Table.from_pylist(done, schema=pa.schema([("file", pa.string()), ("clips_done", pa.int64())]))

    def _print(self, uri: str, kind: str) -> Row:
        quality = self.config.quality
        try:
            if quality.guarded:
                (audio,) = shared_decoder().stream_blocks(
                    uri, COMPARED_S, quality.decode_timeout_s, most=1, warn=silent
                )
            else:
                audio = next(stream_blocks(uri, COMPARED_S, quality.decode_timeout_s, warn=silent))
        except AudioError:
            # Building the shard meets the same fault and quarantines the clip.
            return {"digest": "", "words": b""}
        # Room impulse responses are alike: only equal ones count as copies.
        words = fingerprint(audio).tobytes() if self.near and kind != "rir" else b""
        return {"digest": hashlib.sha256(to_int16(audio).tobytes()).hexdigest(), "words": words}


@dataclass
class Leaks:
    """Clips without copies across splits, the copies removed, and numbers of pairs."""

    clips: pa.Table
    left_out: list[Row] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


def without_leaks(
    clips: pa.Table,
    config: DataConfig,
    out_dir: Path,
    identity: str,
    run: RunStage,
) -> Leaks:
    """Remove copies of one recording from all splits but one.

    Args:
        clips: the manifest with splits.
        config: `quality.duplicates` defines a copy; with `keep`, only hard negatives are removed.
        out_dir: prepared folder, which also stores the fingerprints.
        identity: hash of everything that the clips' audio depends on.
        run: the runner of stages.
    """
    how = config.quality.duplicates
    spared: frozenset[str] = frozenset()
    if how == "keep":
        spared = frozenset(clips.column("kind").to_pylist()) - {"hard_negative"}
        if "hard_negative" not in clips.column("kind").to_pylist():
            return Leaks(clips)
        # A copy of a test clip must not be trained on, whatever else is kept.
        how = "near"
    ordered = clips.sort_by("clip_id").combine_chunks()
    plan, files = [], []
    for start in range(0, ordered.num_rows, ROWS):
        data = as_ipc(ordered.slice(start, ROWS).select(["clip_id", "uri", "kind"]))
        path = out_dir / "fingerprints" / f"{plan_digest(identity.encode(), how.encode(), data)}.parquet"
        files.append(path)
        if not path.is_file():
            plan.append({"file": str(path.absolute()), "clips": data})
    schema = pa.schema([("file", pa.string()), ("clips", pa.large_binary())])
    for _ in run(FingerprintStage(config, how == "near"), pa.Table.from_pylist(plan, schema=schema), "fingerprints"):
        pass
    for stale in set((out_dir / "fingerprints").glob("*.parquet")) - set(files):
        stale.unlink()
    prints = pa.concat_tables([_SCHEMA.empty_table(), *(pq.read_table(path, schema=_SCHEMA) for path in files)])
    return _separated(ordered, prints, spared)


def _separated(clips: pa.Table, prints: pa.Table, spared: frozenset[str] = frozenset()) -> Leaks:
    digests = prints.column("digest").to_pylist()
    pairs: dict[tuple[int, int], str] = {}
    first: dict[str, int] = {}
    for i, digest in enumerate(digests):
        if digest and first.setdefault(digest, i) != i:
            pairs[first[digest], i] = "the same samples as"
    exact = len(pairs)
    words = [np.frombuffer(own, np.uint32) for own in prints.column("words").to_pylist()]
    for i, j, rate in near_duplicates(words):
        pairs.setdefault((i, j), f"a copy ({rate:.0%} of the fingerprint's bits differ) of")
    split, uri, source, kind = (clips.column(name).to_pylist() for name in ("split", "uri", "source", "kind"))
    dropped: dict[int, Row] = {}
    for (i, j), how in _with_group_members(pairs, digests, first):
        if split[i] == split[j]:
            continue
        gone, kept = (i, j) if _KEPT_FIRST[split[i]] > _KEPT_FIRST[split[j]] else (j, i)
        if gone not in dropped and kind[gone] not in spared:
            detail = f"{how} {uri[kept]}, which is in {split[kept]}; this one was in {split[gone]}"
            dropped[gone] = quarantine_row(uri[gone], source[gone], "splits", "duplicate_across_splits", detail)
    keep = pa.array([i not in dropped for i in range(clips.num_rows)], pa.bool_())
    counts = {"equal": exact, "copies": len(pairs) - exact, "across_splits": len(dropped)}
    return Leaks(clips.filter(keep), [dropped[i] for i in sorted(dropped)], counts)


def _with_group_members(
    pairs: dict[tuple[int, int], str], digests: list[str], first: dict[str, int]
) -> Iterator[tuple[tuple[int, int], str]]:
    """Pairs, and the pairs that equal samples imply: of three equal clips, two of which are tied to the first."""
    groups: dict[str, list[int]] = defaultdict(list)
    for i, digest in enumerate(digests):
        # The first of a group is in `pairs` with each of the others.
        if digest and i != first[digest]:
            groups[digest].append(i)
    yield from sorted(pairs.items())
    for members in groups.values():
        yield from ((pair, "the same samples as") for pair in combinations(members, 2))


def summary_of(counts: dict[str, Any]) -> str:
    """A sentence on the copies removed, or an empty text."""
    if not counts.get("across_splits"):
        return ""
    return f"{counts['across_splits']} clips were copies of recordings in another split and were removed"
