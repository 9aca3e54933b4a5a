"""Invented names: a pronunciation or respellings of the user's own reach the engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from wakeword.config import validate_config
from wakeword.data.synthesis import ENGINES, load_engine
from wakeword.data.synthesis.engines import pico
from wakeword.data.synthesis.plan import plan_utterances
from wakeword.data.synthesis.sentences import vocabulary
from wakeword.errors import ConfigError, MissingExtraError

pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
from wakeword.data.synthesis.espeak import Espeak, phonemes


def planned(**word: Any) -> list[dict[str, Any]]:
    synthesis = {"enabled": True, "engines": {"espeak": 1.0}, "hold_out": [], "near_miss_test_clips": 0}
    config = validate_config({"words": [{"label": "xiomi", **word}], "synthesis": {**synthesis, "clips_per_word": 14}})
    return [row for row in plan_utterances(config).to_pylist() if row["kind"] == "wakeword"]


def test_engines_get_what_the_user_wrote() -> None:
    assert {(r["respelling"], r["phonemes"], r["text"]) for r in planned()} == {("", "", "xiomi")}
    spelled = planned(say=["shao mee", "show me"])
    assert {r["respelling"] for r in spelled} == {"shao mee", "show me"}
    assert {r["text"] for r in spelled} == {"xiomi"}, "the manifest names the phrase"
    assert {(r["respelling"], r["phonemes"]) for r in planned(say=["a"], phonemes="ʃˈaʊmi")} == {("", "ʃˈaʊmi")}
    with pytest.raises(ConfigError, match=r"words\.phonemes: 'ɬ'"):
        planned(phonemes="ɬaʊmi")


def test_phonemes_that_no_engine_takes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Espeak, "takes_phonemes", False)
    with pytest.raises(ConfigError, match="none of the engines espeak takes phonemes"):
        planned(phonemes="ʃˈaʊmi")
    assert {(r["respelling"], r["phonemes"]) for r in planned(say=["shao mee"], phonemes="ʃˈaʊmi")} == {
        ("shao mee", "")
    }


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_engines_speak_phonemes(name: str) -> None:
    try:
        engine = load_engine(name)
    except MissingExtraError as error:
        pytest.skip(str(error))
    if not engine.takes_phonemes:
        pytest.skip(f"{name} takes no phonemes")
    voice, ipa = engine.voices()[0].name, phonemes(["hey nova"])[0]
    by_text, _ = engine.speak("hey nova", voice, 1.0, 0.0, 1)
    by_phonemes, _ = engine.speak("x", voice, 1.0, 0.0, 1, ipa)
    longer, _ = engine.speak("x", voice, 1.0, 0.0, 1, f"{ipa} {ipa} {ipa}")
    assert len(by_phonemes) == pytest.approx(len(by_text), rel=0.25)
    assert len(longer) > 1.5 * len(by_phonemes)
    if name in ("espeak", "hibari"):
        # Mostly equal; on one machine 3 % of the samples of espeak differed by up to 0.04, so likeness counts.
        size = min(len(by_phonemes), len(by_text))
        assert np.corrcoef(by_phonemes[:size], by_text[:size])[0, 1] > 0.98


def test_pico_knows_a_sound_for_every_symbol_of_espeak() -> None:
    texts = list(vocabulary())[::7]
    written = [pico.as_x_sampa(ipa) for ipa in phonemes(texts)]
    assert all(text.isascii() for text in written)
    assert pico.as_x_sampa("ɹˈɛdi") == 'r\\\\"Edi:'
    with pytest.raises(ConfigError, match="no sound for"):
        pico.as_x_sampa("ʘa")
    try:
        engine = load_engine("pico")
    except MissingExtraError as error:
        pytest.skip(str(error))
    for voice in engine.voices():
        # A symbol that the engine does not know is left out without a word: the vowel would be missing.
        short = len(engine.speak("", voice.name, 1.0, 0.0, 1, "bt")[0])
        for vowel in (
            "iː",
            "ɪ",
            "ɛ",
            "æ",
            "ɑː",
            "ɔː",
            "ʊ",
            "uː",
            "ʌ",
            "ɜː",
            "eɪ",
            "aɪ",
            "ɔɪ",
            "oʊ",
            "aʊ",
            "ɚ",
            "i",
            "u",
        ):
            assert len(engine.speak("", voice.name, 1.0, 0.0, 1, f"b{vowel}t")[0]) > short, vowel
        for consonant in "bdfghjklmnpstvwzŋθðʃʒɹ":
            alone, with_it = "ɛɛ", f"ɛ{consonant}ɛ"
            spoken = [engine.speak("", voice.name, 1.0, 0.0, 1, ipa)[0] for ipa in (alone, with_it)]
            assert not np.array_equal(*spoken), consonant
