"""From transcripts to a manifest: cuts say their words, keep speakers and splits, and are the same bytes every time."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.data.corpus import write_manifest
from wakeword.audio.io import read_audio, write_wav
from wakeword.config import Config, validate_config
from wakeword.data.cutting.cut import CutSummary, cut_words_out, find_speech
from wakeword.data.prepare import prepare
from wakeword.data.shards import ShardSet
from wakeword.errors import ConfigError, DataError

pytest.importorskip("transformers", reason="the extra [teachers] (transformers) is not installed")
from tests.data.cutting import tones

SPEECH = (
    ("ann", "train", "bad cab fee"),
    ("ann", "train", "cab dad bad"),
    ("bob", "train", "fee bad dad cab"),
    ("cay", "train", "fee dad"),
    ("dan", "val", "dad bad cab"),
    ("eve", "test", "cab fee bad"),
    ("", "", "bad fee cab"),
)
COLUMNS = ("path", "kind", "label", "speaker", "split", "text", "licence", "age")


def write_tones(folder: Path) -> Path:
    """Speech of tones with transcripts, two clips whose audio is no good, and noise; returns the manifest."""
    rows = []
    for number, (speaker, split, text) in enumerate(SPEECH):
        write_wav(folder / f"{number}.wav", tones.speak(text, number, level=0.1 + 0.02 * number, pause_s=0.08)[0])
        rows.append({"path": f"{number}.wav", "speaker": speaker, "split": split, "text": text, "age": "thirties"})
    (folder / "broken.wav").write_bytes(b"RIFF....WAVE")
    write_wav(folder / "noise.wav", tones.speak("")[0])
    rows += [{"path": name, "speaker": "ann", "split": "train", "text": "bad cab"} for name in ("broken.wav", "no.wav")]
    rows = [{**row, "kind": "speech", "label": "speech", "licence": "CC0-1.0"} for row in rows]
    rows.append({"path": "noise.wav", "kind": "noise", "label": "noise", "text": "bad cab"})
    return write_manifest(folder / "manifest.csv", rows, COLUMNS)


def recipe(manifest: Path, model: Path, **cutting: Any) -> Config:
    source = {"type": "csv", "uri": str(manifest)}
    settings = {"aligner": f"ctc:{model}", "hold_out_parts": False, **cutting}
    data = {"sources": [source], "quality": {"guarded": False}}
    words = [{"label": "bad_cab"}]
    return validate_config({"words": words, "data": data, "cutting": settings, "compute": {"device": "cpu"}})


def cut(config: Config, out_dir: Path) -> CutSummary:
    return cut_words_out(config, find_speech(config), out_dir, runner="local")


def written(out_dir: Path) -> dict[str, bytes]:
    names = ("*.flac", "manifest.csv", "quarantine.parquet", "cut.json", "alignments/*/*.json")
    return {str(p.relative_to(out_dir)): p.read_bytes() for name in names for p in out_dir.rglob(name)}


def manifest_of(out_dir: Path) -> list[dict[str, str]]:
    with (out_dir / "manifest.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def config(tone_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
    return recipe(write_tones(tmp_path_factory.mktemp("tones")), tone_model)


@pytest.fixture(scope="module")
def out_dir(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cuts")
    summary = cut(config, folder)
    assert (summary.made, summary.aligned, summary.holding) == (summary.clips, 6, 4)
    return folder


def test_every_clip_says_its_words_at_the_listed_times(out_dir: Path) -> None:
    rows = manifest_of(out_dir)
    assert Counter(row["way"] for row in rows) == {"whole": 2, "joined": 6, "part": 12}
    for row in rows:
        audio = read_audio(out_dir / row["path"])
        assert len(audio) / 16_000 == pytest.approx(float(row["duration_s"]), abs=1e-4)
        start, end = (round(float(row[name]) * 16_000) for name in ("word_start_s", "word_end_s"))
        assert tones.letters_of(audio) == tones.letters_of(audio[start:end]) == row["text"].replace(" ", "")
        assert not np.any((audio[1:] == 0) & (audio[:-1] == 0) & (np.abs(audio[1:]) + np.abs(audio[:-1]) > 0))


def test_rows_keep_who_speaks_and_where_it_comes_from(out_dir: Path) -> None:
    rows = manifest_of(out_dir)
    splits = {speaker: split for speaker, split, _ in SPEECH if speaker}
    for row in rows:
        if row["speaker"]:
            assert row["split"] == splits[row["speaker"]]
        assert (row["licence"], row["age"], row["synthetic"], row["source"]) == ("CC0-1.0", "thirties", "false", "")
        expected = ("confusable", "near_miss", "bad_cab") if row["way"] == "part" else ("wakeword", "bad_cab", "")
        assert (row["kind"], row["label"], row["resembles"]) == expected
    joined = {(row["speaker"], row["split"]) for row in rows if row["way"] == "joined"}
    assert joined == {("ann", "train"), ("bob", "train"), ("eve", "test"), ("", rows_split(rows))}
    record = json.loads((out_dir / "cut.json").read_text())
    assert sum(line["clips"] for line in record["counts"]) == len(rows)
    bad = pq.read_table(out_dir / "quarantine.parquet").to_pylist()
    assert Counter((row["stage"], row["reason"]) for row in bad) == {
        ("align", "undecodable"): 1,
        ("align", "missing_file"): 1,
    }


def rows_split(rows: list[dict[str, str]]) -> str:
    """The one split of the clip without a speaker."""
    (split,) = {row["split"] for row in rows if not row["speaker"]}
    return split


def test_again_and_after_an_interruption_the_bytes_are_the_same(config: Config, out_dir: Path, tmp_path: Path) -> None:
    first = written(out_dir)
    again = cut(config, out_dir)
    assert (again.made, again.aligned) == (0, 0)
    assert written(out_dir) == first
    # A run that is killed leaves any part of these files, each of them whole.
    for number, name in enumerate(sorted(first)):
        if number % 2 or name == "manifest.csv":
            (out_dir / name).unlink()
    after = cut(config, out_dir)
    assert 0 < after.made < after.clips
    assert written(out_dir) == first
    cut(config, tmp_path)
    assert written(tmp_path) == first


def test_preparation_reads_the_manifest_and_no_plain_speech_holds_the_phrase(
    config: Config, out_dir: Path, tmp_path: Path
) -> None:
    source = {"type": "csv", "uri": str(out_dir / "manifest.csv")}
    tree = config.model_dump(mode="json")
    tree["data"]["sources"] = [*tree["data"]["sources"], source]
    tree["data"]["splits"] = {"val": 0.0, "test": 0.0}
    # Reading the cuts as a source does not cut them again.
    both = validate_config(tree)
    assert len(find_speech(both).rows) == len(find_speech(config).rows)
    summary = prepare(both, tmp_path, runner="local")
    assert summary.clips(kind="wakeword", label="bad_cab") == 8
    assert summary.clips(kind="confusable") == 12
    assert summary.quarantined["contains_word"] == 4
    shards = ShardSet.open(tmp_path)
    rows = [row for split in shards.splits for row in shards.table(split).drop_columns(["audio"]).to_pylist()]
    assert not [row for row in rows if row["kind"] == "speech" and "bad cab" in row["text"]]
    words = [row for row in rows if row["kind"] == "wakeword"]
    assert {row["word_start_s"] for row in words} == {0.2}
    assert all(row["word_end_s"] == pytest.approx(row["duration_s"] - 0.2, abs=1e-3) for row in words)


def test_the_aligner_is_the_one_that_is_named(config: Config, tmp_path: Path) -> None:
    tree = config.model_dump(mode="json")
    tree["cutting"]["aligner"] = "nobody"
    other = validate_config(tree)
    with pytest.raises(ConfigError, match="no aligner 'nobody'"):
        cut(other, tmp_path)


def test_long_recordings_are_left_out(config: Config, tmp_path: Path, tone_model: Path) -> None:
    # The shortest clip, of two words, lasts 1.4 s; none of its words makes a clip alone but a near miss.
    short = recipe(Path(config.data.sources[0].uri), tone_model, max_source_s=1.0)
    with pytest.raises(DataError, match=r"not one clip could be cut out of 8 recordings \(1 missing_file, 6 too_long"):
        cut(short, tmp_path)


def test_faults_are_errors_before_anything_is_written(config: Config, tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path,kind\n")
    with pytest.raises(ConfigError, match=r"holds a manifest\.csv that is not of this command"):
        cut(config, tmp_path)
    tree = config.model_dump(mode="json")
    with pytest.raises(DataError, match=r"no transcript holds deed \(10 of 10 clips have a text\)"):
        find_speech(validate_config({**tree, "words": [{"label": "deed"}]}))
    with pytest.raises(ConfigError, match=r"data\.sources is empty"):
        find_speech(validate_config({"words": tree["words"]}))


@pytest.mark.ray
@pytest.mark.slow
def test_ray_data_gives_the_same_bytes(config: Config, out_dir: Path, tmp_path: Path) -> None:
    cut_words_out(config, find_speech(config), tmp_path, runner="ray")
    assert written(tmp_path) == written(out_dir)
