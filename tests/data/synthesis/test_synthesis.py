"""Spoken clips: deterministic plans, disjoint voices, real engines, and every option with its effect."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wakeword.audio.io import level_dbfs, read_audio, resample
from wakeword.config import Config, validate_config
from wakeword.config.data import SplitConfig
from wakeword.data.prepare import prepare
from wakeword.data.shards import ShardSet
from wakeword.data.synthesis import ENGINES, espeak_data, load_engine, roster
from wakeword.data.synthesis.plan import plan_utterances
from wakeword.data.synthesis.roster import cast_voices
from wakeword.data.synthesis.sentences import draw_text, sentences
from wakeword.data.synthesis.stage import trimmed
from wakeword.data.words import holds
from wakeword.errors import ConfigError, DataError, MissingExtraError

pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
SMALL = {
    "enabled": True,
    "engines": {"espeak": 1.0},
    "hold_out": [],
    "clips_per_word": 14,
    "speech_clips": 14,
    "near_miss_test_clips": 0,
    "noises": 3,
    "rooms": 0,
}


def config(phrase: str = "hey nova", **synthesis: Any) -> Config:
    words = [{"label": "word", "phrase": phrase}]
    return validate_config({"words": words, "synthesis": {**SMALL, **synthesis}})


def planned(**synthesis: Any) -> list[dict[str, Any]]:
    return plan_utterances(config(**synthesis)).to_pylist()


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("spoken")
    prepare(config(), out, runner="local")
    return out


def test_a_phrase_becomes_shards_of_speech(spoken: Path) -> None:
    shards = ShardSet.open(spoken)
    rows = [row for split in shards.splits for row in shards.table(split).to_pylist()]
    words = [row for row in rows if row["kind"] == "wakeword"]
    assert len(words) == 14
    for row in words:
        assert row["synthetic"]
        assert row["text"] == "hey nova"
        assert row["speaker"].startswith("espeak:")
        assert row["accent"] in espeak_data.ENGLISH_ACCENTS
        assert 0.4 < row["duration_s"] < 2.5
        assert 0.25 < row["word_end_s"] - row["word_start_s"] < 1.6
        assert -35 < row["peak_level_dbfs"] < -15
    speech = [row for row in rows if row["kind"] == "speech"]
    assert len(speech) == 14
    assert not any(holds(row["text"], "hey nova") for row in speech)
    by_split = {s: {r["speaker"] for r in rows if r["split"] == s and r["speaker"]} for s in shards.splits}
    assert not by_split["train"] & by_split["test"]
    assert not by_split["train"] & by_split["val"]


def test_speaking_again_takes_what_is_there(spoken: Path) -> None:
    files = {path: path.stat().st_mtime_ns for path in (spoken / "synthetic").rglob("*.flac")}
    assert len(files) == 28 + 3
    expected = ShardSet.open(spoken).table("train").column("clip_id").to_pylist()
    (spoken / "index.json").unlink()
    next(path for path in files if "espeak" in path.parts).unlink()
    prepare(config(), spoken, runner="local")
    after = {path: path.stat().st_mtime_ns for path in (spoken / "synthetic").rglob("*.flac")}
    assert sum(after[path] != stamp for path, stamp in files.items()) == 1
    assert ShardSet.open(spoken).table("train").column("clip_id").to_pylist() == expected


def test_a_cache_folder_is_shared_by_prepared_folders(tmp_path: Path) -> None:
    options = {"cache_dir": str(tmp_path / "cache"), "speech_clips": 0, "noises": 0}
    prepare(config(**options), tmp_path / "one", runner="local")
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.flac")}
    assert len(files) == 14
    assert not (tmp_path / "one" / "synthetic").exists()
    prepare(config(**options), tmp_path / "two", runner="local")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.flac")} == files
    with pytest.raises(ConfigError, match=r"synthesis\.enabled"):
        prepare(config(enabled=False), tmp_path / "none", runner="local")


def test_what_is_planned_follows_the_config() -> None:
    def count(kind: str, **options: Any) -> int:
        return sum(row["kind"] == kind for row in planned(**options))

    assert count("wakeword", clips_per_word=31) == 31
    assert count("speech", speech_clips=17) == 17
    assert all(0.5 <= row["rate"] <= 0.6 for row in planned(rates=(0.5, 0.6)))
    assert all(3 <= row["pitch"] <= 4 for row in planned(pitch_semitones=(3, 4)))
    assert planned() == planned()
    assert planned(seed=1) != planned()


def test_noises_and_rooms_are_made(tmp_path: Path) -> None:
    options = {"clips_per_word": 7, "speech_clips": 4, "noises": 7, "rooms": 2}
    summary = prepare(config(**options), tmp_path / "out", runner="local")
    assert summary.clips(kind="noise") == 7
    assert summary.clips(kind="rir") == 2


def test_held_out_engines_speak_only_in_test() -> None:
    pytest.importorskip("hibari", reason="the text-to-speech extra [tts] is not installed")
    rows = planned(clips_per_word=100, hold_out=["hibari"])
    assert {row["split"] for row in rows if row["engine"] == "hibari"} == {"test"}
    assert {row["engine"] for row in rows if row["split"] == "train"} == {"espeak"}
    tested = [row["engine"] for row in rows if row["split"] == "test"]
    assert 0 < tested.count("hibari") < len(tested)
    with pytest.raises(ConfigError, match="cannot be trained on and held out"):
        config(hold_out=["espeak"])
    with pytest.raises(DataError, match="too few voices to give val"):
        planned(engines={"hibari": 1.0}, hold_out=[])


def test_no_speaker_is_in_two_splits() -> None:
    engines = {"espeak": 1.0, "kokoro": 1.0, "piper": 1.0}
    try:
        casts = cast_voices(config(engines=engines).synthesis, SplitConfig())
    except MissingExtraError as error:
        pytest.skip(str(error))
    speakers = {
        split: {(spec, who) for spec, voices in cast.voices.items() for voice in voices for who in voice.speakers}
        for split, cast in casts.items()
    }
    assert not speakers["train"] & speakers["val"]
    assert not speakers["train"] & speakers["test"]
    assert not speakers["val"] & speakers["test"]
    assert ("piper", "en_US-joe-medium") in speakers["train"], "an engine with one voice serves training"
    mixed = [voice for voice in casts["train"].voices["kokoro"] if len(voice.speakers) == 2]
    assert 3 < len(mixed) < len(casts["train"].voices["kokoro"]) / 2, "blends are further speakers, used sparingly"
    assert speakers["val"], "val has styles of its own"


def test_sentences_are_many_and_never_hold_the_phrase() -> None:
    assert len(set(sentences())) >= 300
    draw = np.random.default_rng(0)
    texts = [draw_text(draw, ["turn on", "the"]) for _ in range(300)]
    assert not any(holds(text, "turn on") or holds(text, "the") for text in texts)
    assert len(set(texts)) > 200
    assert max(len(draw_text(draw, ["x"], short=True).split()) for _ in range(100)) <= 5


@pytest.mark.parametrize(
    ("name", "genders", "accents"),
    [
        ("espeak", {"female", "male", None}, set(espeak_data.ENGLISH_ACCENTS)),
        ("hibari", {"female"}, {"en-us"}),
        ("piper", {"male"}, {"en-us"}),
        ("pico", {"female"}, {"en-us", "en-gb"}),
        ("kokoro", {"female", "male"}, {"en-us", "en-gb"}),
    ],
)
def test_voices_tell_what_is_known_of_them(name: str, genders: set[str | None], accents: set[str | None]) -> None:
    try:
        voices = load_engine(name).voices()
    except MissingExtraError as error:
        pytest.skip(str(error))
    assert {voice.gender for voice in voices} == genders
    assert {voice.accent for voice in voices} == accents


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_each_engine_speaks(name: str) -> None:
    try:
        engine = load_engine(name)
    except MissingExtraError as error:
        pytest.skip(str(error))
    voice = engine.voices()[0]
    lengths = {}
    # Piper's rhythm is random, so lengths are compared as medians.
    repeats = 1 if engine.slow else 5
    for rate, pitch in ((1.0, 0.0),) if engine.slow else ((1.0, 0.0), (0.7, 0.0), (1.0, 3.0)):
        samples = []
        for seed in range(repeats):
            audio, rate_hz = engine.speak("hey nova", voice.name, rate, pitch, seed)
            assert audio.dtype == np.float32
            assert np.abs(audio).max() <= 1.0
            clip = trimmed(resample(audio, rate_hz))
            assert 0.3 < len(clip) / 16_000 < 3.0
            assert -30 < level_dbfs(clip) < -15
            samples.append(len(clip))
        lengths[rate, pitch] = float(np.median(samples))
    if not engine.slow:
        assert lengths[0.7, 0.0] > 1.1 * lengths[1.0, 0.0], "slower is longer"
        assert abs(lengths[1.0, 3.0] / lengths[1.0, 0.0] - 1) < 0.25, "pitch leaves the rate alone"


def test_espeak_keeps_no_state_between_utterances() -> None:
    engine = load_engine("espeak")
    voices = [voice.name for voice in engine.voices()][::20]
    first = [engine.speak("hey nova", name, 1.1, 1.0, 5)[0] for name in voices]
    again = [engine.speak("hey nova", name, 1.1, 1.0, 5)[0] for name in reversed(voices)]
    for one, two in zip(first, reversed(again), strict=True):
        # espeak reads memory that it never wrote: now and then a clip comes out a few samples longer or shorter.
        # What is spoken once is kept, so that a prepared folder repeats to the byte.
        assert len(two) == pytest.approx(len(one), rel=0.01)
        assert level_dbfs(two) == pytest.approx(level_dbfs(one), abs=0.5)


def test_pico_varies_its_melody_and_repeats_itself() -> None:
    try:
        engine = load_engine("pico")
    except MissingExtraError as error:
        pytest.skip(str(error))
    first, other, again = (engine.speak("hey <nova>", "en-US", 1.0, 0.0, seed)[0] for seed in (1, 2, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_engine_that_is_not_installed_is_left_out_where_that_is_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "ttspico", None)
    roster._loaded.cache_clear()
    engines = {"espeak": 0.5, "pico": 0.5}
    with pytest.raises(MissingExtraError, match=r"pip install 'wakeword\[pico\]'"):
        plan_utterances(config(engines=engines))
    lenient = config(engines=engines, leave_out_missing=True)
    assert {row["engine"] for row in plan_utterances(lenient).to_pylist()} == {"espeak"}
    assert prepare(lenient, tmp_path, runner="local").warnings[0].startswith("the engine pico is left out")
    with pytest.raises(MissingExtraError, match="engine pico needs the extra"):
        plan_utterances(config(engines={"pico": 1.0}, leave_out_missing=True))


def test_clips_keep_a_margin_and_one_level() -> None:
    audio = np.zeros(48_000, np.float32)
    audio[20_000:30_000] = 0.02 * np.sin(np.arange(10_000) / 5)
    clip = trimmed(audio)
    assert len(clip) == pytest.approx(10_000 + 2 * 3_200, abs=20)
    assert level_dbfs(clip) == pytest.approx(-23, abs=0.1)
    for silence in (np.zeros(100, np.float32), np.zeros(0, np.float32)):
        with pytest.raises(ValueError, match="silence"):
            trimmed(silence)


def test_unknown_and_missing_engines_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no engine 'festivall'"):
        load_engine("festivall")
    with pytest.raises(DataError, match="needs the files"):
        load_engine(f"piper:{tmp_path}/absent.onnx")
    code = (
        "import sys; sys.modules['espeakng_loader'] = None\n"
        "from wakeword.data.synthesis import load_engine\n"
        "from wakeword.errors import MissingExtraError\n"
        "try: load_engine('espeak')\n"
        "except MissingExtraError as error: print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'wakeword[tts]'" in result.stdout


def test_spoken_files_are_16_khz_flac(spoken: Path) -> None:
    path = next((spoken / "synthetic" / "espeak").rglob("*.flac"))
    assert path.read_bytes()[:4] == b"fLaC"
    assert len(read_audio(path)) > 4_000
