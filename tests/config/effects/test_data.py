"""Section `data`: what sources give, which splits clips go to, and which clips the shards take."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.config.effects.effect import Effect, Effects, Observe, check, falls, outcome, rises, shared_folder
from tests.data.corpus import burst, write_corpus, write_manifest
from wakeword.audio.decoding.guard import shared_decoder
from wakeword.audio.io import write_wav
from wakeword.batching.material import training_clips
from wakeword.batching.plans import BatchSampler
from wakeword.config import Config
from wakeword.data.manifest import Row, clip_row, clip_table
from wakeword.data.plan import plan_shards
from wakeword.data.prepare import gather_clips, prepare
from wakeword.data.shard_stage import ShardStage
from wakeword.data.shards import ShardSet
from wakeword.data.splits import assign_splits
from wakeword.stages.in_process import run_stage


@cache
def corpus() -> str:
    """A CSV corpus with the word `nova` and a copy, under another name, of a recording of train in val."""
    root = shared_folder("corpus")
    manifest = write_corpus(root, speakers=4, per_speaker=1, label="nova")
    rows = []
    for name, split in (("one", "train"), ("two", "val")):
        write_wav(root / f"{name}.wav", burst(77, 2.0))
        rows.append(f"{name}.wav,speech,speech,{name},{split},,,,")
    manifest.write_text(manifest.read_text() + "\n".join(rows) + "\n")
    return str(manifest)


@cache
def sounds() -> str:
    """A folder of four recordings in two sub-folders."""
    root = shared_folder("sounds")
    for number in range(4):
        write_wav(root / "audio" / f"place{number % 2}" / f"{number}.wav", burst(50 + number, 1.0))
    return str(root)


@cache
def lookalike() -> str:
    """A folder with the word and a label that is one letter away from it."""
    root = shared_folder("lookalike")
    for number, name in enumerate(("nova", "novva")):
        write_wav(root / name / f"{number}.wav", burst(number))
    return str(root)


def sources(*entries: tuple[str, Callable[[], str]], **first: Any) -> dict[str, Any]:
    """`data.sources` of these (type, uri); `first` are further fields of the first."""

    def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = [{"type": kind, "uri": uri()} for kind, uri in entries]
        return [{**found[0], **first}, *found[1:]]

    return {"data.sources": listed, "data.quality.guarded": False}


def gathered(config: Config, folder: Path) -> Any:
    """Clips of all sources: place, kind, label and licence, or the error."""
    columns = ("uri", "kind", "label", "licence", "speaker_source")

    def run() -> Any:
        return [row for t in gather_clips(config).tables for row in t.select(columns).to_pylist()]

    return outcome(run)


def clips(config: Config, folder: Path) -> int:
    return sum(table.num_rows for table in gather_clips(config).tables)


def share_drawn(config: Config, folder: Path) -> float:
    """Share of the positives of a batch that come from the corpus's clips of speaker s0 to s3, against a second one."""
    prepare(config, folder, runner="local")
    resident = training_clips(ShardSet.open(folder), "train", "cpu")  # type: ignore[arg-type]
    sampler = BatchSampler(config, resident, 16_000)
    plan = sampler.batch(0)
    drawn = plan.clip[plan.target.any(1)]
    return float(np.mean([sampler.clip_ids[row].startswith("words/") for row in drawn]))


def refused(config: Config, folder: Path) -> dict[str, int]:
    return prepare(config, folder, runner="local").quarantined


def fate(kind: str, make: Callable[[], np.ndarray], **columns: Any) -> Observe:
    """How many pieces of one recording a shard takes, and why not the others."""
    name = f"{kind}-{make.__name__}"

    def observe(config: Config, folder: Path) -> tuple[int, str]:
        path = shared_folder("fates") / f"{name}.wav"
        if not path.exists():
            write_wav(path, make())
        label = "nova" if kind == "wakeword" else kind
        row = clip_row(clip_id="a", uri=str(path), kind=kind, label=label, split="train", **columns)
        plan = plan_shards(clip_table([row]), config.data)
        (made,) = pa.concat_tables(run_stage(ShardStage(config.data, folder), plan)).to_pylist()
        return made["rows"], made["reason"]

    return observe


def short() -> np.ndarray:
    return burst(1, 0.8)


def long() -> np.ndarray:
    return burst(1, 4.0)


def faint() -> np.ndarray:
    return burst(1, 0.8, level=0.01)


def hot() -> np.ndarray:
    audio = burst(1)
    audio[6000:6100] = 1.0
    return audio


def shifted() -> np.ndarray:
    return burst(1) + np.float32(0.06)


def noisy() -> np.ndarray:
    return burst(5, 2.0) + 0.05 * np.random.default_rng(2).standard_normal(32_000).astype(np.float32)


def decoded_in_child(config: Config, folder: Path) -> bool:
    """Whether reading a recording starts the child process."""
    shared_decoder().close()
    fate("speech", short)(config, folder)
    return shared_decoder()._child is not None


def speakers() -> list[Row]:
    return [clip_row(clip_id=f"{i}", uri=f"{i}", kind="wakeword", label="nova", speaker=f"s{i}") for i in range(60)]


def of_split(split: str) -> Observe:
    def observe(config: Config, folder: Path) -> int:
        table, _, _ = assign_splits(clip_table(speakers()), config.labels, config.data.splits)
        return table.column("split").to_pylist().count(split)

    return observe


def shards(config: Config, folder: Path) -> int:
    rows = [{**row, "split": "train", "duration_s": 10.0} for row in speakers()]
    return plan_shards(clip_table(rows), config.data).num_rows


def quality(observe: Observe, to: Any, start: Any, holds: Any, guarded: bool = False) -> Effect:
    return Effect(observe, to, start, given={"data.quality.guarded": guarded}, holds=holds)


@cache
def second_corpus() -> str:
    root = shared_folder("second")
    rows = []
    for number in range(4):
        write_wav(root / f"more{number}.wav", burst(900 + number))
        rows.append({"path": f"more{number}.wav", "kind": "wakeword", "label": "nova", "speaker": f"m{number}"})
    return str(write_manifest(root / "manifest.csv", rows))


WORDS = {"data.splits.val": 0, "data.splits.test": 0, "training.batch_size": 400}


ONE_FOLDER = sources(("folder", sounds), kind="noise")
ABSENT = sources(("folder", lambda: "/no/such/folder"), ("folder", sounds))
TWO_CORPORA = {**WORDS, **sources(("csv", corpus), ("csv", second_corpus))}

EFFECTS: Effects = {
    "data.sources.*.type": Effect(gathered, "noise_folder", "folder", ONE_FOLDER),
    "data.sources.*.uri": Effect(gathered, lookalike, sounds, ONE_FOLDER),
    "data.sources.*.kind": Effect(gathered, "music", "noise", ONE_FOLDER),
    "data.sources.*.optional": Effect(gathered, True, False, ABSENT),
    "data.sources.*.limit": Effect(clips, 2, None, ONE_FOLDER, falls),
    "data.sources.*.licence": Effect(gathered, "CC0-1.0", "", ONE_FOLDER),
    "data.sources.*.weight": Effect(share_drawn, 4, 1, TWO_CORPORA, rises),
    "data.quality.min_clip_s": quality(fate("speech", short), 1.0, 0.2, falls),
    "data.quality.max_clip_s": quality(fate("wakeword", short), 0.5, 15, falls),
    "data.quality.min_level_dbfs": quality(fate("speech", faint), -20, -60, falls),
    "data.quality.max_clipped_share": quality(fate("speech", hot), 0, 0.05, falls),
    "data.quality.max_dc_offset": quality(fate("speech", shifted), 0.05, 0.1, falls),
    "data.quality.min_snr_db": quality(fate("speech", noisy), 18, None, falls),
    "data.quality.max_duration_error": quality(fate("wakeword", short, duration_s=1.2), 0.5, 0.05, rises),
    "data.quality.decode_timeout_s": quality(fate("speech", short), 1e-9, 20, falls, guarded=True),
    "data.quality.guarded": Effect(decoded_in_child, False, True, holds=falls),
    "data.quality.duplicates": Effect(refused, "keep", "near", sources(("csv", corpus))),
    "data.splits.val": Effect(of_split("val"), 0.4, 0.1, holds=rises),
    "data.splits.test": Effect(of_split("test"), 0.4, 0.1, holds=rises),
    "data.shard_mb": Effect(shards, 2, 128, holds=rises),
    "data.negative_labels": Effect(gathered, ["novva"], [], sources(("folder", lookalike))),
    "data.max_kept_s": quality(fate("speech", long), 1.0, 30, rises),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_the_field_has_its_effect(name: str) -> None:
    check(name, EFFECTS[name])
