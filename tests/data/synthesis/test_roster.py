"""Turns: engines by weight, everyone equally often, ranges filled; warnings about voices without clips."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from wakeword.config import Config, validate_config
from wakeword.data.prepare import prepare
from wakeword.data.synthesis import load_engine
from wakeword.errors import ConfigError, MissingExtraError

pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
from wakeword.data.synthesis.plan import plan_utterances
from wakeword.data.synthesis.roster import Cast, Deal, cast_voices, held_out

KINDS = ("wakeword", "speech", "confusable")


def config(**synthesis: Any) -> Config:
    return validate_config({"words": [{"label": "hey_nova"}], "synthesis": {"enabled": True, **synthesis}})


@pytest.fixture(scope="module")
def everyone() -> Config:
    """The engines that a config names by default: four of them, one held out."""
    made = config()
    for spec in (*made.synthesis.engines, *made.synthesis.hold_out):
        try:
            load_engine(spec)
        except MissingExtraError as error:
            pytest.skip(str(error))
    return made


def groups(made: Config) -> list[tuple[Cast, list[dict[str, Any]]]]:
    casts = cast_voices(made.synthesis, made.data.splits)
    rows = plan_utterances(made).to_pylist()
    found = [
        (casts[split], [row for row in rows if (row["kind"], row["split"]) == (kind, split)])
        for kind in KINDS
        for split in casts
    ]
    return [(cast, rows) for cast, rows in found if rows]


def test_engines_come_by_their_weights(everyone: Config) -> None:
    made = groups(everyone)
    assert len(made) == 8
    for cast, rows in made:
        given, total = Counter(row["engine"] for row in rows), sum(cast.shares.values())
        for spec, share in cast.shares.items():
            assert given[spec] == pytest.approx(len(rows) * share / total, abs=2.5)
            assert given[spec] >= 1, "no engine is forgotten"


def test_everyone_of_an_engine_speaks_equally_often(everyone: Config) -> None:
    for cast, rows in groups(everyone):
        for spec, voices in cast.voices.items():
            turns_of = Counter({voice.speaker: 0 for voice in voices})
            turns_of.update(row["speaker"] for row in rows if row["engine"] == spec)
            assert max(turns_of.values()) - min(turns_of.values()) <= 1
            used = Counter(row["voice"] for row in rows if row["engine"] == spec)
            turns = sum(used.values())
            assert len(used) == min(turns, len(voices)) or max(used.values()) <= np.ceil(turns / len(turns_of))


def test_rates_and_pitches_fill_their_ranges_for_each_engine(everyone: Config) -> None:
    synthesis = everyone.synthesis
    for cast, rows in groups(everyone):
        for spec in cast.shares:
            own = [row for row in rows if row["engine"] == spec]
            if len(own) < 20:
                continue
            for name, limits in (("rate", synthesis.rates), ("pitch", synthesis.pitch_semitones)):
                quarters = np.histogram([row[name] for row in own], 4, limits)[0]
                assert quarters.sum() == len(own)
                assert quarters == pytest.approx(len(own) / 4, abs=max(3, 0.15 * len(own) / 4))
            together = np.corrcoef([row["rate"] for row in own], [row["pitch"] for row in own])[0, 1]
            assert abs(together) < 0.35, "fast voices are not the high ones"


def test_more_clips_leave_the_first_ones_as_they_are() -> None:
    small = config(engines={"espeak": 1.0}, hold_out=[], clips_per_word=100, near_miss_test_clips=0)
    large = config(engines={"espeak": 1.0}, hold_out=[], clips_per_word=140, near_miss_test_clips=0)
    before = {row["key"]: row for row in plan_utterances(small).to_pylist()}
    after = {row["key"]: row for row in plan_utterances(large).to_pylist()}
    assert len(after) == len(before) + 40
    assert all(after[key] == row for key, row in before.items())


def test_words_and_seeds_have_orders_of_their_own() -> None:
    made = config(engines={"espeak": 1.0}, hold_out=[])
    cast = cast_voices(made.synthesis, made.data.splits)["train"]

    def turns(seed: int, purpose: str) -> list[object]:
        deal = Deal(config(seed=seed).synthesis, cast, "train", purpose)
        return [deal.next()[0]["voice"] for _ in range(20)]

    assert turns(0, "word:a") == turns(0, "word:a")
    assert len({tuple(turns(*who)) for who in ((0, "word:a"), (0, "word:b"), (1, "word:a"))}) == 3


SPEAK = """
import math, struct, sys, wave
text, voice, out = sys.argv[1:]
if "nova" in text:
    sys.exit("no pronunciation of nova")
count = int(16000 * 0.09 * len(text))
tone = [int((0 if voice == "mute" else 9000) * math.sin(i / 9)) for i in range(count)]
with wave.open(out, "wb") as sound:
    sound.setnchannels(1), sound.setsampwidth(2), sound.setframerate(16000)
    sound.writeframes(struct.pack(f"<{count}h", *tone))
"""


def test_voices_without_clips_are_counted_and_named(tmp_path: Path) -> None:
    (tmp_path / "speak.py").write_text(SPEAK)
    argv = [sys.executable, str(tmp_path / "speak.py"), "{text}", "{voice}", "{out}"]
    commands = {
        "some": {"argv": argv, "voices": ["clear", "mute", "loud", "deep"]},
        "dumb": {"argv": [sys.executable, "-c", "import sys; sys.exit('no model')"], "voices": ["one"]},
    }
    # Tones of one length are copies of each other.
    made = config(
        engines={"espeak": 0.4, "command:some": 0.4, "command:dumb": 0.2}, commands=commands, hold_out=[],
        clips_per_word=30, speech_clips=30, near_miss_test_clips=0, noises=0, rooms=0,
    )  # fmt: skip
    made = validate_config({**made.model_dump(mode="json"), "data": {"quality": {"duplicates": "keep"}}})
    planned = plan_utterances(made).to_pylist()
    summary = prepare(made, tmp_path / "out", runner="local")
    bad = pq.read_table(tmp_path / "out" / "quarantine.parquet").to_pylist()
    assert Counter(row["reason"] for row in bad) == summary.quarantined
    dumb = sum(row["engine"] == "command:dumb" for row in planned)
    some = [row for row in planned if row["engine"] == "command:some"]
    unsaid = sum(row["kind"] == "wakeword" for row in some)
    mute = sum(row["kind"] == "speech" and row["voice"] == "mute" for row in some)
    assert summary.quarantined == {"no_speech": dumb + unsaid, "silence": mute}
    messages = [note for note in summary.warnings if "none of" in note]
    assert len(messages) == 3
    assert messages[0].startswith(f"the engine command:dumb spoke none of {dumb} clips (no_speech: command:dumb ended")
    assert messages[0].endswith("no model)")
    assert messages[1].startswith("the voice mute of command:some spoke none of ")
    assert messages[2].startswith(f"command:some spoke hey_nova in none of {unsaid} clips (no_speech: ")


HELD = {"engines": {"espeak": 0.7, "kokoro": 0.3}, "hold_out": ["hibari", "kokoro/af_bella", "espeak/8"]}


def test_voices_of_a_training_engine_are_held_out_by_name_and_by_number() -> None:
    made = config(clips_per_word=200, **HELD)
    try:
        casts = cast_voices(made.synthesis, made.data.splits)
    except MissingExtraError as error:
        pytest.skip(str(error))
    held = held_out(made.synthesis)
    assert list(held) == ["hibari", "kokoro", "espeak"]
    unheard = {(voice.engine, who) for voices in held.values() for voice in voices for who in voice.speakers}
    assert ("kokoro", "af_bella") in unheard
    assert Counter(spec for spec, _ in unheard) == {"hibari": 1, "kokoro": 1, "espeak": 8}
    seen = {
        split: {(voice.engine, who) for voices in cast.voices.values() for voice in voices for who in voice.speakers}
        for split, cast in casts.items()
    }
    assert unheard <= seen["test"]
    assert not unheard & (seen["train"] | seen["val"])
    assert not seen["test"] & seen["train"]
    rows = [row for row in plan_utterances(made).to_pylist() if row["split"] == "test"]
    tested = Counter((row["engine"], row["speaker"].partition(":")[2]) for row in rows if row["kind"] == "confusable")
    assert len(set(tested) & unheard) == 10, "every held-out voice speaks near misses"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["kokoro/af_nobody"], "kokoro has no speaker 'af_nobody': its speakers are af_alloy"),
        (["piper/en_US-joe-medium"], "leaves piper no voice to train on: name piper in hold_out"),
        (["pico/en-US"], "pico/en-US names voices of an engine that engines does not name: write pico"),
        (["kokoro/0"], "kokoro/0 holds out no voice"),
        (["kokoro", "espeak"], "espeak, kokoro cannot be trained on and held out"),
    ],
)
def test_what_cannot_be_held_out_is_refused(entries: list[str], message: str) -> None:
    engines = {"espeak": 0.4, "kokoro": 0.3, "piper": 0.3}
    try:
        with pytest.raises(ConfigError, match=message):
            held_out(config(engines=engines, hold_out=entries).synthesis)
    except MissingExtraError as error:
        pytest.skip(str(error))


def test_a_number_takes_at_most_half_of_the_voices_and_follows_the_language() -> None:
    def held(language: str, *entries: str) -> dict[str, set[str]]:
        engines = {"espeak": 0.5, "kokoro": 0.5}
        made = config(engines=engines, hold_out=entries, language=language).synthesis
        return {spec: {who for voice in voices for who in voice.speakers} for spec, voices in held_out(made).items()}

    try:
        assert len(held("en", "kokoro/8")["kokoro"]) == 8
        assert len(held("en", "kokoro/100")["kokoro"]) == 14
        assert len(held("es", "kokoro/8")["kokoro"]) == 1
        assert held("fr", "kokoro/8") == {}, "its only French voice is trained on"
        assert held("es", "kokoro/af_bella") == {}, "an English voice has no part in a Spanish recipe"
        assert held("es", "kokoro/em_alex") == {"kokoro": {"em_alex"}}
    except MissingExtraError as error:
        pytest.skip(str(error))
