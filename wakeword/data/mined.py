"""The files of a mining folder: candidates, a clip of each, and the decisions of a person.

`candidates.parquet` has a row per candidate, `clips/` its audio, and `decisions.csv` a line per candidate that a person
(or `wakeword mine review`) edits: the column `decision` is `keep`, `discard` or empty. Only `keep` counts.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from wakeword.audio.locators import join, read_bytes
from wakeword.errors import ConfigError, DataError
from wakeword.system.files import write_text

CANDIDATES, DECISIONS, CLIPS = "candidates.parquet", "decisions.csv", "clips"
DECIDED = ("keep", "discard", "")

_TEXTS = (
    *("id", "clip", "sha256", "word", "origin", "recording", "kind", "label", "text", "speaker", "speaker_source"),
    *("source", "licence", "accent", "age", "gender"),
)
_NUMBERS = ("score", "start_s", "end_s", "clip_start_s", "duration_s", "word_start_s", "word_end_s")
CANDIDATE_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in _TEXTS),
        *((name, pa.float64()) for name in _NUMBERS),
        ("synthetic", pa.bool_()),
        ("cluster", pa.int32()),
        ("rank", pa.int32()),
    ]
)
"""`word` is the word that fired; `start_s` and `end_s` (the peak) are times in the recording `origin` (a uri), whose
clip id is `recording` and whose columns are `kind` to `gender`; `clip` is the cut file, `word_start_s` and `word_end_s`
are times in it, `rank` is the place within the `cluster`."""

_COLUMNS = ("id", "decision", "cluster", "rank", "word", "score", "kind", "source", "recording", "end_s")


def read_candidates(folder: str | Path) -> pa.Table:
    """The candidates of a mining folder (a path or an fsspec URI), by cluster and rank.

    Raises:
        DataError: there are none, or the file is damaged.
    """
    place = join(str(folder), CANDIDATES)
    try:
        table = pq.read_table(pa.BufferReader(read_bytes(place)))
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} holds no mined candidates (no {CANDIDATES}): run `wakeword mine run` first"
        ) from error
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{place} cannot be read ({' '.join(str(error).split())}): mine again") from error
    if not table.schema.equals(CANDIDATE_SCHEMA):
        raise DataError(f"{place} has other columns than this version writes: mine again into another folder")
    return table


def read_decisions(folder: str | Path, known: Collection[str] | None = None) -> dict[str, str]:
    """`keep`, `discard` or an empty text by candidate; `known` are the ids of the folder (None: not checked).

    Raises:
        DataError: no such file, no columns `id` and `decision`, an unknown id, or a decision that is none of these.
    """
    place = join(str(folder), DECISIONS)
    try:
        text = read_bytes(place).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{place} cannot be read ({error}): run `wakeword mine run` again") from error
    reader = csv.DictReader(io.StringIO(text))
    if not {"id", "decision"} <= set(reader.fieldnames or ()):
        raise DataError(f"{place} has no columns id and decision: its first line must name them")
    found: dict[str, str] = {}
    for row in reader:
        name, decision = (row["id"] or "").strip(), (row["decision"] or "").strip().lower()
        if decision not in DECIDED:
            raise DataError(
                f"{place}, line {reader.line_num}: decision {decision!r} is none of keep, discard and empty"
            )
        if known is not None and name not in known:
            raise DataError(f"{place}, line {reader.line_num}: there is no candidate {name!r}: remove the line")
        found[name] = decision
    return found


def write_decisions(folder: str | Path, candidates: pa.Table, decisions: Mapping[str, str]) -> None:
    """Write `decisions.csv` in the order of `candidates`; ids without a decision get an empty one."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in candidates.select([name for name in _COLUMNS if name != "decision"]).to_pylist():
        cells = {
            "decision": decisions.get(row["id"], ""),
            "score": f"{row['score']:.4f}",
            "end_s": f"{row['end_s']:.2f}",
        }
        writer.writerow({**row, **cells})
    write_text(Path(folder) / DECISIONS, stream.getvalue())


def decide(
    folder: str | Path,
    keep: Collection[str] = (),
    discard: Collection[str] = (),
    keep_clusters: Collection[int] = (),
    discard_clusters: Collection[int] = (),
    keep_undecided: bool = False,
) -> dict[str, int]:
    """Write decisions and count them: candidates by `keep`, `discard` and `undecided`.

    A cluster's decision applies to its undecided candidates, a decision by id always; `keep_undecided` comes last and
    keeps every candidate that is still undecided.

    Raises:
        DataError: no mining folder, or decisions that cannot be read.
        ConfigError: an unknown id or cluster, or one that is both to be kept and discarded.
    """
    candidates = read_candidates(folder)
    ids, clusters = candidates.column("id").to_pylist(), candidates.column("cluster").to_pylist()
    for what, requested, there in (
        ("candidate", {*keep, *discard}, set(ids)),
        ("cluster", {*keep_clusters, *discard_clusters}, set(clusters)),
    ):
        if absent := sorted(requested - there, key=str):
            raise ConfigError(f"{folder} has no {what} {', '.join(map(str, absent))}: see {DECISIONS} there")
    both = {*keep} & {*discard} | {*map(str, keep_clusters)} & {*map(str, discard_clusters)}
    if both:
        raise ConfigError(f"{', '.join(sorted(both))} cannot be kept and discarded: decide for one")
    decisions = read_decisions(folder, set(ids))
    for name, cluster in zip(ids, clusters, strict=True):
        if name in keep or name in discard:
            decisions[name] = "keep" if name in keep else "discard"
        elif not decisions.get(name) and (cluster in keep_clusters or cluster in discard_clusters):
            decisions[name] = "keep" if cluster in keep_clusters else "discard"
        elif not decisions.get(name) and keep_undecided:
            decisions[name] = "keep"
    write_decisions(folder, candidates, decisions)
    return counts(ids, decisions)


def counts(ids: Collection[str], decisions: Mapping[str, str]) -> dict[str, int]:
    """Candidates by `keep`, `discard` and `undecided`."""
    found = Counter(decisions.get(name) or "undecided" for name in ids)
    return {name: found[name] for name in ("keep", "discard", "undecided")}
