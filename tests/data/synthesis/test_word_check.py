"""Clips that do not say their phrase are heard by the phoneme recogniser, left out and counted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from wakeword.audio.io import resample
from wakeword.config import Config, validate_config
from wakeword.data.prepare import prepare
from wakeword.data.synthesis.engine import SpeechError
from wakeword.errors import MissingExtraError

pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
from wakeword.data.synthesis.espeak import Espeak
from wakeword.data.synthesis.plan import plan_utterances
from wakeword.data.synthesis.stage import trimmed
from wakeword.data.synthesis.word_check import WordCheck, checked_words


def config(*phrases: str, **synthesis: Any) -> Config:
    small = {"enabled": True, "engines": {"espeak": 1.0}, "hold_out": [], "clips_per_word": 28, "speech_clips": 0}
    small |= {"noises": 0, "rooms": 0, "near_miss_test_clips": 0}
    words = [{"label": phrase.replace(" ", "_"), "phrase": phrase} for phrase in phrases or ("computer",)]
    return validate_config({"words": words, "synthesis": {**small, **synthesis}})


class Mistaken(Espeak):
    """Every other utterance was not requested."""

    def speak(
        self, text: str, voice: str, rate: float, pitch: float, seed: int, phonemes: str = ""
    ) -> tuple[np.ndarray, int]:
        return super().speak("good morning" if seed % 2 else text, voice, rate, pitch, seed, phonemes)


@pytest.mark.parametrize("carriers", [0.0, 1.0])
def test_clips_that_say_something_else_are_left_out(
    carriers: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wakeword.data.synthesis.espeak.Espeak", Mistaken)
    options = {"cache_dir": str(tmp_path / "cache"), "carrier_share": carriers}
    assert prepare(config(**options), tmp_path / "unchecked", runner="local").clips(kind="wakeword") == 28
    # Clips that are there from a run without the check are listened to as well.
    made = config(check_words=True, **options)
    summary = prepare(made, tmp_path / "checked", runner="local")
    rows = {f"espeak {row['voice']}: computer" for row in plan_utterances(made).to_pylist() if row["seed"] % 2}
    bad = {row["uri"] for row in pq.read_table(tmp_path / "checked" / "quarantine.parquet").to_pylist()}
    assert len(bad & rows) >= 0.9 * len(rows)
    assert len(bad - rows) <= 2
    assert summary.quarantined["wrong_words"] == 28 - summary.clips(kind="wakeword")
    voices = pq.read_table(tmp_path / "checked" / "voices.parquet").to_pylist()
    assert sum(row["clips"] for row in voices if row["reason"] == "wrong_words") == summary.quarantined["wrong_words"]
    assert sum(row["clips"] for row in voices) == 28


def spoken(texts: tuple[str, ...], language: str) -> Iterator[tuple[str, np.ndarray]]:
    engine = Espeak()
    for number, text in enumerate(texts):
        for voice in engine.voices(language)[:: 120 if language == "en" else 30]:
            yield text, trimmed(resample(*engine.speak(text, voice.name, 1.0, 0.0, number)))


@pytest.mark.parametrize(
    ("language", "texts"),
    [("en", ("computer", "alexa", "good morning")), ("es", ("computadora", "hola amigo", "muchas gracias"))],
)
def test_a_phrase_is_told_from_others(language: str, texts: tuple[str, ...]) -> None:
    words, notes = checked_words(config(*texts, language=language))
    assert not notes
    check = WordCheck(words, language)

    def passes(audio: np.ndarray, label: str) -> bool:
        try:
            check(audio, label)
        except SpeechError as error:
            return error.reason != "wrong_words" or "a recogniser heard /" not in str(error)
        return True

    right, wrong = [], []
    for text, audio in spoken(texts, language):
        for other, label in zip(texts, words, strict=True):
            (right if other == text else wrong).append(passes(audio, label))
    assert np.mean(right) > 0.85
    assert np.mean(wrong) < 0.1
    assert not passes(np.zeros(16_000, np.float32), next(iter(words)))


def test_a_word_that_the_recogniser_lacks_sounds_of_is_named() -> None:
    made = config("computer", "nova")
    click = made.words[1].model_copy(update={"phonemes": "\u01c3a"})
    words, notes = checked_words(made.model_copy(update={"words": [made.words[0], click]}))
    assert list(words) == ["computer"]
    assert notes[0].startswith(
        "synthesis.check_words: clips of nova are not checked: the phoneme recogniser hama has no"
    )


def test_without_the_recogniser_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hama", None)
    with pytest.raises(MissingExtraError, match=r"phonetics"):
        prepare(config(check_words=True), tmp_path, runner="local")
