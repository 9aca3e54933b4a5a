"""What holds a word: texts and labels compared as labels are, in scripts with and without spaces."""

from __future__ import annotations

import unicodedata

import pytest

from wakeword.config import WordConfig
from wakeword.data.manifest import clip_row, clip_table
from wakeword.data.words import assign_words, holds


@pytest.mark.parametrize(
    ("text", "phrase", "held"),
    [
        ("Hey, Nova! What's up?", "hey nova", True),
        ("they novas", "hey nova", False),
        ("sag_hey_schatzchen", "Hey Schätzchen", True),
        (unicodedata.normalize("NFD", "Na, hey Schätzchen."), "Hey Schätzchen", True),
        ("WHATS UP", "what\u2019s up", True),
        ("Ну привет, Алиса.", "привет алиса", True),
        ("今天你好小智请开灯", "你好小智", True),
        ("你好小知", "你好小智", False),
        ("สวัสดีโนวาครับ", "สวัสดีโนวา", True),
        ("anything", "", False),
        ("", "hey nova", False),
    ],
)
def test_a_text_holds_a_phrase(text: str, phrase: str, held: bool) -> None:
    assert holds(text, phrase) is held


def test_transcripts_and_lists_that_hold_a_word_are_left_out() -> None:
    words = [WordConfig(label="hey_schatzchen", phrase="Hey Schätzchen"), WordConfig(label="nihao", phrase="你好小智")]
    rows = [
        {"text": "nun hey schatzchen komm"},
        {"text": "今天你好小智请开灯"},
        {"contains": "Hey-Schätzchen; other"},
        {"label": "hey_schatzchen"},
        {"text": "guten Tag"},
    ]
    table = clip_table(clip_row(clip_id=str(i), kind="speech", **row) for i, row in enumerate(rows))
    kept, left_out = assign_words(table, words)
    assert kept.column("clip_id").to_pylist() == ["4"]
    assert {row["reason"] for row in left_out} == {"contains_word"}
