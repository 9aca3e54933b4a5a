"""Speech in other languages: its exact share, by voices of those languages, and never by a voice of another split."""

from __future__ import annotations

from collections import Counter

import pyarrow.parquet as pq
import pytest

from tests.data.synthesis.spoken import config
from wakeword.data.prepare import prepare
from wakeword.data.shards import ShardSet
from wakeword.errors import ConfigError

pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
from wakeword.data.synthesis.languages import base_of
from wakeword.data.synthesis.other_languages import other_languages, unspoken_languages
from wakeword.data.synthesis.plan import plan_identity, plan_utterances
from wakeword.data.synthesis.sentences import sentences

OTHERS = {"other_languages": ["es", "fr", "de"], "other_language_share": 0.3}


def planned(language: str = "en", **options):
    return plan_utterances(config("hey nova", language, **options)).to_pylist()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.75])
def test_the_share_is_exact_and_the_languages_take_turns(share) -> None:
    rows = list(planned(speech_clips=140, **{**OTHERS, "other_language_share": share}))
    spoken = [row for row in rows if row["kind"] == "speech" and row["split"] == "train"]
    counts = Counter(base_of(row["language"]) for row in spoken)
    others = [counts[tag] for tag in ("es", "fr", "de")]
    assert sum(others) == int(share * len(spoken) + 1e-9)
    assert max(others) - min(others) <= 1
    assert {row["language"] for row in rows if row["kind"] != "speech"} == {"en"}


def test_each_text_and_voice_is_of_its_language() -> None:
    words = {tag: {word for line in sentences(tag) for word in line.split()} for tag in ("es", "fr", "de")}
    for row in planned(speech_clips=60, **OTHERS):
        if row["language"] in words:
            assert base_of(row["accent"]) == row["language"]
            known = sum(word.strip(",") in words[row["language"]] or word in words[row["language"]]
                        for word in row["text"].split())  # fmt: skip
            assert known >= 0.7 * len(row["text"].split())


def test_a_speaker_is_in_one_split_in_all_languages() -> None:
    homes: dict[str, set[str]] = {}
    for row in planned(speech_clips=300, negative_hours=0.1, hold_out=["espeak/8"], **OTHERS):
        homes.setdefault(row["speaker"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in homes.values())


def test_the_hours_of_negatives_have_their_share() -> None:
    rows = [row for row in planned(negative_hours=0.2, **OTHERS) if ":negatives:" in row["key"]]
    for split in ("val", "test"):
        own = [row["language"] != "en" for row in rows if row["split"] == split]
        assert sum(own) == int(0.3 * len(own) + 1e-9)


def test_the_own_language_is_skipped() -> None:
    assert {row["language"] for row in planned("de", speech_clips=60, **OTHERS)} == {"de", "es", "fr"}


def test_a_language_that_no_engine_speaks_is_left_out_with_a_warning() -> None:
    pytest.importorskip("piper", reason="the text-to-speech extra [tts] is not installed")
    made = config("hey nova", "en", engines={"espeak": 0.5, "piper": 0.5}, **OTHERS)
    alone = config("hey nova", "en", engines={"piper": 1.0}, **OTHERS)
    assert unspoken_languages(made.synthesis, made.data.splits) == []
    assert other_languages(alone.synthesis, alone.data.splits) == []
    warnings = unspoken_languages(alone.synthesis, alone.data.splits)
    assert len(warnings) == len(OTHERS["other_languages"])
    assert warnings[0].startswith("the negatives are not spoken in es: ")


def test_an_unknown_language_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no built-in sentences in 'sv', only in .*fr"):
        planned(other_languages=["sv"])


def test_the_identity_knows_their_engines() -> None:
    own = {"engines": {"espeak": 1.0}, "hold_out": ["kokoro"]}
    assert "kokoro" in plan_identity(config("hej nova", "sv", other_languages=["fr"], **own).synthesis)
    assert "kokoro" not in plan_identity(config("hej nova", "sv", **own).synthesis)


def test_they_are_prepared(tmp_path) -> None:
    made = config("hey nova", "en", clips_per_word=14, speech_clips=20, near_miss_test_clips=0, **OTHERS)
    prepare(made, tmp_path / "out", runner="local")
    rows = ShardSet.open(tmp_path / "out").table("train").to_pylist()
    accents = Counter(base_of(row["accent"]) for row in rows if row["kind"] == "speech")
    assert accents["es"]
    assert accents["fr"]
    assert accents["en"]
    assert not pq.read_table(tmp_path / "out" / "quarantine.parquet").num_rows
