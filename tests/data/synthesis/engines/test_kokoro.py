"""Kokoro: its styles by language, repeatable samples, and words that a phoneme recogniser hears rightly."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest
import torch

from wakeword.audio.io import resample
from wakeword.data.synthesis import Engine, load_engine
from wakeword.errors import MissingExtraError
from wakeword.phonetics.hama import load_hama

pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
from wakeword.data.synthesis.engines.kokoro import ACCENTS, STYLES, in_alphabet
from wakeword.data.synthesis.espeak import phonemes


@pytest.fixture(scope="module")
def kokoro() -> Engine:
    try:
        return load_engine("kokoro")
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("language", "styles", "accents"),
    [
        ("en", 28, {"en-us", "en-gb"}),
        ("en-us", 20, {"en-us"}),
        ("en-gb", 8, {"en-gb"}),
        ("es", 3, {"es"}),
        ("fr", 1, {"fr-fr"}),
        ("it", 2, {"it"}),
        ("pt", 3, {"pt-br"}),
        ("hi", 4, {"hi"}),
        ("de", 0, set()),
        ("ja", 0, set()),
        ("zh", 0, set()),
    ],
)
def test_styles_speak_their_own_language(kokoro: Engine, language: str, styles: int, accents: set[str]) -> None:
    voices = kokoro.voices(language)
    single = [voice for voice in voices if len(voice.speakers) == 1]
    assert len(single) == styles
    assert kokoro.speaks(language) == bool(styles)
    assert {voice.accent for voice in voices} == accents
    for voice in single:
        assert voice.accent == ACCENTS[voice.name[0]]
        assert voice.gender == ("female" if voice.name[1] == "f" else "male")
    mixed = [voice for voice in voices if len(voice.speakers) > 1]
    assert len(mixed) <= styles // 2
    assert len({who for voice in mixed for who in voice.speakers}) == 2 * len(mixed), "a style is in one blend at most"
    assert all(len({who[:2] for who in voice.speakers}) == 1 for voice in mixed), "blends keep to an accent and gender"


def test_the_styles_are_shipped_with_their_notice() -> None:
    folder = resources.files("wakeword.data.synthesis.engines")
    with (folder / STYLES).open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        assert len(archive.files) == 54
        assert all(archive[name].shape == (160, 256) for name in archive.files)
    assert "Apache License 2.0" in (folder / "kokoro.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "accent", "letters"),
    [
        ("jarvis", "en-us", "ʤˈɑɹvɪs"),
        ("jarvis", "en-gb", "ʤˈɑːvɪs"),
        ("hey nova", "en-us", "hˈA nˈOvə"),
        ("bird", "en-us", "bˈɜɹd"),
        ("boat", "en-gb", "bˈQt"),
        ("chico", "es", "ʧˈiko"),
    ],
)
def test_ipa_becomes_the_letters_of_the_model(kokoro: Engine, text: str, accent: str, letters: str) -> None:
    assert in_alphabet(phonemes([text], accent)[0], accent) == letters


def test_a_reading_is_in_the_accent_of_the_language(kokoro: Engine) -> None:
    assert kokoro.reading("jarvis") == "dʒˈɑːɹvɪs"
    assert kokoro.reading("jarvis", "en-gb") == "dʒˈɑːvɪs"
    assert kokoro.reading("hola", "es") == "ˈola"


def test_equal_requests_give_equal_samples_and_the_recogniser_hears_the_phrase(kokoro: Engine) -> None:
    network, tokens = load_hama()
    for voice, text, sounds in (
        ("bf_isabella", "jarvis", "d͡ʒɑvɪs"),
        ("af_bella+af_heart", "jarvis", "d͡ʒɑɹvɪs"),
    ):
        audio, rate_hz = kokoro.speak(text, voice, 1.0, 0.0, 0)
        again, _ = load_engine("kokoro").speak(text, voice, 1.0, 0.0, 0)
        assert np.array_equal(audio, again)
        padded = np.pad(resample(audio, rate_hz), 4_800).astype(np.float32)
        best = network(torch.from_numpy(padded)[None])[0].argmax(-1).unique_consecutive().tolist()
        assert "".join(tokens[i] for i in best if not tokens[i].startswith("<")) == sounds
