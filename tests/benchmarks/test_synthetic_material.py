"""Clips for training and for judging in `benchmarks.synthetic_to_real` are disjoint, and every recipe loads."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from benchmarks.synthetic.material import ALL_STAGES, WORDS, Cell, judging_rows, training_config, training_rows

KINDS = (("wakeword", "alexa"), ("wakeword", "hey_computer"), ("wakeword", "athena"), ("speech", ""), ("rir", "rir"))
ROWS = [
    {"path": f"{kind}-{label}-{split}-{number}", "kind": kind, "label": label, "split": split}
    for (kind, label), split, number in product(KINDS, ("train", "val", "test"), range(4))
]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("real_words", [False, True])
def test_training_has_no_recording_of_the_word_and_no_judging_clip(word: str, real_words: bool) -> None:
    training = list(training_rows(ROWS, word, real_words))
    judging = list(judging_rows(ROWS))
    assert not {row["path"] for row in training} & {row["path"] for row in judging}
    assert {row["split"] for row in training} == {"train"}
    assert {row["split"] for row in judging} == {"test"}
    labels = {row["label"] for row in training if row["kind"] == "wakeword"}
    others = {"alexa", "hey_computer", "athena"} - {"hey_computer" if word == "computer" else word}
    assert labels == (others if real_words else set())


def test_every_clip_of_val_and_test_judges_and_rooms_are_shared_out() -> None:
    judging = [row["path"] for row in judging_rows(ROWS)]
    assert len(judging) == len(set(judging))
    assert {row["path"] for row in ROWS if row["split"] != "train"} <= set(judging)
    for rows in (judging_rows(ROWS), training_rows(ROWS, "alexa", True)):
        assert sum(row["kind"] == "rir" and "train" in row["path"] for row in rows) == 2


@pytest.mark.parametrize("stage", ALL_STAGES)
def test_every_recipe_loads(stage: str, tmp_path: Path) -> None:
    config = training_config(Cell("alexa", ALL_STAGES[stage], 0), tmp_path, True, lambda: ROWS)
    assert config.name == f"alexa-{stage}-0"


def test_mined_negatives_are_a_source_of_that_stage_alone(tmp_path: Path) -> None:
    def sources(stage: str) -> list[tuple[str, str]]:
        config = training_config(Cell("alexa", ALL_STAGES[stage], 1), tmp_path, False, lambda: ROWS)
        return [(source.type, source.uri) for source in config.data.sources]

    recordings = ("csv", str(tmp_path / "manifests" / "train-alexa-words.csv"))
    assert sources("words") == [recordings]
    assert sources("mined") == [recordings, ("mined", str(tmp_path / "mined" / "alexa"))]
    assert sources("alone") == []
