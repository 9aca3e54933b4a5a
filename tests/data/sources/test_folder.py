"""A folder per label becomes a manifest: kinds, labels and speakers as documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.corpus import burst, config_for
from wakeword.audio.io import write_wav
from wakeword.data.prepare import prepare
from wakeword.data.sources.types import read_source
from wakeword.errors import DataError


def rows_of(root: Path, *files: str, words: tuple[str, ...] = ("marvin",), **source: str) -> dict[str, dict]:
    for name in files:
        write_wav(root / name, burst(len(name)))
    config = config_for(root, kind="folder", words=[{"label": word} for word in words], source=source)
    found = read_source(config.data.sources[0], config.words)
    return {row["clip_id"]: row for row in found.clips.to_pylist()}


def test_known_folder_names_set_the_kind(tmp_path: Path) -> None:
    files = ("positive/a.wav", "negative/a.wav", "Noise/a.wav", "music/x/a.wav", "rirs/a.wav", "speech/a.wav")
    rows = rows_of(tmp_path, *files)
    assert [rows[name]["kind"] for name in files] == ["wakeword", "speech", "noise", "music", "rir", "speech"]
    assert rows["positive/a.wav"]["label"] == "marvin"


def test_other_folder_names_are_labels(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "Marvin/a.wav", "hey nova/a.wav", "positive/sheila/a.wav", words=("marvin", "sheila"))
    labels = {name: (row["kind"], row["label"]) for name, row in rows.items()}
    assert labels == {
        "Marvin/a.wav": ("wakeword", "marvin"),
        "hey nova/a.wav": ("wakeword", "hey_nova"),
        "positive/sheila/a.wav": ("wakeword", "sheila"),
    }


@pytest.mark.parametrize(
    ("file", "speaker"),
    [
        ("marvin/ann/1.wav", "ann"),
        ("marvin/ann_1.wav", "ann"),
        ("marvin/ann.wav", ""),
        ("marvin/001_2.wav", ""),
        ("marvin/rec_7.wav", ""),
        ("marvin/marvin_7.wav", ""),
        ("noise/ann_1.wav", ""),
    ],
)
def test_speakers_come_from_folders_and_prefixes(tmp_path: Path, file: str, speaker: str) -> None:
    row = rows_of(tmp_path, file)[file]
    assert row["speaker"] == speaker
    if row["kind"] == "wakeword":
        given = "given" if file.count("/") == 2 else "guessed"
        assert row["speaker_source"] == (given if speaker else "none")


def test_a_folder_of_one_kind(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "a.wav", "deep/b.flac.wav", kind="noise")
    assert {row["kind"] for row in rows.values()} == {"noise"}


def test_files_of_other_formats_and_without_a_label_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a machine without the extra that reads m4a.
    monkeypatch.setattr("wakeword.audio.decoding.formats.containers_installed", lambda: False)
    (tmp_path / "marvin").mkdir()
    (tmp_path / "marvin" / "a.m4a").touch()
    (tmp_path / "marvin" / "notes.txt").write_text("hello")
    write_wav(tmp_path / "loose.wav", burst(1))
    write_wav(tmp_path / "marvin" / ".hidden.wav", burst(1))
    write_wav(tmp_path / "marvin" / "b.wav", burst(1))
    config = config_for(tmp_path, kind="folder")
    found = read_source(config.data.sources[0], config.words)
    assert found.clips.column("clip_id").to_pylist() == ["marvin/b.wav"]
    assert sorted((Path(row["uri"]).name, row["reason"]) for row in found.quarantine) == [
        ("a.m4a", "codec_not_allowed"),
        ("loose.wav", "no_label"),
    ]


def test_a_changed_file_changes_the_identity(tmp_path: Path) -> None:
    rows_of(tmp_path, "marvin/a.wav")
    config = config_for(tmp_path, kind="folder")
    first = read_source(config.data.sources[0], config.words).identity
    assert read_source(config.data.sources[0], config.words).identity == first
    write_wav(tmp_path / "marvin" / "a.wav", burst(99, 1.0))
    assert read_source(config.data.sources[0], config.words).identity != first


def test_a_label_with_one_speaker_is_one_sentence(tmp_path: Path) -> None:
    for number in range(5):
        write_wav(tmp_path / "rec" / "marvin" / f"ann_{number}.wav", burst(number))
    with pytest.raises(DataError, match="single speaker"):
        prepare(config_for(tmp_path / "rec", kind="folder"), tmp_path / "out", runner="local")


def test_a_folder_is_prepared(tmp_path: Path) -> None:
    for seed, speaker in enumerate(("ann", "bob", "cid", "dee")):
        for number in range(2):
            write_wav(tmp_path / "rec" / "marvin" / speaker / f"{number}.wav", burst(10 * seed + number))
        write_wav(tmp_path / "rec" / "negative" / f"{speaker}_1.wav", burst(10 * seed + 5, 1.5))
    summary = prepare(config_for(tmp_path / "rec", kind="folder"), tmp_path / "out", runner="local")
    assert summary.clips(kind="wakeword", label="marvin") == 8
    assert summary.clips(kind="speech") == 4
