"""Section `cutting`: what is planned from aligned transcripts, and what is cut."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.config.effects.effect import Effect, Effects, Observe, check, falls, outcome, rises, shared_folder
from tests.data.corpus import burst
from wakeword.audio.io import write_wav
from wakeword.config import Config, WordConfig
from wakeword.data.cutting.plan import CUT_SCHEMA, CutPlan, Nearness, plan_cuts
from wakeword.data.cutting.stages import AlignStage, CutStage
from wakeword.data.manifest import Row, clip_row
from wakeword.stages.in_process import run_stage

Said = tuple[str, str, str]
"""Speaker, split and text."""
TWO_WORDS = {"words": [{"label": "hey_nova"}]}
APART: tuple[Said, ...] = (("a", "train", "nova and hey"),) * 3
TOGETHER: tuple[Said, ...] = (("a", "train", "hey nova"),)


def transcripts(spoken: tuple[Said, ...], gap_s: float, word_s: float, **word: Any) -> tuple[dict[str, Row], list[Row]]:
    """Clips and the times of their words, all of one length and `gap_s` apart."""
    clips, aligned = {}, []
    for number, (speaker, split, text) in enumerate(spoken):
        key = f"k{number}"
        about = {"kind": "speech", "speaker": speaker, "split": split, "text": text}
        clips[key] = clip_row(clip_id=key, uri=f"/{key}.wav", source="corpus", **about)
        times = {"level_db": -20.0, "before_db": -60.0, "after_db": -60.0, "confidence": None, **word}
        words = [
            {"place": i, "text": part, "start_s": i * (word_s + gap_s), "end_s": i * (word_s + gap_s) + word_s, **times}
            for i, part in enumerate(text.split())
        ]
        aligned.append({"key": key, "sha256": f"sha-{key}", "words": words, "gaps_s": [gap_s] * (len(words) - 1)})
    return clips, aligned


def planned(config: Config, spoken: tuple[Said, ...], gap_s: float = 0.1, word_s: float = 0.4, **word: Any) -> CutPlan:
    def nearness(near: WordConfig, text: str) -> Nearness:
        return Nearness(3, text == "hey")

    return plan_cuts(config, *transcripts(spoken, gap_s, word_s, **word), nearness=nearness)


def cuts(way: str, spoken: tuple[Said, ...], **audio: Any) -> Observe:
    """How many clips of a way are cut."""

    def observe(config: Config, folder: Path) -> int:
        return Counter(clip["way"] for clip in planned(config, spoken, **audio).clips.values())[way]

    return observe


def refused(reason: str, spoken: tuple[Said, ...], **audio: Any) -> Observe:
    """How many pieces are refused for a reason."""

    def observe(config: Config, folder: Path) -> int:
        return Counter(row["reason"] for row in planned(config, spoken, **audio).refused)[reason]

    return observe


def aligner(config: Config, folder: Path) -> Any:
    """The aligner that the stage loads, or why it cannot."""
    stage = AlignStage(config.cutting, config.data.quality, folder, ["nova"], "cpu")
    return outcome(lambda: stage.setup() or type(stage._aligner).__name__)


@cache
def recording() -> Path:
    path = shared_folder("cutting") / "recording.wav"
    write_wav(path, burst(3, 3.0))
    return path


def cut(config: Config, folder: Path) -> str:
    """Why a piece of a recording of 3 s is not cut out; empty where it is."""
    part = {"uri": str(recording()), "sha256": "", "start_s": 1.0, "end_s": 2.0}
    row = {"name": "0" * 24, "kind": "wakeword", "parts": [part], "gains": [1.0], "gaps_s": []}
    stage = CutStage(config.cutting, config.data.quality, folder)
    (made,) = pa.concat_tables(run_stage(stage, pa.Table.from_pylist([row], schema=CUT_SCHEMA))).to_pylist()
    return made["reason"]


def of(observe: Observe, to: Any, holds: Any, start: Any, **given: Any) -> Effect:
    return Effect(observe, to, start, {**TWO_WORDS, **given}, holds)


EFFECTS: Effects = {
    "cutting.aligner": Effect(aligner, "nobody"),
    "cutting.max_source_s": Effect(cut, 2.0, given={"data.quality.guarded": False}),
    "cutting.min_cut_s": of(refused("wrong_length", TOGETHER), 2.0, rises, 0.1),
    "cutting.letter_s": of(refused("wrong_length", TOGETHER), (0.2, 0.5), rises, (0.01, 0.5)),
    "cutting.border_db": of(refused("loud_border", TOGETHER, before_db=-24.0), 6, rises, 3),
    "cutting.min_confidence": of(refused("low_confidence", TOGETHER, confidence=0.1), 0.3, rises, 0),
    "cutting.gap_s": of(refused("long_pause", TOGETHER, gap_s=0.4), (0, 0.5), falls, (0, 0.3)),
    "cutting.joined_per_speaker": of(cuts("joined", APART), 4, rises, 1),
    "cutting.parts_per_text": of(cuts("part", APART), 2, rises, 1),
    "cutting.hold_out_parts": of(cuts("part", APART), False, rises, True),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_the_field_has_its_effect(name: str) -> None:
    check(name, EFFECTS[name])
