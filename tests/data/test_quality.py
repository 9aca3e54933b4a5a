"""Checks of a clip, each by a file crafted for it, and what is measured of those that pass."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from tests.data.corpus import burst, config_for, shard_bytes, write_corpus, write_manifest
from wakeword.audio.io import write_wav
from wakeword.data.measures import MEASURED, measure
from wakeword.data.prepare import prepare
from wakeword.data.shards import ShardSet
from wakeword.errors import DataError


def corpus_with(root: Path, name: str, audio: np.ndarray, **row: Any) -> Path:
    """The small corpus and one more clip of speech."""
    manifest = write_corpus(root, speakers=4, per_speaker=1)
    soundfile.write(root / name, audio, 16_000, subtype="FLOAT")
    return _add(manifest, {"path": name, "kind": "speech", "speaker": "x", "split": "train", **row})


def _add(manifest: Path, row: dict[str, Any]) -> Path:
    columns = manifest.read_text().splitlines()[0].split(",")
    with manifest.open("a") as stream:
        stream.write(",".join(str(row.get(name, "")) for name in columns) + "\n")
    return manifest


def reasons(manifest: Path, out: Path, **quality: Any) -> dict[str, str]:
    """What went to quarantine, by file; the index counts the same."""
    prepare(config_for(manifest, data={"quality": quality}), out, runner="local")
    rows = pq.read_table(out / "quarantine.parquet").to_pylist()
    counted = json.loads((out / "index.json").read_text())["quarantined"]
    assert sum(counted.values()) == len(rows)
    return {Path(row["uri"]).name: row["reason"] for row in rows}


def test_a_wave_that_does_not_swing_around_zero(tmp_path: Path) -> None:
    manifest = corpus_with(tmp_path / "corpus", "dc.wav", burst(5, 1.0) + np.float32(0.15))
    assert reasons(manifest, tmp_path / "plain") == {"dc.wav": "dc_offset"}
    assert reasons(manifest, tmp_path / "lenient", max_dc_offset=0.2) == {}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none(tmp_path: Path, value: float) -> None:
    audio = burst(5, 1.0)
    audio[700] = value
    assert reasons(corpus_with(tmp_path / "corpus", "nan.wav", audio), tmp_path / "out") == {"nan.wav": "nan"}


def test_a_voice_in_much_noise_is_refused_only_with_the_option(tmp_path: Path) -> None:
    noise = 0.05 * np.random.default_rng(2).standard_normal(32_000).astype(np.float32)
    manifest = corpus_with(tmp_path / "corpus", "noisy.wav", burst(5, 2.0) + noise)
    assert reasons(manifest, tmp_path / "plain") == {}
    assert reasons(manifest, tmp_path / "strict", min_snr_db=18.0) == {"noisy.wav": "low_snr"}


@pytest.mark.parametrize(("kind", "label"), [("speech", "speech"), ("wakeword", "marvin")])
def test_a_clip_that_lasts_longer_than_its_manifest_says(tmp_path: Path, kind: str, label: str) -> None:
    row = {"kind": kind, "label": label, "duration_s": 1.0}
    manifest = corpus_with(tmp_path / "corpus", "slow.wav", burst(5, 1.2), **row)
    assert reasons(manifest, tmp_path / "plain") == {"slow.wav": "duration_differs"}
    assert reasons(manifest, tmp_path / "lenient", max_duration_error=0.3) == {}
    # A recording that is cut is as long as its manifest says, though no piece of it is.
    long = corpus_with(tmp_path / "long", "long.wav", burst(5, 4.0), duration_s=4.0)
    config = config_for(long, data={"max_kept_s": 1.0, "quality": {"min_level_dbfs": -90}})
    assert prepare(config, tmp_path / "cut", runner="local").quarantined == {}


def test_a_header_that_says_two_rates(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "corpus", speakers=4, per_speaker=1)
    path = tmp_path / "corpus" / "edited.wav"
    write_wav(path, burst(5, 1.0))
    data = bytearray(path.read_bytes())
    assert data[12:16] == b"fmt "
    # Only the rate: the bytes a second still are those of 16 kHz.
    data[24:28] = struct.pack("<I", 48_000)
    path.write_bytes(data)
    _add(manifest, {"path": "edited.wav", "kind": "speech", "speaker": "x"})
    out = tmp_path / "out"
    assert reasons(manifest, out) == {"edited.wav": "wrong_rate"}
    (row,) = pq.read_table(out / "quarantine.parquet").to_pylist()
    assert "48000 Hz" in row["detail"]
    assert "16000 Hz" in row["detail"]
    # A writer that leaves the field empty says nothing wrong.
    data[24:28], data[28:32] = struct.pack("<I", 16_000), bytes(4)
    path.write_bytes(data)
    assert reasons(manifest, tmp_path / "empty") == {}


def test_voices_are_measured_and_noise_is_not(tmp_path: Path) -> None:
    columns = ("path", "kind", "label", "speaker", "accent", "age", "gender")
    root = tmp_path / "corpus"
    manifest = write_corpus(root, speakers=3, per_speaker=1)
    time = np.arange(16_000) / 16_000
    harmonics = sum(np.sin(2 * np.pi * 140 * n * time) / n for n in range(1, 8))
    quiet = 1e-3 * np.random.default_rng(1).standard_normal(24_000)
    quiet[4000:20_000] += 0.1 * harmonics
    write_wav(root / "low.wav", quiet.astype(np.float32))
    rows = [
        {"path": "low.wav", "kind": "wakeword", "label": "marvin", "speaker": "anna", "gender": "F", "age": "Teens"}
    ]
    rows += [{"path": "noise.wav", "kind": "noise"}, {"path": "room.wav", "kind": "rir"}]
    rows += [{"path": f"words/s{n}_0.wav", "kind": "wakeword", "label": "marvin", "speaker": f"s{n}"} for n in range(3)]
    manifest = write_manifest(root / "with.csv", rows, columns)
    prepare(config_for(manifest), tmp_path / "out", runner="local")
    prepare(config_for(manifest), tmp_path / "again", runner="local")
    assert shard_bytes(tmp_path / "out") == shard_bytes(tmp_path / "again")
    found = {Path(row["uri"]).name: row for row in pq.read_table(tmp_path / "out" / "manifest.parquet").to_pylist()}
    low = found["low.wav"]
    assert low["pitch_hz"] == pytest.approx(140, abs=2)
    assert low["loudness_db"] == pytest.approx(20 * np.log10(0.1 * np.std(harmonics)), abs=0.5)
    assert low["snr_db"] == pytest.approx(low["loudness_db"] + 60, abs=1.5)
    assert (low["gender"], low["age"], low["accent"]) == ("female", "teens", None)
    for name in ("noise.wav", "room.wav"):
        assert all(found[name][column] is None for column in MEASURED)
    assert found["s0_0.wav"]["loudness_db"] is not None
    assert found["s0_0.wav"]["gender"] is None


def test_half_the_rate_gives_the_same_pitch() -> None:
    time = np.arange(32_000) / 16_000
    for pitch_hz in (75.0, 120.0, 210.0, 390.0):
        voice = sum(np.sin(2 * np.pi * pitch_hz * n * time) / n for n in range(1, 12)).astype(np.float32)
        assert measure(0.1 * voice, "speech")["pitch_hz"] == pytest.approx(pitch_hz, rel=0.01)
    assert measure(voice, "music") == dict.fromkeys(MEASURED)


def test_a_folder_of_before_is_refused_and_made_again(tmp_path: Path) -> None:
    manifest, out = write_corpus(tmp_path / "corpus", speakers=3, per_speaker=1), tmp_path / "out"
    prepare(config_for(manifest), out, runner="local")
    index = json.loads((out / "index.json").read_text())
    (out / "index.json").write_text(json.dumps({**index, "version": 1}))
    with pytest.raises(DataError, match=r"not of version .*: run `wakeword prepare` again$"):
        ShardSet.open(out)
    assert not prepare(config_for(manifest), out, runner="local").up_to_date
    assert ShardSet.open(out).index == index
