"""Opening paths, URIs and members of archives, and errors for missing ones."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from wakeword.audio.io import AudioError, read_audio, write_wav
from wakeword.audio.locators import join, open_uri, parts_of, read_bytes, sha256_of_uri, size_of, walk
from wakeword.errors import DataError


def make_tar(path: Path, **members: bytes) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_a_number_sign_is_a_place_in_an_archive_only_behind_one() -> None:
    assert parts_of("x/a.tar#d/k.wav") == ("x/a.tar", "d/k.wav")
    assert parts_of("s3://b/a.parquet#7") == ("s3://b/a.parquet", "7")
    assert parts_of("take#1.wav") == ("take#1.wav", "")


def test_a_file_with_a_number_sign_is_read(tmp_path: Path) -> None:
    write_wav(tmp_path / "take#1.wav", np.zeros(16_000))
    assert len(read_audio(tmp_path / "take#1.wav")) == 16_000


def test_an_archive_written_anew_is_read_anew(tmp_path: Path) -> None:
    uri = f"{tmp_path}/a.tar#k"
    make_tar(tmp_path / "a.tar", k=b"one")
    assert read_bytes(uri) == b"one"
    assert size_of(uri) == 3
    first = sha256_of_uri(uri)
    make_tar(tmp_path / "a.tar", j=b"some more bytes" * 1000, k=b"other")
    assert read_bytes(uri) == b"other"
    assert sha256_of_uri(uri) != first


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    make_tar(tmp_path / "a.tar", k=b"one", empty=b"")
    for uri, reason in ((f"{tmp_path}/a.tar#absent", "missing_file"), (f"{tmp_path}/a.tar#empty", "empty_file")):
        with pytest.raises(AudioError) as caught:
            read_audio(uri)
        assert caught.value.reason == reason
    with pytest.raises(DataError, match="cannot be opened"):
        open_uri("nosuchscheme://x/y")
    with pytest.raises(DataError, match="does not exist"):
        walk(str(tmp_path / "absent"))
    assert size_of(str(tmp_path / "absent")) == 0


def test_names_are_joined_to_folders_and_uris() -> None:
    assert join("memory://a/b", "c/d.wav") == "memory://a/b/c/d.wav"
    assert join("file:///a/b", "c.wav") == "/a/b/c.wav"
    assert join("/a/b", "/c.wav") == "/c.wav"
    assert join("/a", "s3://b/c.wav") == "s3://b/c.wav"
