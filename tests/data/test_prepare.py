"""From sources to shards: content, repetition, interruption, bad input."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from benchmarks.memory import PREPARE, watched
from tests.data.corpus import burst, config_for, shard_bytes, write_corpus, write_manifest
from wakeword.audio.io import read_audio, to_int16, write_wav
from wakeword.config import Config, save_config, validate_config
from wakeword.data.manifest import MANIFEST_SCHEMA, QUARANTINE_SCHEMA
from wakeword.data.prepare import prepare
from wakeword.data.shards import ShardSet
from wakeword.errors import ConfigError, DataError


def reasons(out_dir: Path) -> dict[str, str]:
    table = pq.read_table(out_dir / "quarantine.parquet")
    assert table.schema.equals(QUARANTINE_SCHEMA)
    return {Path(row["uri"]).name: row["reason"] for row in table.to_pylist()}


def test_shards_hold_the_audio_and_the_rows_of_the_manifest(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "corpus")
    summary = prepare(config_for(manifest), tmp_path / "out", runner="local")
    shards = ShardSet.open(tmp_path / "out", verify=True)
    assert summary.clips(kind="wakeword", label="marvin") == 18
    assert summary.clips() == 26
    assert all(summary.clips(split, "wakeword") for split in ("train", "val", "test"))
    rows = [row for split in shards.splits for row in shards.table(split).to_pylist()]
    for row in rows:
        pcm = np.frombuffer(row["audio"], "<i2")
        np.testing.assert_array_equal(pcm, to_int16(read_audio(row["uri"])))
        assert row["duration_s"] == pytest.approx(len(pcm) / 16_000)
        assert row["sha256"] == hashlib.sha256(Path(row["uri"]).read_bytes()).hexdigest()
        if row["kind"] == "wakeword":
            assert 0 <= row["word_start_s"] < row["word_end_s"] <= row["duration_s"]
        else:
            assert row["word_start_s"] is None
    speakers: dict[str, set[str]] = {}
    for row in rows:
        speakers.setdefault(row["speaker"], set()).add(row["split"])
    assert all(len(splits) == 1 for name, splits in speakers.items() if name)
    table = pq.read_table(tmp_path / "out" / "manifest.parquet")
    assert table.schema.equals(MANIFEST_SCHEMA)
    assert table.column("clip_id").to_pylist() == [row["clip_id"] for row in rows]
    text = summary.table()
    assert "marvin" in text
    assert summary.peak_memory_bytes > 10e6


def test_preparing_again_finds_nothing_to_do_and_a_changed_config_rebuilds(tmp_path: Path) -> None:
    manifest, out = write_corpus(tmp_path / "corpus"), tmp_path / "out"
    first = prepare(config_for(manifest), out, runner="local")
    stamp = (out / "index.json").stat().st_mtime_ns
    again = prepare(config_for(manifest), out, runner="local")
    assert again.up_to_date
    assert again.counts == first.counts
    assert (out / "index.json").stat().st_mtime_ns == stamp
    changed = prepare(config_for(manifest, data={"quality": {"min_clip_s": 1.0}}), out, runner="local")
    assert not changed.up_to_date
    assert changed.quarantined["too_short"] == 18
    with manifest.open("a") as stream:
        stream.write("speech/t0.wav,speech,speech,t0,,,,,\n")
    grown = prepare(config_for(manifest), out, runner="local")
    assert not grown.up_to_date
    assert grown.quarantined == {"duplicate": 1}


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "corpus")
    for name in ("one", "two"):
        prepare(config_for(manifest), tmp_path / name, runner="local")
    assert shard_bytes(tmp_path / "one") == shard_bytes(tmp_path / "two")
    for name in ("index.json", "manifest.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_killed_in_the_middle_the_same_command_finishes_with_the_same_bytes(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "corpus", speakers=12, per_speaker=4)
    config = config_for(manifest, data={"shard_mb": 0.1})
    prepare(config, tmp_path / "whole", runner="local")
    expected = shard_bytes(tmp_path / "whole")
    assert len(expected) > 15, "a small shard_mb makes many shards"
    save_config(config, tmp_path / "config.yaml")
    out = tmp_path / "cut"
    command = (
        "import sys; from wakeword.config import load_config; from wakeword.data.prepare import prepare; "
        "prepare(load_config(sys.argv[1]), sys.argv[2], runner='local')"
    )
    process = subprocess.Popen([sys.executable, "-c", command, str(tmp_path / "config.yaml"), str(out)])
    deadline = time.monotonic() + 60
    while len(list(out.glob("shards/*.json"))) < 3 and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "index.json").exists(), "nothing half-done may look complete"
    with pytest.raises(DataError):
        ShardSet.open(out)
    summary = prepare(config, out, runner="local")
    assert 3 <= summary.resumed_shards < summary.shards
    assert shard_bytes(out) == expected
    assert json.loads((out / "index.json").read_text()) == json.loads((tmp_path / "whole" / "index.json").read_text())
    assert not list(out.rglob("*.part"))


def test_a_damaged_shard_is_noticed_and_made_again(tmp_path: Path) -> None:
    manifest, out = write_corpus(tmp_path / "corpus"), tmp_path / "out"
    prepare(config_for(manifest), out, runner="local")
    expected = shard_bytes(out)
    victim = out / "shards" / "train-00000.arrow"
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    with pytest.raises(DataError, match="changed"):
        ShardSet.open(out, verify=True)
    victim.write_bytes(data[:-10])
    with pytest.raises(DataError, match="bytes instead of"):
        ShardSet.open(out)
    prepare(config_for(manifest), out, runner="local")
    assert shard_bytes(out) == expected


def test_bad_files_go_to_quarantine_with_their_reason(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    manifest = write_corpus(root)
    flac = root / "cut.flac"
    soundfile.write(str(flac), burst(3, 3.0), 16_000)
    flac.write_bytes(flac.read_bytes()[:3000])
    (root / "empty.wav").touch()
    nan = burst(4)
    nan[100] = np.nan
    soundfile.write(str(root / "nan.wav"), nan, 16_000, subtype="FLOAT")
    write_wav(root / "lie.wav", burst(5))
    data = bytearray((root / "lie.wav").read_bytes())
    data[40:44] = (10**6).to_bytes(4, "little")
    (root / "lie.wav").write_bytes(data)
    write_wav(root / "silent.wav", np.zeros(16_000, np.float32))
    soundfile.write(str(root / "wide.wav"), np.tile(np.repeat(burst(6), 6)[:, None], 8), 96_000)
    names = ("cut.flac", "empty.wav", "nan.wav", "lie.wav", "silent.wav", "wide.wav", "absent.wav", "changed.wav")
    write_wav(root / "changed.wav", burst(9))
    with manifest.open("a") as stream:
        for name in names:
            digest = "0" * 64 if name == "changed.wav" else ""
            stream.write(f"{name},speech,speech,x{name},train,,,,{digest}\n")
        stream.write("a.wav,nonsense,,,,,,,\nb.wav,speech\nc.wav,speech,,,sometimes,,,,\nd.wav,speech,,,,,,long,\n")
        stream.write("e.wav,wakeword,,,,,,,\n,speech,,,,,,,\nf.wav,speech,,,,,,,abc\n")
    summary = prepare(config_for(manifest), tmp_path / "out", runner="local")
    found = reasons(tmp_path / "out")
    expected = {
        "empty.wav": "empty_file",
        "nan.wav": "nan",
        "lie.wav": "truncated",
        "silent.wav": "silent",
        "absent.wav": "missing_file",
        "changed.wav": "wrong_checksum",
    }
    assert expected.items() <= found.items()
    assert found["cut.flac"] in ("truncated", "undecodable")
    assert "wide.wav" not in found, "eight channels at 96 kHz are audio like any other"
    rows = {reason for uri, reason in found.items() if uri.startswith("manifest.csv:")}
    assert rows == {"wrong_kind", "wrong_row", "wrong_split", "wrong_duration", "no_label", "no_path", "wrong_sha256"}
    assert summary.clips(kind="wakeword") == 18, "everything else is unharmed"
    assert summary.quarantined["truncated"] >= 1


def test_nothing_usable_is_one_clear_sentence(tmp_path: Path) -> None:
    out = tmp_path / "out"
    empty = tmp_path / "empty"
    empty.mkdir()
    write_wav(tmp_path / "quiet.wav", np.zeros(16_000, np.float32))
    rows = [{"path": "quiet.wav", "kind": "wakeword", "label": "marvin", "speaker": f"s{i}"} for i in range(1)]
    silent = write_manifest(tmp_path / "m.csv", [{**rows[0], "split": "train"}])
    headless = tmp_path / "h.csv"
    headless.write_text("file,what\na.wav,speech\n")
    other = write_corpus(tmp_path / "corpus", label="sheila")
    cases = [
        (config_for(empty, kind="folder"), "holds no audio file"),
        (config_for(tmp_path / "absent", kind="folder"), "does not exist"),
        (config_for(tmp_path / "absent.csv"), "cannot be read"),
        (config_for(silent, data={"splits": {"val": 0, "test": 0}}), "nothing usable is left"),
        (config_for(headless), "no column path and kind"),
        (config_for(other), "no clip of the wake words marvin"),
    ]
    for config, sentence in cases:
        with pytest.raises(DataError, match=sentence) as caught:
            prepare(config, out, runner="local")
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 3
        assert not (out / "index.json").exists()


def test_configs_that_cannot_be_meant(tmp_path: Path) -> None:
    cases: list[tuple[Config, str]] = [
        (validate_config({"words": [{"label": "marvin"}]}), "name a source"),
        (config_for("x", words=[{"label": "marvin", "phrase": "123 !?"}]), "has no letters"),
        (config_for("x", kind="csvv"), "no source type 'csvv'"),
    ]
    for config, sentence in cases:
        with pytest.raises(ConfigError, match=sentence):
            prepare(config, tmp_path / "out", runner="local")
    with pytest.raises(ConfigError, match="runner"):
        prepare(cases[0][0], tmp_path / "out", runner="spark")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("quality", "reason"),
    [
        ({"min_clip_s": 1.0}, "too_short"),
        ({"max_clip_s": 0.5}, "too_long"),
        ({"min_level_dbfs": -10.0}, "too_quiet"),
        ({"max_clipped_share": 0.0}, "clipped"),
        ({"decode_timeout_s": 1e-9}, "decode_timeout"),
    ],
)
def test_each_quality_limit_refuses_for_its_own_reason(tmp_path: Path, quality: dict[str, float], reason: str) -> None:
    manifest = write_corpus(tmp_path / "corpus", speakers=4, per_speaker=1)
    hot = burst(1)
    hot[6000:6100] = 1.0
    write_wav(tmp_path / "corpus" / "words" / "s0_0.wav", hot)
    plain = prepare(config_for(manifest), tmp_path / "plain", runner="local")
    assert plain.quarantined == {}
    try:
        strict = prepare(config_for(manifest, data={"quality": quality}), tmp_path / "strict", runner="local")
    except DataError as error:
        assert reason in str(error), "all clips were refused"  # noqa: PT017
    else:
        assert set(strict.quarantined) == {reason}


def test_long_speech_is_cut_and_wake_words_never(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "corpus", speakers=3)
    summary = prepare(
        config_for(manifest, data={"max_kept_s": 0.5, "quality": {"min_level_dbfs": -90}}),
        tmp_path / "out",
        runner="local",
    )
    rows = [r for s in ("train", "val", "test") for r in ShardSet.open(tmp_path / "out").table(s).to_pylist()]
    assert summary.clips(kind="wakeword") == 9
    for speaker in range(3):
        pieces = [row for row in rows if row["speaker"] == f"t{speaker}"]
        assert [piece["clip_id"].rpartition("#")[2] for piece in pieces] == [str(i) for i in range(len(pieces))]
        whole = to_int16(read_audio(pieces[0]["uri"]))
        np.testing.assert_array_equal(np.concatenate([np.frombuffer(p["audio"], "<i2") for p in pieces]), whole)


def test_options_of_a_source(tmp_path: Path) -> None:
    manifest = write_corpus(tmp_path / "corpus")
    background = tmp_path / "background"
    for number in range(6):
        write_wav(background / f"{number}.wav", burst(number, 1.0))
    csv_source = {"type": "csv", "uri": str(manifest)}
    folder = {"type": "folder", "uri": str(background)}

    def counts(*sources: dict[str, Any]) -> Any:
        config = validate_config({"words": [{"label": "marvin"}], "data": {"sources": sources}})
        return prepare(config, tmp_path / "out", runner="local")

    assert counts(csv_source, {**folder, "kind": "noise"}).clips(kind="noise") == 7
    assert counts(csv_source, {**folder, "kind": "music"}).clips(kind="music") == 6
    assert counts(csv_source, {**folder, "kind": "noise", "limit": 2}).clips(kind="noise") == 3
    missing = {"type": "folder", "uri": str(tmp_path / "absent")}
    with pytest.raises(DataError):
        counts(csv_source, missing)
    summary = counts(csv_source, {**missing, "optional": True})
    assert summary.clips(kind="noise") == 1
    assert any("absent" in warning for warning in summary.warnings)


def test_other_words_become_negatives_and_clips_that_hold_a_word_are_left_out(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    write_corpus(root)
    rows = [
        {"path": f"words/s{i}_0.wav", "kind": "wakeword", "label": "computer", "speaker": f"s{i}"} for i in range(5)
    ]
    rows += [
        {"path": f"words/s{i}_1.wav", "kind": "wakeword", "label": "hey_computer", "speaker": f"s{i}"} for i in (0, 1)
    ]
    rows += [{"path": "words/s0_2.wav", "kind": "wakeword", "label": "alexa", "speaker": "s0"}]
    for number, text in enumerate(["my computer is slow", "supercomputers", "COMPUTER, stop", "computers"]):
        rows.append({"path": f"speech/t{number}.wav", "kind": "speech", "speaker": f"t{number}", "text": text})
    rows.append({"path": "speech/t5.wav", "kind": "speech", "speaker": "t5", "contains": "computer"})
    manifest = write_manifest(root / "words.csv", rows)
    summary = prepare(config_for(manifest, label="computer"), tmp_path / "out", runner="local")
    assert summary.quarantined == {"contains_word": 5}
    assert summary.clips(kind="wakeword", label="computer") == 5
    assert summary.clips(kind="speech", label="alexa") == 1
    assert summary.clips(kind="speech", label="speech") == 2
    both = config_for(manifest, words=[{"label": "computer"}, {"label": "hey_computer"}], data={"splits": {"test": 0}})
    summary = prepare(both, tmp_path / "both", runner="local")
    assert summary.clips(kind="wakeword", label="hey_computer") == 2, "its own word, though it holds another"


@pytest.mark.ray
def test_ray_writes_the_same_bytes_as_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wakeword.stages import ray_data as ray_stage

    taken: list[int | None] = []
    real = ray_stage._tasks
    monkeypatch.setattr(ray_stage, "_tasks", lambda *about: taken.append(about[-1]) or real(*about))
    manifest = write_corpus(tmp_path / "corpus", speakers=8)
    (tmp_path / "corpus" / "broken.wav").write_bytes(b"RIFF")
    with manifest.open("a") as stream:
        stream.write("broken.wav,speech,,,,,,,\n")
    prepare(config_for(manifest, data={"shard_mb": 0.2}), tmp_path / "local", runner="local")
    config = config_for(manifest, data={"shard_mb": 0.2}, compute={"data_cpus": 1})
    summary = prepare(config, tmp_path / "ray", runner="ray")
    assert taken == [1, 1], "fingerprints and shards"
    assert summary.quarantined == {"undecodable": 1}
    assert shard_bytes(tmp_path / "ray") == shard_bytes(tmp_path / "local")
    for name in ("manifest.parquet", "quarantine.parquet"):
        assert pq.read_table(tmp_path / "ray" / name).equals(pq.read_table(tmp_path / "local" / name))


@pytest.mark.slow
def test_ten_times_the_clips_need_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    # The smaller one already fills a unit of fingerprints and many record batches. All clips differ: hundreds of copies
    # would be hundreds of pairs to remember, and no corpus is like that.
    for speakers in (50, 500):
        folder = tmp_path / str(speakers)
        manifest = write_corpus(folder / "corpus", speakers=speakers, per_speaker=5)
        save_config(config_for(manifest, data={"shard_mb": 2}), folder / "config.yaml")
        # Not by the summary's own peak: it counts a share of pages that depends on who else maps the libraries.
        peaks.append(watched(PREPARE, [str(folder / "config.yaml"), str(folder / "out"), "local"])[1])
    assert peaks[1] < 1.2 * peaks[0], peaks


def test_the_real_recordings_are_prepared(recordings: Path, tmp_path: Path) -> None:
    lines = (recordings / "manifest.csv").read_text().splitlines()
    # Every 40th row: all kinds and splits, in seconds.
    chosen = [lines[0], *(f"{recordings}/{line}" for line in lines[1::40])]
    manifest = tmp_path / "some.csv"
    manifest.write_text("\n".join(chosen) + "\n")
    summary = prepare(config_for(manifest, label="computer"), tmp_path / "out", runner="local")
    assert summary.clips(kind="wakeword", label="computer") > 3
    assert summary.clips(kind="speech") > 30
    assert sum(summary.quarantined.values()) + summary.clips() >= len(chosen) - 1


def test_decoding_happens_in_a_child_that_may_die(tmp_path: Path) -> None:
    from wakeword.audio.decoding.guard import shared_decoder

    manifest = write_corpus(tmp_path / "corpus")
    decoder = shared_decoder()
    decoder.close()
    plain = prepare(config_for(manifest, data={"quality": {"guarded": False}}), tmp_path / "plain", runner="local")
    assert decoder._child is None
    guarded = prepare(config_for(manifest), tmp_path / "guarded", runner="local")
    assert decoder._child is not None
    assert shard_bytes(tmp_path / "plain") == shard_bytes(tmp_path / "guarded")
    os.kill(decoder._child.pid, signal.SIGKILL)
    decoder._child.wait()
    before = decoder.restarts
    again = prepare(config_for(manifest, data={"shard_mb": 0.1}), tmp_path / "guarded", runner="local")
    assert decoder.restarts == before + 1
    assert again.counts == guarded.counts == plain.counts
