"""Manifests as spreadsheets, Windows and other systems write them."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from tests.data.corpus import burst, config_for
from wakeword.audio.io import write_wav
from wakeword.data.sources.registry import SourceClips
from wakeword.data.sources.types import read_source
from wakeword.errors import DataError

NFC, NFD = (unicodedata.normalize(form, "Schätzchen") for form in ("NFC", "NFD"))


def read(path: Path, text: str, **source: Any) -> SourceClips:
    path.write_bytes(text.encode())
    config = config_for(path, source=source, words=[{"label": "hey_schatzchen", "phrase": "Hey Schätzchen"}])
    return read_source(config.data.sources[0], config.words)


def rows(found: SourceClips) -> list[tuple[Any, ...]]:
    columns = ("clip_id", "kind", "label", "text", "duration_s", "word_start_s")
    return [tuple(row[name] for name in columns) for row in found.clips.to_pylist()]


@pytest.mark.parametrize(
    ("delimiter", "number", "first"),
    [
        (",", "0.85", ""),
        (";", "0,85", ""),
        (";", "0.85", ""),
        ("\t", "0,85", ""),
        ("|", "0.85", ""),
        (";", "0,85", "sep=;\n"),
        ("\t", "0.85", "sep=\t\r\n"),
        (",", "0.85", "\ufeff"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_columns_are_parted_as_the_header_shows(
    tmp_path: Path, delimiter: str, number: str, first: str, end: str
) -> None:
    lines = [
        ["path", "Kind", "label", "text", "duration_s", "word_start_s", "word_end_s"],
        ["a.wav", "wakeword", "Hey Schätzchen", '"one, two; three | four"', number, number.replace("85", "1"), "0.5"],
    ]
    text = first + end.join(delimiter.join(line) for line in lines) + end
    found = read(tmp_path / "m.csv", text)
    assert rows(found) == [("a.wav", "wakeword", "hey_schatzchen", "one, two; three | four", 0.85, 0.1)]
    assert not found.quarantine


def test_lines_end_at_line_ends_alone(tmp_path: Path) -> None:
    text = "one\u2028two\u2029three\u0085four\x0bfive\x1csix"
    found = read(tmp_path / "m.csv", f'path,kind,text\na.wav,speech,{text}\nb.wav,speech,"two\nlines"\nc.wav,song,x\n')
    assert [row[3] for row in rows(found)] == [text, "two\nlines"]
    assert [(row["uri"].rsplit(":", 1)[1], row["reason"]) for row in found.quarantine] == [("5", "wrong_kind")]


def test_a_header_without_a_delimiter_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="no column path and kind: columns are separated by commas, semicolons, tabs or"
    ):
        read(tmp_path / "m.csv", "path:kind\na.wav:speech\n")
    with pytest.raises(DataError, match=r"no column kind: its first line must name .* names path, label"):
        read(tmp_path / "m.csv", "path;label\na.wav;x\n")
    assert len(rows(read(tmp_path / "m.csv", "path\na.wav\n", kind="speech"))) == 1
    with pytest.raises(DataError, match="this one names none"):
        read(tmp_path / "m.csv", "")


def test_slashes_may_lean_either_way(tmp_path: Path) -> None:
    write_wav(tmp_path / "words" / "anna" / "1.wav", burst(1))
    write_wav(tmp_path / "odd\\name.wav", burst(2))
    found = read(
        tmp_path / "m.csv",
        "path,kind\nwords\\anna\\1.wav,speech\n.\\absent\\2.wav,speech\nodd\\name.wav,speech\n"
        "C:\\data\\1.wav,speech\n\\\\server\\1.wav,speech\nD:/x.wav,speech\n",
    )
    assert found.clips.column("uri").to_pylist() == [
        str(tmp_path / "words" / "anna" / "1.wav"),
        str(tmp_path / "absent" / "2.wav"),
        str(tmp_path / "odd\\name.wav"),
    ]
    assert [row["reason"] for row in found.quarantine] == ["wrong_path"] * 3
    assert "is a Windows path: give it relative to the manifest" in found.quarantine[0]["detail"]


@pytest.mark.parametrize("written", [NFC, NFD])
@pytest.mark.parametrize("folder", [NFC, NFD])
@pytest.mark.parametrize("file", [NFC, NFD])
def test_names_are_found_in_either_form_of_unicode(tmp_path: Path, written: str, folder: str, file: str) -> None:
    write_wav(tmp_path / folder / f"{file}.wav", burst(1))
    found = read(tmp_path / "m.csv", f"path,kind\n{written}\\{written}.wav,speech\n{written}/no.wav,speech\n")
    first, second = found.clips.column("uri").to_pylist()
    assert Path(first).is_file()
    assert unicodedata.normalize("NFC", second).endswith(f"{NFC}/no.wav")


def test_a_table_of_tabs_keeps_what_looks_like_a_line_end(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    text = "client_id\tpath\tsentence\nv\ta.mp3\tone\u2028two\nw\tb.mp3\tthree\n"
    (tmp_path / "train.tsv").write_bytes(text.encode())
    config = config_for(tmp_path, kind="common_voice")
    found = read_source(config.data.sources[0], config.words)
    assert found.clips.column("text").to_pylist() == ["one\u2028two", "three"]
    assert not found.quarantine


def test_the_old_name_of_a_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the column distance is now phoneme_distance: rename it"):
        read(tmp_path / "clips.csv", "path,kind,distance\na.wav,confusable,1\n")
