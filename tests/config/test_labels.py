"""One rule for labels: what it makes of text, that it settles, and that every door to the product uses it."""

from __future__ import annotations

import csv
import io
import re
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.corpus import config_for
from wakeword.config import WordConfig
from wakeword.config.labels import fold, label_of, word_of
from wakeword.config.packaged import recipe_for
from wakeword.data.manifest import clip_row, clip_table
from wakeword.data.sources.csv_manifest import validated
from wakeword.data.sources.layouts import Layout, Name, name_of
from wakeword.data.words import with_named_words
from wakeword.errors import ConfigError

LATIN = {
    "hey nova": "hey_nova",
    "  Hey,  Nova! ": "hey_nova",
    "hey-nova": "hey_nova",
    "hey__nova_": "hey_nova",
    "Hey Schätzchen": "hey_schatzchen",
    "Weißt du, Straße": "weisst_du_strasse",
    "STRASSE": "strasse",
    "Bjørn": "bjorn",
    "Łódź": "lodz",
    "Ærø": "aero",
    "ŒUVRE": "oeuvre",
    "Đặng Þór": "dang_thor",
    "Eyjafjallajökull, Guðrún": "eyjafjallajokull_gudrun",
    "İstanbul": "istanbul",
    "ISPARTA": "isparta",
    "ısparta": "isparta",
    "Ħal Għargħur": "hal_gharghur",
    "Hey\u00a0Nova": "hey_nova",
    "Hey\u2028Nova": "hey_nova",
    "ＨＥＹ　ＮＯＶＡ": "hey_nova",
    "ﬁne": "fine",
    "what's up": "whats_up",
    "what\u2019s up": "whats_up",
    "route 66": "route_66",
    "route ٦٦": "route_66",
    "hey\u00adnova": "heynova",
}
OTHER = {
    "Привет, Алиса!": "привет_алиса",
    "ПРИВЕТ": "привет",
    "你好小智": "你好小智",
    "Γειά σου": "γειά_σου",
    "नमस्ते": "नमस्ते",
    "がんば": "がんば",
    "안녕": "안녕",
    "Hey Алиса": "hey_алиса",
    "🎤 !": "",
    "": "",
}
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)


@pytest.mark.parametrize(("text", "label"), [*LATIN.items(), *OTHER.items()])
def test_text_becomes_a_label(text: str, label: str) -> None:
    for form in ("NFC", "NFD"):
        assert fold(unicodedata.normalize(form, text)) == unicodedata.normalize("NFC", label)


@pytest.mark.parametrize(("text", "label"), LATIN.items())
def test_a_word_gets_this_label(text: str, label: str) -> None:
    assert label_of(text) == label
    assert WordConfig(label=label_of(text), phrase=text).label == label


@pytest.mark.parametrize("text", ["Привет", "你好小智", "Hey Алиса", "12", "", "🎤"])
def test_a_word_whose_letters_are_not_latin_needs_a_label_of_its_own(text: str) -> None:
    with pytest.raises(ConfigError, match="give one with --label"):
        label_of(text)


def test_every_character_settles_at_once_whatever_its_case() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character) in ("Cs", "Cn", "Co"):
            continue
        folded = fold(character)
        assert fold(folded) == folded, hex(code)
        assert fold(character.upper()) == fold(character.lower()) == folded, hex(code)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_folding_again_changes_nothing(text: str) -> None:
    label = fold(text)
    assert fold(label) == label
    assert fold(text.upper()) == fold(text.lower()) == label
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text)) == label
    assert not re.search(r"[A-Z\s]|__|^_|_$", label)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_new_folders_and_csv_make_the_same_label(text: str) -> None:
    words = [WordConfig(label="marvin")]
    folder = text.replace("/", " ")
    label = fold(folder)
    try:
        assert label_of(folder) == label
    except ConfigError:
        assert not re.search("[a-z]", label) or not label.isascii()
    sink = io.StringIO()
    csv.writer(sink).writerow(["a.wav", "wakeword", folder])
    cells = next(csv.reader(io.StringIO(sink.getvalue(), newline="")))
    config = config_for("m.csv").data.sources[0]
    row, fault = validated(cells, ["path", "kind", "label"], config, "m.csv")
    assert row["label"] == label if label else fault == ("no_label", "a wake word needs a label")
    # Names that say something else (`wakeword`, `train`) are no labels.
    if label and name_of(folder, words) == Name():
        assert Layout("recordings", [("marvin",), (folder,)], None, words).place((folder,)).label == label


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Hey Schätzchen", "hey_schatzchen"),
        ("hey_schatzchen", "hey_schatzchen"),
        ("HEY-SCHA\u0308TZCHEN", "hey_schatzchen"),
        ("Привет, Алиса", "alice"),
        ("привет алиса!", "alice"),
        ("Alice", "alice"),
        ("你好 小智", ""),
        ("你好小智", "xiaozhi"),
        ("hey", ""),
        ("", ""),
        ("🎤", ""),
    ],
)
def test_a_text_names_a_word_by_label_or_phrase(text: str, word: str) -> None:
    words = [
        WordConfig(label="hey_schatzchen", phrase="Hey Schätzchen"),
        WordConfig(label="alice", phrase="Привет, Алиса!"),
        WordConfig(label="xiaozhi", phrase="你好小智"),
    ]
    assert word_of(text, words) == word
    table = with_named_words(clip_table([clip_row(clip_id="a", label=text)]), words)
    assert table.column("label").to_pylist() == [word or fold(text)]


def test_a_label_comes_before_another_words_phrase() -> None:
    words = [WordConfig(label="one", phrase="two"), WordConfig(label="two", phrase="three")]
    assert [word_of(text, words) for text in ("one", "two", "Three")] == ["one", "two", "two"]


def test_a_folder_of_the_recipe_that_new_writes_is_its_word(tmp_path: Path) -> None:
    phrase = "Hey Schätzchen"
    tree = recipe_for(phrase, label_of(phrase))
    words = [WordConfig(**word) for word in tree["words"]]
    assert Layout("own", [(phrase,)], None, words).place((phrase,)).label == "hey_schatzchen"
