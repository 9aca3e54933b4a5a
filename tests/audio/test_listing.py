"""Nothing in a folder is passed over in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wakeword.audio.io import read_audio, write_flac, write_wav
from wakeword.audio.listing import list_audio
from wakeword.audio.locators import exists, join, local_path, plain
from wakeword.errors import DataError


def test_audio_unread_and_others(tmp_path: Path) -> None:
    write_wav(tmp_path / "b.wav", np.zeros(100))
    write_wav(tmp_path / "a" / "z.WAV", np.zeros(100))
    write_flac(tmp_path / "a" / "named.bin", np.zeros(100))
    write_wav(tmp_path / "a" / "._z.wav", np.zeros(100))
    (tmp_path / "voice.wv").write_bytes(b"wvpk" + bytes(60))
    (tmp_path / "noise.ape").touch()
    for name in ("notes.txt", "cover.jpg", "LICENSE", "data.json"):
        (tmp_path / name).write_text("RIFF is a word here")
    found = list_audio(tmp_path)
    assert [entry.name for entry in found.audio] == ["a/z.WAV", "b.wav"]
    assert {entry.name: detail.split(",")[0] for entry, detail in found.unread} == {
        "a/named.bin": "this is FLAC by its first bytes",
        "voice.wv": "this is WavPack",
        "noise.ape": "this is a .ape file",
    }
    assert len(found.others) == 4
    assert list_audio(tmp_path / "a").others == []
    with pytest.raises(DataError, match="does not exist"):
        list_audio(tmp_path / "absent")


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_wav(tmp_path / "b.wav", np.zeros(100))
    assert [entry.name for entry in list_audio("~").audio] == ["b.wav"]
    assert plain("~/b.wav") == local_path("~/b.wav") == str(tmp_path / "b.wav")
    assert exists("~/b.wav")
    assert join("/a/b", "~/b.wav") == str(tmp_path / "b.wav")
    assert join("/a/b", "~b.wav") == "/a/b/~b.wav"
    assert len(read_audio("~/b.wav")) == 100
    assert plain("a~b.wav") == "a~b.wav"
    assert local_path("s3://bucket/a.wav") is None
    assert local_path("a.tar#b.wav") is None
