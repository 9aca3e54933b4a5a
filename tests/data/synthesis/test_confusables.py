"""Confusables: near by phonemes, never the phrase itself, other texts in training than in evaluation."""

from __future__ import annotations

import importlib.util
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rapidfuzz.distance.Levenshtein import distance as edit_distance

from wakeword.config import Config, WordConfig, validate_config
from wakeword.data.prepare import prepare
from wakeword.data.shards import ShardSet
from wakeword.data.synthesis.plan import plan_utterances
from wakeword.data.words import holds
from wakeword.errors import ConfigError

pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
from wakeword.data.synthesis import confusables as module
from wakeword.data.synthesis.confusables import confusables
from wakeword.data.synthesis.pronunciation import contains, sounds_of, split_ipa

NOVA = WordConfig(label="hey_nova")
COMPUTER = WordConfig(label="computer")
SOUNDS = ("h", "eɪ", "n", "oʊ", "v", "ə", "tʃ", "t", "ʃ")


def config(**synthesis: Any) -> Config:
    small = {"enabled": True, "engines": {"espeak": 1.0}, "hold_out": [], "clips_per_word": 14, "speech_clips": 7}
    small |= {"noises": 0, "rooms": 0}
    return validate_config({"words": [{"label": "hey_nova"}], "synthesis": {**small, **synthesis}})


def near(**synthesis: Any) -> list[dict[str, Any]]:
    return [row for row in plan_utterances(config(**synthesis)).to_pylist() if row["kind"] == "confusable"]


def test_phonemes_are_counted_as_sounds_not_letters() -> None:
    assert split_ipa("tʃˈeɪndʒ") == ("tʃ", "eɪ", "n", "dʒ")
    assert sounds_of(["hey nova"]) == [{("h", "eɪ", "n", "oʊ", "v", "ə")}]
    draw = random.Random(0)
    for _ in range(2_000):
        first, second = (tuple(draw.choices(SOUNDS, k=draw.randrange(9))) for _ in range(2))
        assert edit_distance(first, second) == textbook_distance(first, second)


def textbook_distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Levenshtein's recurrence over whole phonemes."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


@pytest.mark.parametrize("word", [NOVA, COMPUTER], ids=lambda word: word.label)
def test_each_distance_has_texts_and_none_holds_the_phrase(word: WordConfig) -> None:
    found = confusables(word, [NOVA, COMPUTER], "espeak", 0)
    (target,) = sounds_of([word.text])[0]
    for trains in (True, False):
        counts = Counter(one.near for one in found if one.trains is trains)
        assert all(counts[distance] >= 5 for distance in (1, 2, 3)), counts
    for one in found:
        (sounds,) = sounds_of([one.text])[0]
        assert one.phoneme_distance == edit_distance(sounds, target) > 0
        assert not holds(one.text, word.text)
        assert not contains(sounds, target)
    assert confusables(word, [NOVA, COMPUTER], "espeak", 0) == found


def test_parts_and_orders_of_a_phrase_are_among_them() -> None:
    texts = {one.text for one in confusables(NOVA, [NOVA], "espeak", 0)}
    assert {"hey", "nova", "nova hey", "hey hey", "nova nova"} <= texts
    assert not {"hey novas", "hay nova", "hey nova"} & texts, "plurals and homophones are the phrase"


def test_what_holds_another_word_is_no_confusable() -> None:
    other = WordConfig(label="nova")
    assert not [o for o in confusables(NOVA, [NOVA, other], "espeak", 0) if contains(o.sounds, ("n", "oʊ", "v", "ə"))]


@pytest.mark.parametrize(
    ("phrase", "same", "near"),
    [
        ("jarvis", {"jawvis", "jahvis", "jarvus"}, {"jarvin", "jarfis"}),
        ("alexa", {"lexa", "elexa", "alexr"}, {"flexa"}),
        ("hey nova", {"hey nover"}, {"hey noving"}),
    ],
)
def test_what_an_accent_makes_equal_to_the_phrase_is_no_confusable(
    phrase: str, same: set[str], near: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TEXTS_PER_DISTANCE", 10_000)
    word = WordConfig(label="word", phrase=phrase)
    texts = {one.text for one in confusables(word, [word], "espeak", 0)}
    assert not same & texts
    assert near <= texts


def test_training_and_evaluation_share_neither_text_nor_sound() -> None:
    rows = near(near_miss_clips=200, near_miss_shares={1: 1, 2: 1, 3: 1}, near_miss_test_clips=120)
    texts = {split: {r["text"] for r in rows if r["split"] == split} for split in ("train", "val", "test")}
    assert min(map(len, texts.values())) > 30
    sounds = {split: set().union(*sounds_of(sorted(found))) for split, found in texts.items()}
    for split in ("val", "test"):
        assert not texts["train"] & texts[split]
        assert not sounds["train"] & sounds[split]
    seeded = {r["text"] for r in near(near_miss_test_clips=120, seed=1)}
    assert seeded != texts["val"] | texts["test"]


def test_counts_and_distances_follow_the_config() -> None:
    assert Counter(r["split"] for r in near()) == {"val": 60, "test": 60}, "evaluation has them by default"
    assert near(near_miss_test_clips=0) == []
    rows = near(near_miss_clips=40, near_miss_shares={1: 0.25, 2: 0.75}, near_miss_test_clips=30)
    trained = Counter(r["phoneme_distance"] for r in rows if r["split"] == "train")
    assert trained == {1: 10, 2: 30}
    assert {r["phoneme_distance"] >= 3 for r in near(near_miss_clips=40) if r["split"] == "train"} == {True}
    tested = Counter(min(r["phoneme_distance"], 3) for r in rows if r["split"] == "test")
    assert tested == {1: 10, 2: 10, 3: 10}
    for shares in ({4: 1.0}, {1: 0.0}):
        with pytest.raises(ConfigError, match="near_miss_shares"):
            config(near_miss_shares=shares)


def test_held_out_engines_speak_them_in_test() -> None:
    pytest.importorskip("hibari", reason="the text-to-speech extra [tts] is not installed")
    rows = near(hold_out=["hibari"], near_miss_clips=20)
    engines = {split: {r["engine"] for r in rows if r["split"] == split} for split in ("train", "val", "test")}
    assert engines == {"train": {"espeak"}, "val": {"espeak"}, "test": {"espeak", "hibari"}}


def test_manifest_shards_and_list_carry_word_and_distance(tmp_path: Path) -> None:
    prepare(config(near_miss_clips=6, near_miss_test_clips=6), tmp_path, runner="local")
    shards = ShardSet.open(tmp_path)
    rows = [r for split in shards.splits for r in shards.table(split).to_pylist() if r["kind"] == "confusable"]
    assert len(rows) == 18
    assert {(r["label"], r["resembles"]) for r in rows} == {("near_miss", "hey_nova")}
    listed = pq.read_table(tmp_path / "confusables.parquet").to_pylist()
    assert sum(row["clips"] for row in listed) == 18
    assert {(r["split"], r["text"], r["phoneme_distance"]) for r in rows} == {
        (r["split"], r["text"], r["phoneme_distance"]) for r in listed
    }
    manifest = pq.read_table(tmp_path / "manifest.parquet").to_pylist()
    assert sorted(r["phoneme_distance"] for r in manifest if r["kind"] == "confusable") == sorted(
        r["phoneme_distance"] for r in rows
    )
    assert all(r["phoneme_distance"] is None and r["resembles"] == "" for r in manifest if r["kind"] != "confusable")


def test_the_dictionary_adds_words_and_is_named_where_it_is_absent() -> None:
    if importlib.util.find_spec("pocketsphinx") is None:
        with pytest.raises(ConfigError, match=r"pip install 'wakeword\[mining\]'"):
            near(pronunciations="cmu")
        return
    texts = {one.text for one in confusables(COMPUTER, [COMPUTER], "cmu", 0)}
    assert {"commuter", "computed"} & texts
    assert not {"computer", "computers", "supercomputer"} & texts
    assert near(pronunciations="cmu") != near()
