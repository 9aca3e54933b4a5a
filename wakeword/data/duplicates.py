"""No recording is in two splits: every clip is fingerprinted before the shards are planned.

Speakers alone do not keep splits apart: the same recording comes with two corpora, under two names, or once as WAV and
once as MP3. Equal samples are found by the SHA-256 of the decoded audio, copies by `wakeword.audio.fingerprint`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
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
from wakeword.stages.stage import Stage, StageResources
from wakeword.system.files import atomic_path

HEARD_S = 30.0
"""So much of the beginning of a recording is compared."""
ROWS = 256
"""Clips per unit of work."""
_KEPT_FIRST = {"test": 0, "val": 1, "train": 2}
"""A copy is taken out of train before val and out of val before test: training can spare it."""
_SCHEMA = pa.schema([("digest", pa.string()), ("words", pa.binary())])


class FingerprintStage(Stage):
    """One row in is a list of clips; their fingerprints go to a file that is kept, so a repeated run finds them."""

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
                (audio,) = shared_decoder().stream_blocks(uri, HEARD_S, quality.decode_timeout_s, most=1, warn=silent)
            else:
                audio = next(stream_blocks(uri, HEARD_S, quality.decode_timeout_s, warn=silent))
        except AudioError:
            # Building the shard meets the same fault and says so.
            return {"digest": "", "words": b""}
        # Room responses are alike by nature: only equal ones count.
        words = fingerprint(audio).tobytes() if self.near and kind != "rir" else b""
        return {"digest": hashlib.sha256(to_int16(audio).tobytes()).hexdigest(), "words": words}


@dataclass
class Leaks:
    """What was found: clips without copies across splits, the copies taken out, and how many pairs there are."""

    clips: pa.Table
    left_out: list[Row] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


def without_leaks(
    clips: pa.Table,
    config: DataConfig,
    out_dir: Path,
    identity: str,
    run: Callable[[Stage, pa.Table, str], Iterator[pa.Table]],
) -> Leaks:
    """Take copies of one recording out of all splits but one.

    Args:
        clips: the manifest with splits.
        config: `quality.duplicates` decides what counts as a copy; with `keep`, only hard negatives are taken out.
        out_dir: prepared folder; fingerprints are kept in it.
        identity: hash of everything that the clips' audio depends on.
        run: the runner of stages.
    """
    how = config.quality.duplicates
    spared: frozenset[str] = frozenset()
    if how == "keep":
        spared = frozenset(clips.column("kind").to_pylist()) - {"hard_negative"}
        if "hard_negative" not in clips.column("kind").to_pylist():
            return Leaks(clips)
        # What a model is tested on must not teach it, whatever else is kept.
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
    for i, j, rate in near_duplicates(
        [np.frombuffer(words, np.uint32) for words in prints.column("words").to_pylist()]
    ):
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
    groups: dict[str, list[int]] = {}
    for i, digest in enumerate(digests):
        if digest:
            groups.setdefault(digest, []).append(i)
    yield from sorted(pairs.items())
    for members in groups.values():
        for i in members[1:]:
            for j in members[1:]:
                if i < j:
                    yield (i, j), "the same samples as"


def summary_of(counts: dict[str, Any]) -> str:
    """The counts in words, or an empty text where there is nothing to say."""
    if not counts.get("across_splits"):
        return ""
    return f"{counts['across_splits']} clips were copies of recordings in another split and were taken out"
