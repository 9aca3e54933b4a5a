"""Public corpora in their own layouts, made on the spot with real audio: rows, speakers, splits, refused rows."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from tests.data.corpus import burst, config_for
from wakeword.audio.io import to_int16, write_flac, write_wav
from wakeword.data.prepare import prepare
from wakeword.data.shards import ShardSet
from wakeword.data.sources.listing import about_speaker
from wakeword.data.sources.registry import SourceClips
from wakeword.data.sources.types import read_source
from wakeword.errors import ConfigError, DataError


def read(root: Path | str, source_type: str, **source: Any) -> SourceClips:
    config = config_for(root, kind=source_type, source=source)
    return read_source(config.data.sources[0], config.words)


def by_id(found: SourceClips) -> dict[str, dict[str, Any]]:
    return {row["clip_id"]: row for row in found.clips.to_pylist()}


def refused(found: SourceClips) -> list[str]:
    return sorted(row["reason"] for row in found.quarantine)


def encoded(seed: int, form: str = "WAV", seconds: float = 0.8) -> bytes:
    sink = io.BytesIO()
    soundfile.write(sink, burst(seed, seconds), 16_000, format=form)
    return sink.getvalue()


def samples(data: bytes) -> np.ndarray:
    return to_int16(soundfile.read(io.BytesIO(data))[0])


def prepared_rows(out: Path) -> list[dict[str, Any]]:
    shards = ShardSet.open(out, verify=True)
    return [row for split in shards.splits for row in shards.table(split).to_pylist()]


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_speech_commands(tmp_path: Path) -> None:
    for name in ("marvin/0a_nohash_0", "marvin/0b_nohash_0", "marvin/0c_nohash_0", "cat/0a_nohash_1", "cat/odd"):
        write_wav(tmp_path / f"{name}.wav", burst(len(name)))
    write_wav(tmp_path / "_background_noise_" / "pink_noise.wav", burst(1, 2.0))
    (tmp_path / "validation_list.txt").write_text("marvin/0b_nohash_0.wav\ncat/gone_nohash_0.wav\n")
    (tmp_path / "testing_list.txt").write_text("marvin/0c_nohash_0.wav\n")
    found = read(tmp_path, "speech_commands")
    rows = by_id(found)
    assert [rows[f"marvin/0{s}_nohash_0.wav"]["split"] for s in "abc"] == ["train", "val", "test"]
    assert rows["marvin/0a_nohash_0.wav"]["kind"] == "wakeword"
    assert rows["marvin/0a_nohash_0.wav"]["speaker"] == rows["cat/0a_nohash_1.wav"]["speaker"] != ""
    assert (rows["cat/0a_nohash_1.wav"]["kind"], rows["cat/0a_nohash_1.wav"]["text"]) == ("speech", "cat")
    noise = rows["_background_noise_/pink_noise.wav"]
    assert (noise["kind"], noise["label"], noise["licence"]) == ("noise", "pink_noise", "CC BY 4.0")
    assert refused(found) == ["missing_file", "wrong_name"]


def test_common_voice(tmp_path: Path) -> None:
    columns = ["client_id", "path", "sentence", "age", "gender", "accents"]
    for table, names in (("train", ["a", "b"]), ("dev", ["c"]), ("test", ["d", "a"])):
        lines = ["\t".join(columns)]
        lines += [f'voice-{name}\t{name}.mp3\tSay "{name}" now\tfifties\tfemale\t' for name in names]
        (tmp_path / f"{table}.tsv").write_text("\n".join(lines) + "\n")
    with (tmp_path / "test.tsv").open("a") as stream:
        stream.write("too\tfew\n\te.mp3\tno voice\t\t\t\n")
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.mp3").write_bytes(encoded(1, "MP3"))
    found = read(tmp_path, "common_voice")
    rows = by_id(found)
    assert {name: row["split"] for name, row in rows.items()} == {
        "a.mp3": "train",
        "b.mp3": "train",
        "c.mp3": "val",
        "d.mp3": "test",
    }
    assert rows["a.mp3"]["text"] == 'Say "a" now'
    assert rows["a.mp3"]["speaker"] == "common_voice:voice-a"
    assert rows["a.mp3"]["licence"] == "CC0-1.0"
    assert [rows["a.mp3"][name] for name in ("accent", "age", "gender")] == [None, "fifties", "female"]
    assert refused(found) == ["duplicate", "no_speaker", "wrong_row"]
    (tmp_path / "train.tsv").write_text("path\tsentence\n")
    with pytest.raises(DataError, match="no column client_id"):
        read(tmp_path, "common_voice")
    with pytest.raises(DataError, match=r"holds none of train\.tsv"):
        read(tmp_path / "clips", "common_voice")


def test_librispeech(tmp_path: Path) -> None:
    for subset, speaker in (("train-clean-5", "84"), ("dev-clean", "174"), ("test-clean", "61")):
        folder = tmp_path / subset / speaker / "7"
        write_flac(folder / f"{speaker}-7-0000.flac", burst(int(speaker)))
        (folder / f"{speaker}-7.trans.txt").write_text(f"{speaker}-7-0000 HELLO THERE\n{speaker}-7-0009 NOT THERE\n")
    write_flac(tmp_path / "dev-clean" / "174" / "7" / "174-7-0005.flac", burst(5))
    found = read(tmp_path, "librispeech")
    assert {row["speaker"]: row["split"] for row in found.clips.to_pylist()} == {
        "librispeech:84": "train",
        "librispeech:174": "val",
        "librispeech:61": "test",
    }
    assert found.clips.column("text").to_pylist() == ["HELLO THERE"] * 3
    assert refused(found) == ["missing_file"] * 3 + ["no_text"]
    # A tree that starts at the speakers: SPEAKERS.TXT says the subset.
    (tmp_path / "SPEAKERS.TXT").write_text("; a comment\n174 | M | dev-clean | 8.2 | Someone\n")
    (tmp_path / "dev-clean").rename(tmp_path / "speakers")
    below = read(tmp_path / "speakers", "librispeech").clips
    assert below.column("split").to_pylist() == ["val"]
    assert below.column("gender").to_pylist() == ["male"]


def test_who_speaks_is_read_as_corpora_word_it() -> None:
    nothing = dict.fromkeys(("accent", "age", "gender"))
    for row, known in [
        ({}, {}),
        ({"gender": "", "age": None}, {}),
        (
            {"gender": "female_feminine", "accents": "England English"},
            {"gender": "female", "accent": "england english"},
        ),
        ({"sex": "M", "age": 34}, {"gender": "male", "age": "34"}),
        ({"gender": "non-binary", "accent": "us"}, {"gender": "other", "accent": "us"}),
        ({"gender": "do_not_wish_to_say"}, {}),
        ({"gender": 1}, {}),
    ]:
        assert about_speaker(row) == {**nothing, **known}


def audio_parquet(path: Path, seeds: list[int], **columns: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    audio = pa.array(
        [{"bytes": encoded(seed, "FLAC") if seed else None, "path": f"{seed}.flac"} for seed in seeds],
        pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    )
    pq.write_table(pa.table({"audio": audio, **columns}), path, row_group_size=2)


def test_parquet_with_audio_is_decoded_where_it_lies(tmp_path: Path) -> None:
    for split, first in (("train", 10), ("validation", 20), ("test", 30)):
        seeds = [first, first + 1, first + 2]
        speakers = [first, first + 1, first + 2]
        labels = ["marvin", "marvin", None]
        audio_parquet(
            tmp_path / "set" / f"{split}-00000-of-00001.parquet",
            seeds if split != "test" else [30, 31, 0],
            transcript=["marvin", "marvin", "good day"],
            speaker_id=speakers,
            label=labels,
        )
    config = config_for(tmp_path / "set", kind="parquet", data={"shard_mb": 0.05})
    summary = prepare(config, tmp_path / "out", runner="local")
    rows = [
        row for split in ("train", "val", "test") for row in ShardSet.open(tmp_path / "out").table(split).to_pylist()
    ]
    assert len(rows) == 8
    assert summary.quarantined == {"unreadable": 1}
    assert summary.shards > 3, "sizes inside the archive are known before decoding"
    row = next(row for row in rows if row["clip_id"].startswith("validation") and row["clip_id"].endswith("#1"))
    np.testing.assert_array_equal(np.frombuffer(row["audio"], "<i2"), samples(encoded(21, "FLAC")))
    assert (row["split"], row["kind"], row["speaker"]) == ("val", "wakeword", "set:21")


def test_parquet_as_a_manifest(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", burst(1))
    table = pa.table(
        {"path": ["a.wav", "b.wav", None], "kind": ["speech", "song", "speech"], "duration_s": [0.8, 1.0, 2.0]}
    )
    pq.write_table(table, tmp_path / "m.parquet")
    found = read(tmp_path / "m.parquet", "parquet")
    assert found.clips.column("uri").to_pylist() == [str(tmp_path / "a.wav")]
    assert refused(found) == ["no_path", "wrong_kind"]
    pq.write_table(pa.table({"x": [1]}), tmp_path / "m.parquet")
    with pytest.raises(DataError, match="neither a column of audio"):
        read(tmp_path / "m.parquet", "parquet")
    (tmp_path / "m.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(DataError, match="not a Parquet file"):
        read(tmp_path / "m.parquet", "parquet")


def test_webdataset_is_decoded_where_it_lies(tmp_path: Path) -> None:
    members: dict[str, bytes] = {}
    for number in range(4):
        members[f"d/{number}.wav"] = encoded(number)
        members[f"d/{number}.json"] = json.dumps(
            {"text": "marvin", "label": "marvin", "speaker": f"s{number}", "gender": "F", "accent": "us"}
        ).encode()
    members |= {"e.flac": encoded(9, "FLAC"), "e.txt": b"good day\n", "f.txt": b"alone"}
    members |= {"g.mp3": encoded(8, "MP3"), "g.json": b"[1]"}
    write_tar(tmp_path / "set" / "part-0.tar", members)
    found = read(tmp_path / "set", "webdataset")
    assert refused(found) == ["bad_description", "no_audio"]
    rows = by_id(found)
    assert rows["part-0.tar#e.flac"]["text"] == "good day"
    assert (rows["part-0.tar#d/0.wav"]["gender"], rows["part-0.tar#d/0.wav"]["accent"]) == ("female", "us")
    prepare(config_for(tmp_path / "set", kind="webdataset"), tmp_path / "out", runner="local")
    rows = [
        row for split in ("train", "val", "test") for row in ShardSet.open(tmp_path / "out").table(split).to_pylist()
    ]
    assert sorted(row["kind"] for row in rows) == ["speech"] + ["wakeword"] * 4
    row = next(row for row in rows if row["clip_id"] == "part-0.tar#d/2.wav")
    np.testing.assert_array_equal(np.frombuffer(row["audio"], "<i2"), samples(encoded(2)))
    with tarfile.open(tmp_path / "packed.tar", "w:gz"):
        pass
    with pytest.raises(DataError, match="no uncompressed tar"):
        read(tmp_path / "packed.tar", "webdataset")


def test_noise_trees(tmp_path: Path) -> None:
    files = ("musan/noise/free-sound/n1.wav", "musan/music/jamendo/m1.wav", "musan/speech/librivox/s1.wav")
    demand = ("DKITCHEN/ch01.wav", "DKITCHEN/ch02.wav")
    for number, name in enumerate((*files, *(f"demand/{name}" for name in demand), "esc/audio/1-17-A-3.wav")):
        write_wav(tmp_path / name, burst(number))
    with (tmp_path / "esc").joinpath("esc50.csv").open("w") as stream:
        csv.writer(stream).writerows([["filename", "category"], ["1-17-A-3.wav", "rain"]])
    (tmp_path / "esc" / "meta").mkdir()
    (tmp_path / "esc" / "esc50.csv").rename(tmp_path / "esc" / "meta" / "esc50.csv")
    musan = by_id(read(tmp_path / "musan", "noise_folder", licence="CC BY 4.0"))
    assert {row["kind"]: row["label"] for row in musan.values()} == {
        "noise": "free_sound",
        "music": "jamendo",
        "speech": "librivox",
    }
    assert {row["licence"] for row in musan.values()} == {"CC BY 4.0"}
    found = read(tmp_path / "demand", "noise_folder")
    assert [(row["clip_id"], row["label"], row["licence"]) for row in found.clips.to_pylist()] == [
        ("DKITCHEN/ch01.wav", "dkitchen", "")
    ]
    assert refused(found) == ["other_channel"]
    assert by_id(read(tmp_path / "esc", "noise_folder"))["audio/1-17-A-3.wav"]["label"] == "rain"


@pytest.mark.parametrize("kind", ["noise_folder", "rir_folder", "folder", "speech_commands"])
def test_what_looks_like_audio_and_is_not_read_is_listed(tmp_path: Path, kind: str, caplog: Any) -> None:
    folder = tmp_path / "hall"
    write_wav(folder / "a_nohash_0.wav", burst(1))
    before = read(tmp_path, kind).identity
    (folder / "far.wv").write_bytes(b"wvpk" + bytes(60))
    (folder / "take").write_bytes(encoded(2))
    (folder / "notes.txt").write_text("a hall")
    with caplog.at_level("INFO", "wakeword"):
        found = read(tmp_path, kind)
    assert found.clips.num_rows == 1
    assert sorted((Path(row["uri"]).name, row["reason"]) for row in found.quarantine) == [
        ("far.wv", "codec_not_allowed"),
        ("take", "codec_not_allowed"),
    ]
    details = {Path(row["uri"]).name: row["detail"] for row in found.quarantine}
    assert "this is WavPack" in details["far.wv"]
    assert "ffmpeg -i" in details["far.wv"]
    assert "rename it to end in .wav" in details["take"]
    if kind != "speech_commands":
        assert "1 files beside the recordings are not audio" in caplog.text
        assert found.identity != before, "an old preparation does not list them"


def test_room_responses(tmp_path: Path) -> None:
    write_wav(tmp_path / "hall" / "far.wav", burst(1))
    assert read(tmp_path, "rir_folder").clips.column("kind").to_pylist() == ["rir"]
    with pytest.raises(ConfigError, match="holds room responses"):
        read(tmp_path, "rir_folder", kind="noise")


@pytest.mark.parametrize(
    "kind", ["speech_commands", "common_voice", "librispeech", "parquet", "webdataset", "noise_folder", "rir_folder"]
)
def test_an_absent_or_empty_corpus_is_one_sentence(tmp_path: Path, kind: str) -> None:
    for root in (tmp_path / "absent", tmp_path):
        with pytest.raises(DataError) as caught:
            read(root, kind)
        assert "\n" not in str(caught.value)
        assert str(root) in str(caught.value)


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_a_source_behind_a_uri_is_prepared(tmp_path: Path, scheme: str) -> None:
    import fsspec

    root = "memory://test_corpora/words" if scheme == "memory" else f"file://{tmp_path}/words"
    for speaker in range(4):
        with fsspec.open(f"{root}/marvin/s{speaker}/1.wav", "wb", auto_mkdir=True) as stream:
            stream.write(encoded(speaker))
    summary = prepare(config_for(root, kind="folder"), tmp_path / "out", runner="local")
    assert summary.clips(kind="wakeword", label="marvin") == 4
    with fsspec.open(f"{root}/m.csv", "wb") as stream:
        stream.write(b"path,kind\nmarvin/s1/1.wav,speech\nabsent.wav,speech\n")
    config = config_for(f"{root}/m.csv")
    found = read_source(config.data.sources[0], config.words)
    assert found.clips.num_rows == 2
    assert read(root, "folder").identity == read(root, "folder").identity


def test_numbers_of_classes_get_their_names(tmp_path: Path) -> None:
    audio_parquet(
        tmp_path / "set" / "train-0.parquet", [1, 2, 3], label=[0, 1, None], transcription=["", "", "Marvin!"]
    )
    table = pq.read_table(tmp_path / "set" / "train-0.parquet")
    features = {"info": {"features": {"label": {"names": ["Marvin", "stop"], "_type": "ClassLabel"}}}}
    pq.write_table(
        table.replace_schema_metadata({"huggingface": json.dumps(features)}), tmp_path / "set" / "train-0.parquet"
    )
    found = read(tmp_path / "set", "parquet").clips
    assert found.column("label").to_pylist() == ["marvin", "stop", "marvin"], "a text that is the phrase is the word"
    assert found.column("kind").to_pylist() == ["wakeword"] * 3, "which word it is decides assign_words"
    write_tar(
        tmp_path / "tar" / "a.tar", {"0.wav": encoded(1), "0.cls": b"Marvin\n", "1.wav": encoded(2), "1.cls": b"stop"}
    )
    found = read(tmp_path / "tar", "webdataset").clips
    assert found.column("label").to_pylist() == ["marvin", "stop"]


def test_metadata_of_an_audiofolder(tmp_path: Path) -> None:
    for name in ("train/a.wav", "train/deep/b.wav", "test/c.wav", "test/d.wav", "train/e.wav", "noise/f.wav"):
        write_wav(tmp_path / name, burst(len(name)))
    (tmp_path / "train" / "metadata.csv").write_text(
        "file_name,transcription,speaker_id\na.wav,Marvin!,ann\ndeep/b.wav,good day,bob\n"
    )
    (tmp_path / "test" / "metadata.jsonl").write_text(
        '{"file_name": "c.wav", "label": "MARVIN", "gender": "F"}\n{"file_name": "d.wav", "label": "stop"}\n'
    )
    (tmp_path / "noise" / "metadata.csv").write_text("title\nnot about clips\n")
    found = read(tmp_path, "folder")
    columns = ("kind", "label", "text", "speaker", "split", "gender")
    assert {name: tuple(row[key] for key in columns) for name, row in by_id(found).items()} == {
        "train/a.wav": ("wakeword", "marvin", "Marvin!", "ann", "train", None),
        "train/deep/b.wav": ("wakeword", "deep", "good day", "bob", "train", None),
        "test/c.wav": ("wakeword", "marvin", "", "", "test", "female"),
        "test/d.wav": ("wakeword", "stop", "", "", "test", None),
        "noise/f.wav": ("noise", "noise", "", "", "", None),
    }
    assert refused(found) == ["no_label"]
    first = found.identity
    (tmp_path / "test" / "metadata.jsonl").write_text('{"file_name": "c.wav", "label": "stop"}\n')
    assert read(tmp_path, "folder").identity != first
    (tmp_path / "train" / "metadata.csv").write_text("file_name,label\na.wav\n")
    with pytest.raises(DataError, match=r"metadata\.csv cannot be read as metadata of clips \(line 2: 1 cells"):
        read(tmp_path, "folder")
