"""Sources to shards: read, assign words and splits, plan, then decode each shard as a separate unit of work."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from wakeword.config import Config, config_hash
from wakeword.data.alike import Like, like_words, refuse_alike
from wakeword.data.coverage import Coverage, coverage_warnings
from wakeword.data.duplicates import summary_of, without_leaks
from wakeword.data.hard_negatives import without_evaluated_origins
from wakeword.data.label_uses import COLUMNS, label_uses, label_warnings, labels_by_default, with_labels
from wakeword.data.manifest import MANIFEST_SCHEMA, Row, counts_of, quarantine_table, set_column
from wakeword.data.plan import PREPARE_VERSION, plan_shards
from wakeword.data.shard_stage import ShardStage, finished_receipt
from wakeword.data.shards import INDEX_VERSION, ShardSet
from wakeword.data.sources.types import read_source
from wakeword.data.splits import assign_splits, draw
from wakeword.data.summary import PreparedSummary
from wakeword.data.synthesis.plan import plan_identity
from wakeword.data.synthesis.reading import check_reading
from wakeword.data.synthesis.stage import synthesise
from wakeword.data.words import assign_words, check_phrases
from wakeword.errors import ConfigError, DataError
from wakeword.stages.runner import Runner, RunStage, stage_runner
from wakeword.system.files import atomic_path, write_json
from wakeword.system.resources import ResourceSampler


@dataclass
class Gathered:
    """Content of the sources: tables of `MANIFEST_SCHEMA`, refused rows, warnings, digests, origins of mined clips."""

    tables: list[pa.Table] = field(default_factory=list)
    quarantine: list[Row] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    identities: list[str] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)


def prepare(
    config: Config, out_dir: str | Path, runner: Runner | RunStage = "ray", progress: bool | None = None
) -> PreparedSummary:
    """Prepare the audio of training and evaluation; a repeated call continues or finds nothing to do.

    Args:
        config: `data`, `synthesis` and `words` define the result, `compute` where the work runs.
        out_dir: folder for `manifest.parquet`, `quarantine.parquet`, `shards/` and `index.json`; on a cluster a folder
            that every node can read and write.
        runner: `ray` (Ray Data), `local` (this process), or a function that runs a stage over a table and yields its
            output in any order; the bytes are the same.
        progress: True shows a bar, False nothing; None a bar on a terminal, and lines in the log elsewhere.

    Raises:
        DataError: nothing usable is left, no clip of any wake word, or a wake word with too few speakers.
        ConfigError: no sources, a phrase without letters, or one that no engine can pronounce.
        MissingExtraError: a package for decoding or an engine's voice is not installed.
    """
    if not callable(runner) and runner not in ("ray", "local"):
        raise ConfigError(f"runner {runner!r}: choose ray or local")
    check_phrases(config.words)
    if not config.data.sources and not config.synthesis.enabled:
        raise ConfigError(
            "data.sources is empty and synthesis.enabled is false: name a source, or set synthesis.enabled"
        )
    notes = check_reading(config) if config.synthesis.enabled else []
    out_dir = Path(out_dir)
    gathered = gather_clips(config)
    gathered.warnings += notes
    digest = _content_hash(config, gathered)
    done = _up_to_date(out_dir, digest)
    if done:
        return done
    with ResourceSampler(interval_s=1.0) as sampler, stage_runner(config, runner, progress) as run:
        (out_dir / "index.json").unlink(missing_ok=True)
        if config.synthesis.enabled:
            spoken = synthesise(config, out_dir, run)
            gathered.tables.append(spoken.clips)
            gathered.quarantine += spoken.quarantine
            gathered.warnings += spoken.warnings
        index = _build(config, out_dir, gathered, digest, run)
        sampler.sample()
        peak_bytes = int(sampler.peak_gib * 1024**3)
    return PreparedSummary.from_index(out_dir, index, resumed_shards=index.pop("resumed"), peak_memory_bytes=peak_bytes)


def gather_clips(config: Config) -> Gathered:
    """Read all sources.

    Raises:
        DataError: a source that is not optional is absent or cannot be read, or a label is like a configured word.
        ConfigError: an unknown type of source.
    """
    gathered = Gathered()
    like: dict[str, Like] = {}
    for number, source in enumerate(config.data.sources):
        try:
            found = read_source(source, config.words)
        except DataError as error:
            if not source.optional:
                raise
            gathered.warnings.append(f"optional source left out: {error}")
            gathered.identities.append("absent")
            continue
        clips = _limited(found.clips, source.limit)
        if not clips.num_rows:
            reasons = f": {_reasons(found.quarantine)}" if found.quarantine else ""
            gathered.warnings.append(f"source {number} ({source.uri}) gave no clips{reasons}")
        gathered.tables.append(clips)
        gathered.quarantine += found.quarantine
        gathered.identities.append(found.identity)
        gathered.origins |= found.origins
        gathered.warnings += found.notes
        like |= like_words(clips, config, f"data.sources[{number}]")
    refuse_alike(like)
    return gathered


def _limited(clips: pa.Table, limit: int | None) -> pa.Table:
    """A random part of the source that depends on the clip ids alone."""
    if limit is None or clips.num_rows <= limit:
        return clips
    ids = clips.column("clip_id").to_pylist()
    chosen = sorted(range(len(ids)), key=lambda i: draw(f"limit:{ids[i]}"))[:limit]
    return clips.take(pa.array(sorted(chosen)))


def _content_hash(config: Config, gathered: Gathered) -> str:
    parts = [
        config_hash(config.data, config.synthesis, *config.words),
        str(PREPARE_VERSION),
        plan_identity(config.synthesis) if config.synthesis.enabled else "",
        *gathered.identities,
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _up_to_date(out_dir: Path, digest: str) -> PreparedSummary | None:
    try:
        shard_set = ShardSet.open(out_dir)
    except DataError:
        return None
    if shard_set.config_hash != digest:
        return None
    summary = PreparedSummary.from_index(out_dir, shard_set.index, up_to_date=True)
    summary.resumed_shards = summary.shards
    return summary


def _build(config: Config, out_dir: Path, gathered: Gathered, digest: str, run: RunStage) -> dict[str, Any]:
    clips = distinct_ids(pa.concat_tables([MANIFEST_SCHEMA.empty_table(), *gathered.tables]).combine_chunks())
    given = clips
    clips, worded = assign_words(clips, config.words)
    clips, split, warnings = assign_splits(clips, config.labels, config.data.splits)
    planned = Coverage.of([clips])
    clips, mined = without_evaluated_origins(clips, gathered.origins)
    leaks = without_leaks(clips, config.data, out_dir, digest, run)
    clips = leaks.clips
    quarantine = [*gathered.quarantine, *with_labels([*worded, *split, *mined, *leaks.left_out], given)]
    defaults = labels_by_default(given, config.labels)
    _require_words(clips, config, quarantine)
    plan = plan_shards(clips, config.data)
    del clips, given
    receipts, resumed = _run_plan(config, out_dir, plan, run)
    quarantine += [row for receipt in receipts.values() for row in receipt["quarantine"]]
    copies = summary_of(leaks.counts)
    warnings = [*gathered.warnings, *warnings, *([copies] if copies else [])]
    index = _write_results(config, out_dir, digest, receipts, quarantine, warnings, leaks.counts, defaults, planned)
    return {**index, "resumed": resumed}


def distinct_ids(clips: pa.Table) -> pa.Table:
    """Number the second and later clips of an id, so that ids are unique across sources."""
    seen: Counter[str] = Counter()
    ids = []
    for clip_id in clips.column("clip_id").to_pylist():
        seen[clip_id] += 1
        ids.append(clip_id if seen[clip_id] == 1 else f"{clip_id}@{seen[clip_id]}")
    return set_column(clips, "clip_id", ids)


def _require_words(clips: pa.Table, config: Config, quarantine: list[Row]) -> None:
    if not clips.num_rows:
        where = ", ".join(source.uri for source in config.data.sources)
        why = f"all rows were refused ({_reasons(quarantine)})" if quarantine else "no clips"
        raise DataError(f"nothing usable was found in {where}: {why}")
    if "wakeword" not in clips.column("kind").to_pylist():
        there = ", ".join(sorted(set(clips.column("label").to_pylist()))[:20])
        raise DataError(f"no clip of the wake words {', '.join(config.labels)} was found; the labels are: {there}")


def _reasons(quarantine: list[Row]) -> str:
    counts = Counter(row["reason"] for row in quarantine)
    return ", ".join(f"{number} {reason}" for reason, number in sorted(counts.items()))


def _run_plan(config: Config, out_dir: Path, plan: pa.Table, run: RunStage) -> tuple[dict[str, dict[str, Any]], int]:
    names, hashes = plan.column("name").to_pylist(), plan.column("plan_hash").to_pylist()
    planned = dict(zip(names, hashes, strict=True))
    receipts = {name: finished_receipt(out_dir, name, digest) for name, digest in planned.items()}
    open_rows = [i for i, name in enumerate(names) if receipts[name] is None]
    for _ in run(ShardStage(config.data, out_dir.absolute()), plan.take(pa.array(open_rows, pa.int64())), "shards"):
        pass
    for i in open_rows:
        receipts[names[i]] = finished_receipt(out_dir, names[i], hashes[i])
    missing = [name for name in names if receipts[name] is None]
    if missing:
        raise DataError(
            f"{len(missing)} shards are not in {out_dir} although they were built ({missing[0]} …): "
            "on a cluster this folder must be shared by all nodes"
        )
    return {name: receipt for name, receipt in receipts.items() if receipt}, len(names) - len(open_rows)


def _write_results(
    config: Config,
    out_dir: Path,
    digest: str,
    receipts: dict[str, dict[str, Any]],
    quarantine: list[Row],
    warnings: list[str],
    duplicates: dict[str, int],
    defaults: set[tuple[str, str]],
    planned: Coverage,
) -> dict[str, Any]:
    splits: dict[str, Any] = {}
    for name, receipt in sorted(receipts.items()):
        if receipt["rows"]:
            facts = {key: receipt[key] for key in ("rows", "bytes", "sha256", "duration_s")}
            entry = {"file": f"shards/{name}.arrow", **facts}
            splits.setdefault(name.rsplit("-", 1)[0], {"shards": []})["shards"].append(entry)
    reasons = Counter(row["reason"] for row in quarantine)
    if not splits:
        raise DataError(f"nothing usable is left: all clips were refused ({_reasons(quarantine)})")
    with atomic_path(out_dir / "quarantine.parquet") as temporary:
        pq.write_table(quarantine_table(quarantine), temporary)
    counts, hours = _write_manifest(out_dir, splits)
    uses = label_uses(pq.read_table(out_dir / "manifest.parquet", columns=list(COLUMNS)), quarantine, defaults)
    warnings = [*warnings, *label_warnings(uses, defaults, config.data.negative_labels)]
    shards = ShardSet(out_dir, {"splits": splits})
    kept = Coverage.of(shards.table(split) for split in shards.splits)
    index = {
        "version": INDEX_VERSION,
        "config_hash": digest,
        "labels": list(config.labels),
        "sample_rate_hz": 16_000,
        "splits": splits,
        "counts": counts,
        "hours": hours,
        "labelled": [asdict(use) for use in uses],
        "quarantined": dict(sorted(reasons.items())),
        "duplicates": duplicates,
        "warnings": warnings + coverage_warnings(planned, kept, config.labels, config.data.splits, quarantine),
    }
    write_json(out_dir / "index.json", index)
    _remove_stale(out_dir, set(receipts))
    return index


def _write_manifest(out_dir: Path, splits: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """Write the manifest of the shards, a split at a time; returns counts and hours by split and kind."""
    shard_set = ShardSet(out_dir, {"splits": splits})
    counts: dict[str, Any] = {}
    hours: dict[str, dict[str, float]] = {}
    with (
        atomic_path(out_dir / "manifest.parquet") as temporary,
        pq.ParquetWriter(temporary, MANIFEST_SCHEMA) as writer,
    ):
        for split in shard_set.splits:
            table = shard_set.table(split).drop_columns(["audio"])
            writer.write_table(table)
            counts |= counts_of(table)
            sums = (
                table.group_by("kind", use_threads=False).aggregate([("duration_s", "sum")]).sort_by("kind").to_pylist()
            )
            hours[split] = {row["kind"]: round(row["duration_s_sum"] / 3600, 4) for row in sums}
    return counts, hours


def _remove_stale(out_dir: Path, names: set[str]) -> None:
    """Remove the shards of an earlier config."""
    for path in (out_dir / "shards").iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name.split(".")[0] not in names:
            path.unlink()
