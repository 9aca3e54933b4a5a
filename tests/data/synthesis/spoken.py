"""Small recipes of one spoken word in any language."""

from __future__ import annotations

from typing import Any

from wakeword.config import Config, validate_config
from wakeword.data.synthesis.plan import plan_utterances

SMALL = {"clips_per_word": 14, "speech_clips": 14, "near_miss_test_clips": 6, "noises": 0, "rooms": 0}


def config(phrase: str = "hallo Schätzchen", language: str = "de", **synthesis: Any) -> Config:
    """A recipe that espeak alone speaks; `synthesis` are fields of its section."""
    options = {"enabled": True, "engines": {"espeak": 1.0}, "hold_out": [], **SMALL, **synthesis}
    words = [{"label": "word", "phrase": phrase}]
    return validate_config({"words": words, "synthesis": {"language": language, **options}})


def rows_of(made: Config, kind: str) -> list[dict[str, Any]]:
    """What is planned to be spoken of one kind."""
    return [row for row in plan_utterances(made).to_pylist() if row["kind"] == kind]
