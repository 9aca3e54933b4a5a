"""Other speech: built-in sentences of each language, a user's own, texts without spaces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.data.synthesis.spoken import config, rows_of
from wakeword.data.prepare import prepare
from wakeword.data.synthesis.languages import (
    foreign_letters,
    scripts_of,
)
from wakeword.errors import ConfigError

pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
from wakeword.data.synthesis.espeak import readings
from wakeword.data.synthesis.plan import plan_identity, plan_utterances
from wakeword.data.synthesis.pronunciation import split_ipa
from wakeword.data.synthesis.sentences import built_in_languages, draw_text, says, sentences


def test_built_in_sentences_are_read_in_their_language() -> None:
    assert built_in_languages() == ["de", "en", "es", "fr", "it", "nl", "pt", "ru", "zh"]
    for language in built_in_languages():
        texts = sentences(language)
        assert len(set(texts)) == len(texts) >= 40
        for text, ipa in zip(texts, readings(texts, language), strict=True):
            assert not foreign_letters(text, scripts_of(language))
            assert len(split_ipa(ipa, language)) >= 2, text
    assert {row["text"] for row in rows_of(config(), "speech")} - set(sentences("de")) != set()


def test_sentences_of_a_file_are_spoken(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("\ufeffgod morgon allihopa\n\nvar är min bok\nhej nova kom hit\n", encoding="utf-8")
    with_file = config("hej nova", "sv", sentences=str(path))
    texts = {row["text"] for row in rows_of(with_file, "speech")}
    assert texts
    assert not any(says(text, "hej nova") for text in texts)
    lines = "god morgon allihopa var är min bok hej nova kom hit"
    assert {word for text in texts for word in text.replace(",", "").split()} <= set(lines.split())
    assert "and" not in " ".join(texts).split()
    before = plan_identity(with_file.synthesis)
    path.write_text("en annan mening\n", encoding="utf-8")
    assert plan_identity(with_file.synthesis) != before
    path.write_text("hej nova\nsäg hej nova nu\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"every line of .*mine\.txt holds a wake word"):
        plan_utterances(with_file)
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="is empty: write a sentence a line"):
        plan_utterances(with_file)
    with pytest.raises(ConfigError, match=r"synthesis\.sentences: .*absent\.txt cannot be read"):
        plan_utterances(config("hej nova", "sv", sentences=str(tmp_path / "absent.txt")))
    path.write_bytes(b"\xff\xfe\x00d")
    with pytest.raises(ConfigError, match="is no UTF-8 text"):
        plan_utterances(with_file)


def test_a_text_without_spaces_holds_a_phrase_within_it() -> None:
    assert says("请问小爱同学在吗", "小爱同学")
    assert not says("小爱不是同学", "小爱同学")
    assert not says("computers", "computer")
    draw = np.random.default_rng(0)
    texts = {draw_text(draw, ["现在"], pool=sentences("zh")) for _ in range(60)}
    assert len(texts) > 40
    assert not any("现在" in text for text in texts)
    assert max(len(draw_text(draw, ["现在"], True, sentences("zh"))) for _ in range(40)) <= 5


def test_english_sentences_in_other_voices_are_warned_of(tmp_path: Path) -> None:
    made = config("hej nova", "sv", clips_per_word=7, speech_clips=2, near_miss_test_clips=2)
    (note, *_) = prepare(made, tmp_path, runner="local").warnings
    assert note.startswith("synthesis.sentences is empty and there are no built-in sentences in sv (only in de, en, es")
    near = {row["text"] for row in rows_of(made, "confusable")}
    assert near
    assert not near & set(sentences()), "near misses are not taken from English"
