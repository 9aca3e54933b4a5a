"""Texts that sound like a phrase, the resemblance of running speech, and the verdict."""

from __future__ import annotations

import pytest

from wakeword.config import WordConfig
from wakeword.data.forecast.running_speech import nearest_stretches, resemblance, running_speech
from wakeword.data.forecast.sound_alikes import sound_alikes
from wakeword.data.forecast.verdict import compared, text_forecast, verdict_on
from wakeword.data.synthesis.pronunciation import sounds_of

pytest.importorskip("espeakng_loader", reason="pronunciations come from espeak")


def sounds(text: str, language: str = "en") -> set[tuple[str, ...]]:
    return sounds_of([text], "espeak", language)[0]


def test_common_and_short_phrases_resemble_running_speech_more() -> None:
    values = [resemblance(sounds(text)) for text in ("over", "water", "hey nova", "computer", "bumblebee wizard")]
    assert values == sorted(values, reverse=True)
    assert resemblance(sounds("guten Morgen", "de"), "de") < resemblance(sounds("und", "de"), "de")


def test_without_sentences_of_a_language_nothing_is_claimed() -> None:
    assert running_speech("sv").phonemes == ()
    assert resemblance(sounds("hej", "sv"), "sv") is None
    assert nearest_stretches(sounds("hej", "sv"), running_speech("sv"), 3) == []


def test_what_a_sentence_says_is_found_in_it() -> None:
    speech = running_speech()
    said = " ".join(speech.words[100:102])
    first = nearest_stretches(sounds(said), speech, 3)[0]
    assert said in first.text
    assert first.cost <= 0.5


def test_sound_alikes_are_usual_words_and_not_the_phrase() -> None:
    pytest.importorskip("pocketsphinx", reason="the dictionary is part of pocketsphinx")
    found = [one.text for one in sound_alikes(sounds("computer"), ("computer",), 20)]
    assert "commuter" in found
    assert "computer" not in found
    pairs = list(sound_alikes(sounds("hey nova"), ("hey", "nova"), 5))
    assert pairs[0].cost <= pairs[-1].cost + 0.5
    assert all(one.share == pytest.approx(one.cost / 6) for one in pairs)


def test_the_verdict_is_the_worst_of_what_is_known() -> None:
    long, short = {tuple("kəmpjutɚ")}, {("oʊ", "k")}
    assert verdict_on(["x"], long, 1.0).word == "unusual"
    assert verdict_on(["x"], long, 2.2).word == "usable"
    assert verdict_on(["x"], long, 1.0, per_hour=50.0, hours=1.0).word == "risky"
    # Minutes of audio say too little.
    assert verdict_on(["x"], long, 1.0, per_hour=50.0, hours=0.05).word == "unusual"
    assert verdict_on(["x"], short, 1.0).word == "risky"
    assert "longer" in verdict_on(["x"], short, 1.0).advice[0]
    said = verdict_on(["x"], long, 1.0, holding=3)
    assert said.word == "risky"
    assert "ordinary speech" in said.reason
    many = verdict_on(["x"] * 10, {tuple("kəmpjutɚ") * 5}, -9.0)
    assert many.word == "unusual"
    assert "shorter" in many.advice[0]


def test_the_line_of_a_recipe() -> None:
    line = text_forecast(WordConfig(label="x", phrase="hey computer"), "en")
    assert line.startswith("forecast: unusual, by its sounds against running speech")
    assert "about as much as" in line
    assert "the nearest in ordinary sentences is" in line
    assert text_forecast(WordConfig(label="x", phrase="ja"), "de").startswith("forecast: risky")
    assert compared(2.18, "hey nova") != "hey nova"
