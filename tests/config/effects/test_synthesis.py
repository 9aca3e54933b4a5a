"""Sections `words` and `synthesis`: what is planned to be spoken, by whom, and what comes out of the stages."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pytest

from tests.config.effects.effect import Effect, Effects, Observe, check, falls, outcome, rises, shared_folder
from tests.config.effects.test_data import corpus
from wakeword.config import Config
from wakeword.data.manifest import clip_row, clip_table
from wakeword.data.prepare import prepare
from wakeword.data.words import assign_words, with_named_words
from wakeword.stages.in_process import run_stage
from wakeword.stages.stage import Stage

pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
from wakeword.data.synthesis import roster
from wakeword.data.synthesis.plan import plan_utterances
from wakeword.data.synthesis.stage import synthesise

SMALL = {
    "synthesis.enabled": True,
    "synthesis.engines": {"espeak": 1.0},
    "synthesis.hold_out": [],
    "synthesis.clips_per_word": 20,
    "synthesis.speech_clips": 0,
    "synthesis.near_miss_test_clips": 0,
    "synthesis.noises": 0,
    "synthesis.rooms": 0,
}
NEAR = {**SMALL, "words": [{"label": "word", "phrase": "hey nova"}], "synthesis.near_miss_clips": 10}
SPEAK = """
import math, struct, sys, time, wave
text, voice, out = sys.argv[1:]
time.sleep({"slow": 0.5}.get(voice, 0))
with wave.open(out, "wb") as sound:
    sound.setnchannels(1), sound.setsampwidth(2), sound.setframerate(16000)
    sound.writeframes(struct.pack("<9600h", *(int(9000 * math.sin(i / 9)) for i in range(9600))))
"""


@cache
def script() -> str:
    path = shared_folder("speaker") / "speak.py"
    path.write_text(SPEAK)
    return str(path)


@cache
def sentences() -> str:
    path = shared_folder("sentences") / "mine.txt"
    path.write_text("good morning everybody\nthere is my book\n")
    return str(path)


def command(**more: Any) -> dict[str, Any]:
    """A recipe that one program speaks; `more` are its fields."""

    def section() -> dict[str, Any]:
        argv = [sys.executable, script(), "{text}", "{voice}", "{out}"]
        return {"mine": {"argv": argv, "voices": ["a", "b", "c", "d"], **more}}

    engines = {"command:mine": 1.0}
    return {**SMALL, "synthesis.commands": section, "synthesis.engines": engines, "synthesis.speech_clips": 20}


def planned(config: Config) -> list[dict[str, Any]]:
    return plan_utterances(config).to_pylist()


def count(kind: str, split: str = "") -> Observe:
    """Utterances of a kind (of a split)."""

    def observe(config: Config, folder: Path) -> int:
        return sum(row["kind"] == kind and split in ("", row["split"]) for row in planned(config))

    return observe


def mean(column: str) -> Observe:
    def observe(config: Config, folder: Path) -> float:
        rows = planned(config)
        return sum(row[column] for row in rows) / len(rows)

    return observe


def of_each(column: str) -> Observe:
    """How many utterances have each value of a column, or why nothing can be planned."""

    def observe(config: Config, folder: Path) -> Any:
        return outcome(lambda: Counter(row[column] for row in planned(config)))

    return observe


def in_sentences(config: Config, folder: Path) -> int:
    return sum(bool(row["carrier"]) for row in planned(config))


def nearness(config: Config, folder: Path) -> float:
    """Mean distance in phonemes of the near misses that train."""
    found = [
        row["phoneme_distance"] for row in planned(config) if row["kind"] == "confusable" and row["split"] == "train"
    ]
    return sum(found) / len(found)


def longest_text(config: Config, folder: Path) -> int:
    return max(len(row["text"].split()) for row in planned(config) if row["kind"] == "speech")


def without_pico(config: Config, folder: Path) -> Any:
    """What is planned where the package of the engine pico is not installed."""
    roster._loaded.cache_clear()
    try:
        with mock.patch.dict(sys.modules, {"ttspico": None}):
            return of_each("engine")(config, folder)
    finally:
        roster._loaded.cache_clear()


class Stages:
    """Runs the stages of synthesis in this process, on as few rows as will do, and keeps what came out."""

    def __init__(self, rows: int, **changes: Any) -> None:
        self.rows, self.changes = rows, changes
        self.results: dict[str, list[dict[str, Any]]] = {}

    def __call__(self, stage: Stage, table: pa.Table, title: str) -> Iterator[pa.Table]:
        if stage.name == "synthesis":
            requested = [{**row, **self.changes} for row in table.to_pylist()]
            spoken = requested[: self.rows]
            skipped = dict.fromkeys(stage.writes) | {"reason": "skipped", "detail": ""}
            batches = list(run_stage(stage, pa.Table.from_pylist(spoken, schema=table.schema)))
            rest = [{**skipped, "key": row["key"]} for row in requested[self.rows :]]
            batches.append(pa.Table.from_pylist(rest, schema=batches[0].schema))
        else:
            batches = list(run_stage(stage, table))
        self.results[stage.name] = [row for batch in batches for row in batch.to_pylist()]
        yield from batches


def made(stage: str, rows: int = 1, **changes: Any) -> Observe:
    """How many results of a stage came out well, or the error that it ends with."""

    def observe(config: Config, folder: Path) -> Any:
        run = Stages(rows, **changes)
        result = outcome(lambda: synthesise(config, folder, run))
        if isinstance(result, str):
            return result
        return sum(not row["reason"] for row in run.results.get(stage, []))

    return observe


def faults(config: Config, folder: Path) -> Counter[str]:
    """Why utterances of a program were not spoken."""
    run = Stages(1)
    synthesise(config, folder, run)
    return Counter(row["reason"] for row in run.results["synthesis"])


def own_files(config: Config, folder: Path) -> int:
    """Spoken files in the prepared folder itself."""
    synthesise(config, folder, Stages(1))
    return len(list((folder / "synthetic").rglob("*.flac")))


def synthetic(config: Config, folder: Path) -> int:
    """Clips of a prepared folder that were spoken."""
    summary = prepare(config, folder, runner="local")
    return summary.clips(kind="wakeword")


def positives(config: Config, folder: Path) -> int:
    """Clips of a corpus that are taken for the words."""
    rows = [
        clip_row(clip_id=str(i), uri=str(i), kind="wakeword", label=label, split="train")
        for i, label in enumerate(("nova", "gong", "gong", "Hey Gong", "hey_gong"))
    ]
    return (
        assign_words(with_named_words(clip_table(rows), config.words), config.words)[0]
        .column("kind")
        .to_pylist()
        .count("wakeword")
    )


def of(observe: Observe, to: Any, holds: Any = Effect.holds, given: Any = None, **more: Any) -> Effect:
    own = {f"synthesis.{key}": value for key, value in more.items() if key != "start"}
    start = {"start": more["start"]} if "start" in more else {}
    return Effect(observe, to, given={**(SMALL if given is None else given), **own}, holds=holds, **start)


SECOND_LANGUAGE = {**SMALL, "words": [{"label": "nova", "phrase": "hallo nova"}]}
ONE_CLIP = {**SMALL, "synthesis.clips_per_word": 1, "data.splits.val": 0, "data.splits.test": 0}
PREPARED = {
    **SMALL,
    "synthesis.clips_per_word": 7,
    "data.sources": lambda: [{"type": "csv", "uri": corpus()}],
    "data.quality.guarded": False,
}

EFFECTS: Effects = {
    "words.*.label": Effect(positives, "gong", "nova", holds=rises),
    "words.*.phrase": Effect(positives, "hey gong", "", holds=rises),
    "words.*.say": of(of_each("respelling"), ["no-vah", "know va"]),
    "words.*.phonemes": of(of_each("phonemes"), "nˈoʊvə"),
    "synthesis.enabled": of(synthetic, True, rises, PREPARED, start=False),
    "synthesis.language": of(of_each("accent"), "de", given=SECOND_LANGUAGE),
    "synthesis.engines": of(of_each("engine"), {"espeak": 0.5, "pico": 0.5}),
    "synthesis.hold_out": of(of_each("engine"), ["hibari"]),
    "synthesis.leave_out_missing": of(without_pico, True, engines={"espeak": 0.5, "pico": 0.5}),
    "synthesis.clips_per_word": of(count("wakeword"), 31, rises),
    "synthesis.speech_clips": of(count("speech"), 17, rises),
    "synthesis.negative_hours": of(count("speech"), 0.01, rises),
    "synthesis.other_languages": of(of_each("language"), ["fr"], speech_clips=20),
    "synthesis.other_language_share": of(of_each("language"), 0.6, speech_clips=20, other_languages=["fr"]),
    "synthesis.sentences": of(of_each("text"), sentences, speech_clips=10),
    "synthesis.carrier_share": of(in_sentences, 0.5, rises),
    "synthesis.carriers": of(of_each("carrier"), ["{phrase}, go"], carrier_share=1.0),
    "synthesis.near_miss_clips": of(count("confusable", "train"), 10, rises, NEAR, start=5),
    "synthesis.near_miss_shares": of(nearness, {1: 1.0}, falls, NEAR),
    "synthesis.near_miss_test_clips": of(count("confusable", "test"), 8, rises, NEAR, start=4),
    "synthesis.pronunciations": of(of_each("text"), "cmu", given=NEAR),
    "synthesis.check_words": of(made("synthesis", respelling="birthday party"), True, given=ONE_CLIP),
    "synthesis.rates": of(mean("rate"), (1.5, 2.0), rises),
    "synthesis.pitch_semitones": of(mean("pitch"), (3, 4), rises),
    "synthesis.noises": of(made("scenery"), 2, rises, ONE_CLIP, start=1),
    "synthesis.rooms": of(made("scenery"), 2, rises, ONE_CLIP, start=1),
    "synthesis.seed": of(of_each("voice"), 1),
    "synthesis.cache_dir": of(own_files, lambda: str(shared_folder("cache")), falls, ONE_CLIP),
    "synthesis.commands.*.argv": of(
        made("synthesis"), lambda: [sys.executable, "-c", "pass", "{voice}"], falls, command()
    ),
    "synthesis.commands.*.timeout_s": of(
        faults, 0.2, given={**command(voices=["slow"]), "data.splits.val": 0, "data.splits.test": 0}
    ),
    "synthesis.commands.*.voices": of(of_each("voice"), ["e", "f", "g"], given=command()),
    "synthesis.commands.*.slow": of(longest_text, True, falls, command()),
    "synthesis.commands.*.languages": of(of_each("engine"), ["fr"], given=command()),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_the_field_has_its_effect(name: str) -> None:
    check(name, EFFECTS[name])
