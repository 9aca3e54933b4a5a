"""Mining: a bundle scores hours of negatives, and its peaks become candidates that a person keeps or discards.

The recordings are scored in units of work, by Ray Data or in this process; each unit writes one file, so an interrupted
command continues. Everything else is computed from the files each time: possible copies of a val or test clip are
refused, copies of each other are removed, and the rest is clustered. Decisions are stored by candidate, so more hours
can be mined into the same folder.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from wakeword.audio.fingerprint import HOP
from wakeword.audio.locators import stamp_of
from wakeword.config import SAMPLE_RATE_HZ, Config, WordConfig, config_hash
from wakeword.config.data import DataConfig, SourceConfig
from wakeword.data.manifest import Row, quarantine_row, quarantine_table
from wakeword.data.mined import CANDIDATE_SCHEMA, CANDIDATES, CLIPS, DECISIONS, counts, read_decisions, write_decisions
from wakeword.data.plan import as_ipc, guessed_s
from wakeword.data.shard_stage import plan_digest
from wakeword.errors import ConfigError, DataError
from wakeword.mining.cluster import clusters_of, copies_of
from wakeword.mining.negatives import Evaluated, find_negatives
from wakeword.mining.review import SUMMARY, write_page
from wakeword.mining.stage import MINING_VERSION, PART_SCHEMA, MiningStage
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.manifest import MODEL_NAME
from wakeword.stages.runner import Runner, RunStage, stage_runner
from wakeword.stages.stage import Stage
from wakeword.system.files import atomic_path, sha256_of, write_json
from wakeword.system.locks import lock_folder

PLAN, PARTS, LEFT_OUT = "plan.json", "parts", "left_out.parquet"
PART_S = 600.0
"""Audio of one unit of work, in seconds by the size of its files; a longer recording is a separate unit."""
PART_CLIPS = 256
LIMIT_SHARE = 0.5
"""Least score of a candidate, as a share of the word's threshold."""
MOST = 300
"""Most candidates, as many as a person can listen to."""
SPARE = 4
"""The `SPARE * most` highest candidates are searched for copies."""


@dataclass
class Mined:
    """Result of `mine`.

    Attributes:
        folder: the mining folder.
        hours: of scored negatives, in this run and before.
        candidates: number of candidates.
        clusters: number of clusters.
        decisions: candidates by keep, discard and undecided.
        left_out: recordings and events by reason.
        resumed_parts: units of work finished by an earlier run, of `parts`.
        per_word: candidates by word.
    """

    folder: Path
    hours: float
    candidates: int
    clusters: int
    decisions: dict[str, int]
    left_out: dict[str, int]
    parts: int = 0
    resumed_parts: int = 0
    per_word: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Method:
    """A way of mining.

    Attributes:
        stage: scores units of recordings; its part files have `PART_SCHEMA`.
        plan: what decisions depend on; a folder belongs to one plan.
        words: whose clips are no negatives.
        per_hour: most candidates for an hour of negatives; 0 for no limit.
    """

    stage: Stage
    plan: dict[str, Any]
    words: list[WordConfig]
    per_hour: float = 0.0


def mine(
    bundle: Bundle,
    config: Config,
    prepared_dir: str | Path,
    out_dir: str | Path,
    sources: Sequence[SourceConfig] = (),
    threshold: float | None = None,
    most: int = MOST,
    runner: Runner = "ray",
    progress: bool | None = None,
) -> Mined:
    """Mine with a bundle into `out_dir`; a repeated call continues, and decisions stay.

    Args:
        bundle: any bundle, also of another recipe.
        config: `words` (with the bundle's) are excluded, `data.quality` configures the decoder, `compute` the runner.
        prepared_dir: prepared data whose val and test clips stay out, by name, voice and sound. Without `sources`, the
            recordings of its train split are mined.
        out_dir: the mining folder; on a cluster one that all nodes share.
        sources: of the negatives.
        threshold: least score of a candidate; None takes `LIMIT_SHARE` of each word's threshold.
        most: number of candidates, those of the highest score. Decided candidates always stay.
        runner, progress: of `stages.runner.stage_runner`; the result is the same with every runner.

    Raises:
        DataError: the prepared data have no val or test clips, or no recording is left to mine.
        ConfigError: `out_dir` holds the mining of another bundle or threshold.
        RunError: another process mines into `out_dir`.
    """
    if threshold is None:
        limits = [min(1.0, LIMIT_SHARE * limit) for limit in bundle.thresholds]
    else:
        limits = bundle.thresholds_for(threshold=threshold)
    plan = {
        "model": bundle.manifest.files[MODEL_NAME].sha256,
        "detector": bundle.manifest.detector.model_dump(),
        "limits": dict(zip(bundle.labels, limits, strict=True)),
    }
    words = [WordConfig(label=word.label, phrase=word.phrase) for word in bundle.manifest.words]
    method = Method(MiningStage(bundle, limits, config.data), plan, words)
    return mine_by(method, config, prepared_dir, out_dir, sources, most, runner, progress)


def mine_by(
    method: Method,
    config: Config,
    prepared_dir: str | Path,
    out_dir: str | Path,
    sources: Sequence[SourceConfig] = (),
    most: int = MOST,
    runner: Runner = "ray",
    progress: bool | None = None,
) -> Mined:
    """Mine with any method; see `mine`."""
    if most < 1:
        raise ConfigError(f"the number of candidates must be at least 1, got {most}")
    evaluated = Evaluated(prepared_dir)
    words = _words([*config.words, *method.words], evaluated)
    out = Path(out_dir).absolute()
    recordings, left_out = find_negatives(sources, prepared_dir, words, evaluated, out)
    out.mkdir(parents=True, exist_ok=True)
    with lock_folder(out, ".mine.lock"):
        _keep_plan(out, method.plan)
        with stage_runner(config, runner, progress) as run:
            files, resumed = _score(out, method.stage, config.data, recordings, run)
        return _Collected(out, files, recordings, left_out, evaluated).finish(most, method.per_hour, resumed)


def _words(given: Sequence[WordConfig], evaluated: Evaluated) -> list[WordConfig]:
    """One word for each label: the first given, and those of the prepared data."""
    words = {word.label: word for word in reversed(given)}
    for label in evaluated.labels:
        words.setdefault(label, WordConfig(label=label))
    return list(words.values())


def _keep_plan(out: Path, plan: dict[str, Any]) -> None:
    """Refuse a folder of another model or limit, whose decisions would not apply."""
    path = out / PLAN
    if not path.is_file():
        write_json(path, plan)
        return
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
        changed = [name for name, value in plan.items() if earlier.get(name) != value]
    except (ValueError, AttributeError) as error:
        raise DataError(f"{path} is damaged ({error}): give another --out") from error
    if changed:
        raise ConfigError(
            f"{out} holds what was mined with another {' and '.join(changed)}: give another --out, or the same bundle "
            "and threshold (or the same sounds) to continue there"
        )


def _score(out: Path, stage: Stage, data: DataConfig, recordings: pa.Table, run: RunStage) -> tuple[list[Path], int]:
    """Files of all units of work, and how many of them an earlier run wrote."""
    quality = config_hash(data.quality)
    plan = json.loads((out / PLAN).read_text(encoding="utf-8"))
    settings = json.dumps([MINING_VERSION, plan, quality], sort_keys=True).encode()
    files, open_parts = [], []
    for part in _parts(recordings):
        stamps = [stamp_of(uri) for uri in part.column("uri").to_pylist()]
        clips = as_ipc(part.select(["uri"]).append_column("stamp", pa.array(stamps, pa.string())))
        path = out / PARTS / f"{plan_digest(settings, clips)}.parquet"
        files.append(path)
        if not path.is_file():
            open_parts.append({"file": str(path), "clips": clips})
    schema = pa.schema([("file", pa.string()), ("clips", pa.large_binary())])
    for _ in run(stage, pa.Table.from_pylist(open_parts, schema=schema), "mining"):
        pass
    missing = [path for path in files if not path.is_file()]
    if missing:
        raise DataError(
            f"{len(missing)} results are not in {out / PARTS} although they were written: on a cluster this folder "
            "must be shared by all nodes"
        )
    return files, len(files) - len(open_parts)


def _parts(recordings: pa.Table) -> list[pa.Table]:
    parts, start, held_s = [], 0, 0.0
    columns = zip(recordings.column("uri").to_pylist(), recordings.column("duration_s").to_pylist(), strict=True)
    for row, (uri, known_s) in enumerate(columns):
        duration_s = known_s or guessed_s(uri)
        if row > start and (held_s + duration_s > PART_S or row - start == PART_CLIPS):
            parts.append(recordings.slice(start, row - start))
            start, held_s = row, 0.0
        held_s += duration_s
    return [*parts, recordings.slice(start)]


class _Collected:
    """From the files of all units to the candidates, clips and page of the mining folder."""

    def __init__(
        self, out: Path, files: Sequence[Path], recordings: pa.Table, left_out: list[Row], evaluated: Evaluated
    ) -> None:
        self.out, self.evaluated = out, evaluated
        self.files = files
        self.left_out = left_out
        self.recordings = {row["uri"]: row for row in recordings.to_pylist()}
        self.hours = 0.0
        self.decisions = read_decisions(out) if (out / DECISIONS).is_file() else {}

    def finish(self, most: int, per_hour: float, resumed: int) -> Mined:
        """Write clips, candidates, decisions, what was left out, the summary and the page."""
        highest = self._highest(most)
        if per_hour:
            most = min(most, max(1, round(per_hour * self.hours)))
        chosen = self._distinct([one for one in highest if self._apart(one)], most)
        embeddings = np.array([np.frombuffer(one["embedding"], np.float32) for one in chosen])
        clusters, ranks = clusters_of(embeddings, [one["score"] for one in chosen])
        rows = [
            {**self._row(one), "cluster": cluster, "rank": rank}
            for one, cluster, rank in zip(chosen, clusters, ranks, strict=True)
        ]
        rows.sort(key=lambda row: (row["cluster"], row["rank"]))
        table = pa.Table.from_pylist(rows, schema=CANDIDATE_SCHEMA)
        with atomic_path(self.out / CANDIDATES) as temporary:
            pq.write_table(table, temporary)
        ids = table.column("id").to_pylist()
        write_decisions(self.out, table, self.decisions)
        for path in (self.out / CLIPS).glob("*.flac"):
            if path.stem not in set(ids):
                path.unlink()
        with atomic_path(self.out / LEFT_OUT) as temporary:
            pq.write_table(quarantine_table(self.left_out), temporary)
        mined = Mined(
            folder=self.out,
            hours=self.hours,
            candidates=len(rows),
            clusters=len(set(clusters)),
            decisions=counts(ids, self.decisions),
            left_out=dict(sorted(Counter(row["reason"] for row in self.left_out).items())),
            parts=len(self.files),
            resumed_parts=resumed,
            per_word=dict(sorted(Counter(row["word"] for row in rows).items())),
        )
        summary = {
            "hours": round(self.hours, 4),
            "candidates": len(rows),
            "clusters": mined.clusters,
            "left_out": mined.left_out,
            "kept_apart_from": self.evaluated.config_hash,
        }
        write_json(self.out / SUMMARY, summary)
        write_page(self.out, table, self.decisions, summary)
        return mined

    def _highest(self, most: int) -> list[dict[str, Any]]:
        """The highest candidates of all files and the decided ones, in bounded memory."""
        found: list[dict[str, Any]] = []
        for path in self.files:
            for recording in pq.read_table(path, schema=PART_SCHEMA).to_pylist():
                self.hours += recording["heard_s"] / 3600
                if self._refused(recording):
                    continue
                uri = recording["uri"]
                for one in recording["candidates"]:
                    name = f"{uri}|{one['word']}|{round(one['end_s'] * 1000)}"
                    found.append({**one, "origin": uri, "id": hashlib.sha256(name.encode()).hexdigest()[:10]})
            found.sort(key=lambda one: (not self.decisions.get(one["id"]), -one["score"], one["id"]))
            del found[2 * SPARE * most + len(self.decisions) :]
        return found

    def _refused(self, recording: dict[str, Any]) -> bool:
        known = self.evaluated.digests.get(recording["digest"])
        reason, detail = recording["reason"], recording["detail"]
        if known:
            reason, detail = "same_samples_as_evaluation", f"holds the samples of {known}"
        if reason:
            self._leave_out(recording["uri"], recording["uri"], reason, detail)
        return bool(reason)

    def _apart(self, one: dict[str, Any]) -> bool:
        """Whether a candidate shares no audio with a val or test clip."""
        words = np.frombuffer(one["print"], np.uint32)
        first = one["print_first"]
        last = first + max(1, int(one["duration_s"] * SAMPLE_RATE_HZ) // HOP)
        copy = self.evaluated.copy_of(words, first, last)
        if copy:
            self._leave_out(one["origin"], f"{one['origin']} at {one['end_s']:.2f} s", "copy_of_evaluation", copy)
        one["print"] = words[first:last]
        return not copy

    def _distinct(self, found: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
        """The highest candidates without copies of each other, and all decided ones."""
        found = found[: SPARE * most + len(self.decisions)]
        # A decided candidate ranks before its copies at any score.
        rank = [one["score"] + 2.0 * bool(self.decisions.get(one["id"])) for one in found]
        gone = copies_of([one["print"] for one in found], rank)
        for i, stays in sorted(gone.items()):
            what = f"{found[i]['origin']} at {found[i]['end_s']:.2f} s"
            detail = f"a copy of {found[stays]['origin']} at {found[stays]['end_s']:.2f} s"
            self._leave_out(found[i]["origin"], what, "copy_of_candidate", detail)
        left = [one for i, one in enumerate(found) if i not in gone]
        decided = sum(bool(self.decisions.get(one["id"])) for one in left)
        return left[: max(most, decided)]

    def _leave_out(self, origin: str, what: str, reason: str, detail: str) -> None:
        self.left_out.append(quarantine_row(what, self.recordings[origin]["source"], "mining", reason, detail))

    def _row(self, one: dict[str, Any]) -> Row:
        """Write the clip of a candidate and return its row of `CANDIDATE_SCHEMA` without the cluster."""
        origin = self.recordings[one["origin"]]
        path = self.out / CLIPS / f"{one['id']}.flac"
        digest = hashlib.sha256(one["audio"]).hexdigest()
        if not path.is_file() or sha256_of(path) != digest:
            with atomic_path(path) as temporary:
                temporary.write_bytes(one["audio"])
        end_s = min(one["end_s"] - one["clip_start_s"], one["duration_s"])
        copied = ("kind", "label", "text", "speaker", "speaker_source", "source", "licence", "synthetic")
        return {
            **{name: origin[name] for name in copied},
            **{name: origin[name] or "" for name in ("accent", "age", "gender")},
            **{name: one[name] for name in ("id", "word", "score", "start_s", "end_s", "clip_start_s", "duration_s")},
            "origin": one["origin"],
            "recording": origin["clip_id"],
            "clip": f"{CLIPS}/{path.name}",
            "sha256": digest,
            "word_start_s": round(min(max(0.0, one["start_s"] - one["clip_start_s"]), max(0.0, end_s - 0.05)), 6),
            "word_end_s": round(end_s, 6),
        }
