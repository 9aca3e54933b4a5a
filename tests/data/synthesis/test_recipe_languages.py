"""The recipe of `wakeword new` in each language: who trains, who judges, and what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from wakeword.data.synthesis import load_engine
from wakeword.data.synthesis.recipe import make_recipe
from wakeword.errors import MissingExtraError

pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
from wakeword.data.synthesis.languages import matches
from wakeword.data.synthesis.plan import plan_utterances
from wakeword.data.synthesis.roster import held_out
from wakeword.data.synthesis.sentences import sentences

TABLE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "voices.md"
PHRASES = {
    "en": "hey nova",
    "en-gb": "hey nova",
    "es": "hola amigo",
    "fr": "bonjour martin",
    "it": "ciao lucia",
    "de": "hallo computer",
    "pt": "ola amigo",
}


def test_the_table_of_engines_and_languages_is_true() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|((?: \d+ \|)+)$", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {tag for tag, _ in rows} >= {"en-us", "en-gb", "es", "fr", "it", "de", "pt"}
    for name in ("espeak", "pico", "kokoro", "hibari", "piper"):
        try:
            engine = load_engine(name)
        except MissingExtraError:
            continue
        place = ("espeak", "pico", "kokoro", "hibari", "piper").index(name)
        for tag, cells in rows:
            speakers = {who for voice in engine.voices(tag) for who in voice.speakers}
            assert len(speakers) == int(cells.split("|")[place]), f"{name} in {tag}"


@pytest.mark.parametrize("language", PHRASES)
def test_voices_of_the_language_judge_what_others_of_it_were_trained_on(language: str) -> None:
    overrides = ["synthesis.negative_hours=0"]
    try:
        config = make_recipe(PHRASES[language], "word", language, overrides).config
        rows: list[dict[str, Any]] = plan_utterances(config).to_pylist()
    except MissingExtraError as error:
        pytest.skip(str(error))
    speakers = {split: {row["speaker"] for row in rows if row["split"] == split} for split in ("train", "val", "test")}
    unheard = {voice.speaker for voices in held_out(config.synthesis).values() for voice in voices}
    assert not unheard & (speakers["train"] | speakers["val"])
    assert not speakers["test"] & speakers["train"]
    assert len(speakers["test"] & unheard) >= 8
    engines = {who.partition(":")[0] for who in speakers["test"]}
    assert len(engines) >= {"en": 3, "de": 1}.get(language, 2)
    own = [row for row in rows if row["language"] == config.synthesis.language]
    assert all(matches(row["accent"], language) for row in own if row["accent"])
    test = [row for row in rows if row["split"] == "test" and row["kind"] == "confusable"]
    for distance in (1, 2, 3):
        texts = {row["text"] for row in test if min(row["phoneme_distance"], 3) == distance}
        assert len(texts) >= 20, f"{distance}: {sorted(texts)}"
    words = {word for sentence in sentences(language) for word in re.findall(r"\w+", sentence.lower())}
    said = [re.findall(r"\w+", row["text"].lower()) for row in own if row["kind"] == "speech"]
    assert sum(set(text) <= words | {"and"} for text in said) == len(said)
