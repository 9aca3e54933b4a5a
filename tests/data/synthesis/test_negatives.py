"""Hours of negatives for val and test: as long as asked, of texts that train does not hear, by fast engines."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.synthesis.spoken import config
from wakeword.data.prepare import prepare
from wakeword.data.shards import ShardSet

pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
from wakeword.data.synthesis.negatives import SPEECH_SHARE, joined_text, judging_sentences
from wakeword.data.synthesis.plan import plan_utterances
from wakeword.data.synthesis.sentences import says, sentences


def negatives(**options):
    rows = plan_utterances(config("hey nova", "en", **options)).to_pylist()
    return [row for row in rows if ":negatives:" in row["key"]]


def test_negatives_are_of_val_and_test_and_grow_with_the_hours() -> None:
    assert negatives() == []
    few, many = negatives(negative_hours=0.1), negatives(negative_hours=0.2)
    assert {row["split"] for row in many} == {"val", "test"}
    assert 1.8 < len(many) / len(few) < 2.2
    assert {(row["kind"], row["label"]) for row in many} == {("speech", "speech")}
    for split in ("val", "test"):
        voices = {row["voice"] for row in many if row["split"] == split}
        assert len(voices) > 5


def test_fast_engines_speak_them() -> None:
    pytest.importorskip("hibari", reason="the text-to-speech extra [tts] is not installed")
    assert {row["engine"] for row in negatives(negative_hours=0.1, hold_out=["hibari"])} == {"espeak"}


@pytest.mark.parametrize("pool", [judging_sentences(), sentences("de"), sentences("zh"), ("ja",)])
def test_texts_are_new_and_without_the_phrase(pool) -> None:
    draw = np.random.default_rng(0)
    texts = {joined_text(draw, pool, ["hey nova"]) for _ in range(50)}
    assert len(texts) == 50 or len(pool) == 1
    assert not texts & set(pool)


def test_the_judging_sentences_are_not_those_of_train() -> None:
    assert len(set(judging_sentences())) > 100
    assert not set(judging_sentences()) & set(sentences())
    word = judging_sentences()[0].split()[0]
    draw = np.random.default_rng(0)
    assert not any(says(joined_text(draw, judging_sentences(), [word]), word) for _ in range(200))


def test_prepared_hours_are_those_of_the_config(tmp_path) -> None:
    hours = 0.05
    made = config("hey nova", "en", negative_hours=hours, clips_per_word=14, speech_clips=14, near_miss_test_clips=0)
    prepare(made, tmp_path / "out", runner="local")
    shards = ShardSet.open(tmp_path / "out")
    for split in ("val", "test"):
        rows = shards.table(split).to_pylist()
        spoken = sum(row["duration_s"] for row in rows if row["kind"] == "speech") / 3600
        noise = [row for row in rows if row["kind"] == "noise"]
        assert spoken == pytest.approx(SPEECH_SHARE * hours, rel=0.35, abs=0.006)
        assert sum(row["duration_s"] for row in noise) / 3600 == pytest.approx((1 - SPEECH_SHARE) * hours, rel=0.3)
        assert all(row["synthetic"] for row in rows)
    assert all(row["kind"] != "noise" for row in shards.table("train").to_pylist())
