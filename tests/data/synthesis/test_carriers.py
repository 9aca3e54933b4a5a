"""Wake words within sentences: exact shares, other sentences in evaluation, and the word's place known everywhere."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from wakeword.audio.io import resample, write_flac
from wakeword.config import Config, WordConfig, validate_config
from wakeword.config.data import DataConfig
from wakeword.config.evaluation import EvaluationConfig
from wakeword.config.synthesis import CARRIERS
from wakeword.data.manifest import clip_row, clip_table
from wakeword.data.plan import plan_shards
from wakeword.data.prepare import prepare
from wakeword.data.shard_stage import ShardStage, finished_receipt
from wakeword.data.shards import ShardSet
from wakeword.data.synthesis import load_engine
from wakeword.data.synthesis.carriers import carriers_by_split, joined, parts_of, spoken_bounds
from wakeword.data.synthesis.engine import SpeechError
from wakeword.errors import ConfigError
from wakeword.evaluation.tracks.plan import plan_tracks
from wakeword.stages.in_process import run_stage

pytest.importorskip("espeakng_loader", reason="the text-to-speech extra [tts] is not installed")
from wakeword.data.synthesis.plan import plan_utterances

NOVA = WordConfig(label="hey_nova")
RATE_HZ = 16_000


def config(**synthesis: Any) -> Config:
    small = {"enabled": True, "engines": {"espeak": 1.0}, "hold_out": [], "clips_per_word": 40, "speech_clips": 7}
    small |= {"noises": 0, "rooms": 0, "near_miss_test_clips": 0}
    return validate_config({"words": [{"label": "hey_nova"}], "synthesis": {**small, **synthesis}})


def words(**synthesis: Any) -> list[dict[str, Any]]:
    return [row for row in plan_utterances(config(**synthesis)).to_pylist() if row["kind"] == "wakeword"]


def test_the_share_is_exact_and_splits_have_other_sentences() -> None:
    plain = words()
    assert {row["carrier"] for row in plain} == {""}, "off by default"
    rows = words(carrier_share=0.25)
    for split, count in (("train", 7), ("val", 1), ("test", 1)):
        assert sum(bool(row["carrier"]) for row in rows if row["split"] == split) == count
    assert [{**row, "carrier": ""} for row in rows] == plain, "voices, rates and pitches stay as they were"
    rows = words(carrier_share=1.0, clips_per_word=60)
    carriers = {split: {row["carrier"] for row in rows if row["split"] == split} for split in ("train", "val", "test")}
    assert len(carriers["train"]) == len(CARRIERS) // 2
    assert not carriers["train"] & (carriers["val"] | carriers["test"])
    assert {row["text"] for row in rows} == {"hey nova"}
    assert {row["carrier"] for row in words(carrier_share=1.0, carriers=["{phrase}, go"])} == {"{phrase}, go"}


def test_sentences_that_hold_a_word_are_left_out() -> None:
    stop = WordConfig(label="stop")
    found = carriers_by_split(NOVA, [NOVA, stop], CARRIERS, 0)
    assert not [one for templates in found.values() for one in templates if "stop" in one]
    hey = WordConfig(label="ok_hey")
    assert carriers_by_split(NOVA, [NOVA, hey], ["ok {phrase}", "{phrase}, go"], 0)["train"] == ["{phrase}, go"]
    with pytest.raises(ConfigError, match=r"each of the 1 sentences holds a configured word beside 'hey nova'"):
        carriers_by_split(NOVA, [NOVA, stop], ["{phrase}, stop"], 0)
    for wrong in ("go", "{phrase}", "{phrase} and {phrase}", "{phrase}, !"):
        with pytest.raises(ConfigError, match="is no sentence with one"):
            config(carriers=[wrong])
    with pytest.raises(ConfigError, match="carriers is empty"):
        config(carriers=[], carrier_share=0.1)


def test_a_sentence_is_split_into_parts() -> None:
    assert parts_of("ok, {phrase}, set a timer", "nova") == ("ok,", "nova,", "set a timer")
    assert parts_of("thank you, {phrase}", "nova") == ("thank you,", "nova", "")
    assert parts_of("{phrase}. Go!", "nova") == ("", "nova,", "Go")


def tone(seconds: float, level: float = 0.2, before_s: float = 0.3, after_s: float = 0.4) -> np.ndarray:
    sound = level * np.sin(np.arange(round(seconds * RATE_HZ)) * 0.7)
    quiet = [np.zeros(round(s * RATE_HZ)) for s in (before_s, after_s)]
    return np.concatenate([quiet[0], sound, quiet[1]]).astype(np.float32)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("edge_s", [0.0, 0.3])
def test_the_place_of_a_part_is_known_to_the_frame(place: int, edge_s: float) -> None:
    seconds, levels = (0.5, 0.8, 0.6), (0.1, 0.2, 0.15)
    parts = [tone(s, level, edge_s, edge_s) for s, level in zip(seconds, levels, strict=True)]
    clip = joined(parts, place, 5, 0.2)
    assert clip.end_s - clip.start_s == pytest.approx(seconds[place], abs=0.025)
    loud_enough = np.abs(clip.audio) > 0.01
    inside = loud_enough[round(clip.start_s * RATE_HZ) : round(clip.end_s * RATE_HZ)]
    assert inside.mean() > 0.9
    edges = np.flatnonzero(np.diff(np.flatnonzero(loud_enough)) > 0.05 * RATE_HZ)
    assert len(edges) == 2, "two pauses"
    spoken_s = (np.flatnonzero(loud_enough)[-1] - np.flatnonzero(loud_enough)[0]) / RATE_HZ
    assert 2 * 0.06 - 0.03 < spoken_s - sum(seconds) < 2 * 0.3 + 0.03
    loud = [np.abs(part).max() for part in np.split(clip.audio, np.flatnonzero(loud_enough)[edges] + 400)]
    assert max(loud) / min(loud) < 1.1, "one loudness"
    np.testing.assert_array_equal(clip.audio, joined(parts, place, 5, 0.2).audio)


def test_a_silent_part_is_named() -> None:
    assert spoken_bounds(tone(0.5))[0] == pytest.approx(0.3 * RATE_HZ, abs=200)
    with pytest.raises(SpeechError, match="silence for a part"):
        joined([tone(0.5), np.zeros(8_000, np.float32)], 0, 1, 0.2)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("carried")
    prepare(config(carrier_share=0.5, clips_per_word=28), out / "one", runner="local")
    return out / "one"


def phrase_alone(row: dict[str, Any], follows: bool) -> np.ndarray:
    """The phrase as the voice of a planned row says it, without the silence around."""
    phrase = "hey nova," if follows else "hey nova"
    audio, rate_hz = load_engine("espeak").speak(phrase, row["voice"], row["rate"], row["pitch"], row["seed"])
    audio = resample(audio, rate_hz)
    return audio[slice(*spoken_bounds(audio))]


def envelope(audio: np.ndarray) -> np.ndarray:
    """Level over 10 ms around each sample."""
    return np.convolve(np.abs(audio), np.ones(160) / 160, "same")


def likeness(audio: np.ndarray, sound: np.ndarray, start: int) -> float:
    """Highest correlation of the envelopes of `sound` and of the audio within 5 ms of a place.

    Not of the samples: espeak reads memory that it never wrote, and the same request then has pulses elsewhere.
    """
    audio, sound, found = envelope(audio), envelope(sound), []
    for at in range(max(0, start - 80), start + 80):
        piece = audio[at : at + len(sound)]
        found.append(np.corrcoef(piece, sound[: len(piece)])[0, 1])
    return float(max(found))


def test_prepared_clips_hold_the_phrase_where_they_say(spoken: Path) -> None:
    planned = {row["key"]: row for row in words(carrier_share=0.5, clips_per_word=28)}
    shards = ShardSet.open(spoken)
    rows = [row for split in shards.splits for row in shards.table(split).to_pylist() if row["kind"] == "wakeword"]
    carried = [row for row in rows if row["carrier"]]
    assert len(rows) == 28
    assert len(carried) == 14
    likely = []
    for row in carried:
        assert row["text"] == "hey nova"
        assert row["contains"] == ""
        assert row["carrier"] == planned[row["clip_id"]]["carrier"]
        audio = np.frombuffer(row["audio"], "<i2") / 32768.0
        sound = phrase_alone(planned[row["clip_id"]], not row["carrier"].endswith("{phrase}"))
        assert row["word_end_s"] - row["word_start_s"] == pytest.approx(len(sound) / RATE_HZ, abs=0.02)
        likely.append(likeness(audio, sound, round(row["word_start_s"] * RATE_HZ)))
        assert row["duration_s"] - (row["word_end_s"] - row["word_start_s"]) > 0.45, "there is speech beside it"
    # A place that is 0.03 s off gives 0.6, one that is 0.1 s off less than 0.
    assert np.median(likely) > 0.98
    assert min(likely) > 0.6
    manifest = pq.read_table(spoken / "manifest.parquet").to_pylist()
    assert {row["clip_id"] for row in manifest if row["carrier"]} == {row["clip_id"] for row in carried}


def test_evaluation_places_the_word_there(spoken: Path) -> None:
    planned = {row["key"]: row for row in words(carrier_share=0.5, clips_per_word=28)}
    quiet = EvaluationConfig(snr_db=(), near=False, far=False, codecs=(), noise_kinds=())
    shards = ShardSet.open(spoken)
    tables = {split: shards.table(split) for split in shards.splits}
    tracks = [t for split in ("val", "test") for t in plan_tracks(tables, split, [NOVA], quiet).tracks]
    carried, likely = {row["clip_id"]: row for row in pq.read_table(spoken / "manifest.parquet").to_pylist()}, []
    for track in (track for track in tracks if track.kind == "positives"):
        audio = np.concatenate(list(track.blocks(RATE_HZ)))
        for truth in (row for row in track.truth if carried[row.clip_id]["carrier"]):
            assert truth.role == "word"
            follows = not carried[truth.clip_id]["carrier"].endswith("{phrase}")
            sound = phrase_alone(planned[truth.clip_id], follows)
            assert truth.end_s - truth.start_s == pytest.approx(len(sound) / RATE_HZ, abs=0.02)
            likely.append(likeness(audio, sound, round(truth.start_s * RATE_HZ)))
    assert len(likely) == 4
    assert np.median(likely) > 0.95


def test_what_is_there_keeps_its_times(spoken: Path, tmp_path: Path) -> None:
    again = config(carrier_share=0.5, clips_per_word=28, cache_dir=str(tmp_path / "cache"))
    shutil.copytree(spoken / "synthetic", tmp_path / "cache")
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.flac")}
    lost = next(path for path in sorted((tmp_path / "cache").rglob("*.json")))
    lost.unlink()
    prepare(again, tmp_path / "two", runner="local")
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.flac")}
    assert {path for path in files if after[path] != files[path]} == {lost.with_suffix(".flac")}
    times = [
        [(row["clip_id"], row["carrier"]) for row in table.to_pylist()]
        + [(row["word_start_s"], row["word_end_s"]) for row in table.to_pylist() if f"{lost.stem}" not in row["uri"]]
        for table in (pq.read_table(folder / "manifest.parquet") for folder in (spoken, tmp_path / "two"))
    ]
    assert times[0] == times[1]


def test_given_times_are_kept_and_impossible_ones_refused(tmp_path: Path) -> None:
    write_flac(tmp_path / "clip.flac", np.concatenate([tone(0.4), tone(0.6)]))
    given = {"kept": (0.3, 0.7), "wrong": (0.3, 9.0), "unknown": (None, None)}
    clips = [
        clip_row(
            clip_id=name, uri=str(tmp_path / "clip.flac"), kind="wakeword", label="nova", split="train", source="mine",
            word_start_s=start_s, word_end_s=end_s,
        )
        for name, (start_s, end_s) in given.items()
    ]  # fmt: skip
    plan = plan_shards(clip_table(clips), DataConfig())
    assert [batch.num_rows for batch in run_stage(ShardStage(DataConfig(), tmp_path), plan)] == [1]
    (planned,) = plan.to_pylist()
    receipt = finished_receipt(tmp_path, planned["name"], planned["plan_hash"])
    assert receipt is not None
    assert [row["reason"] for row in receipt["quarantine"]] == ["wrong_word_times"]
    index = {"splits": {"train": {"shards": [{"file": f"shards/{planned['name']}.arrow"}]}}}
    rows = {row["clip_id"]: row for row in ShardSet(tmp_path, index).table("train").to_pylist()}
    assert (rows["kept"]["word_start_s"], rows["kept"]["word_end_s"]) == (0.3, 0.7)
    assert rows["unknown"]["word_start_s"] == pytest.approx(1.4, abs=0.05), "found by energy: the longer sound"
