"""`wakeword new PHRASE`: phrases to labels and recipes."""

from __future__ import annotations

from pathlib import Path

import pytest

from wakeword.cli.main import main
from wakeword.cli.new import label_of
from wakeword.config import load_config


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
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_that_is_there_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("precious")
    assert main(["new", "hey nova", "--out", str(path)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert path.read_text() == "precious"
    assert main(["new", "hey nova", "--out", str(path), "--force"]) == 0
    assert load_config(path).words[0].label == "hey_nova"


def test_another_alphabet_with_a_label(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    assert main(["new", "привет", "--label", "privet", "--out", str(path)]) == 0
    assert load_config(path).words[0].text == "привет"
