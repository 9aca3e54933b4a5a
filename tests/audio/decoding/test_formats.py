"""The error for an unsupported file names its format and how to convert it, without Python objects."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import soundfile

from wakeword.audio.decoding import formats
from wakeword.audio.decoding.formats import format_of, judge, way_out
from wakeword.audio.io import AudioError, read_audio

HEADS = {
    "MPEG-4 audio (m4a)": b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom",
    "MPEG-4 (mp4)": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2",
    "QuickTime (mov)": b"\0\0\0\x14ftypqt  \0\0\2\0qt  ",
    "3GPP (3gp)": b"\0\0\0\x18ftyp3gp4\0\0\0\0isom3gp4",
    "WebM": b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1\x42\xf7\x81\1\x42\xf2\x81\4\x42\xf3\x81\x08\x42\x82\x84webm",
    "Matroska": b"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\1\x42\x82\x88matroska",
    "AMR": b"#!AMR\n\x3c\x91\x17\x16",
    "AMR wide band": b"#!AMR-WB\n\x04\x10",
    "AAC (ADTS)": bytes.fromhex("fff15080037ffcde0200"),
    "Windows Media (wma)": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
    "WavPack": b"wvpk\x3a\0\0\0",
    "Monkey's Audio": b"MAC \x96\x0f",
    "NIST SPHERE": b"NIST_1A\n   1024\n",
    "AVI": b"RIFF\0\0\0\0AVI LIST",
    "AC-3": b"\x0b\x77\x5d\x51",
}


@pytest.fixture(autouse=True)
def without_av(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without the extra, whatever is installed here."""
    monkeypatch.setattr(formats, "containers_installed", lambda: False)
    monkeypatch.setattr("wakeword.audio.decoding.decoders.containers_installed", lambda: False)


@pytest.mark.parametrize("name", list(HEADS))
def test_containers_are_named_by_their_first_bytes(name: str, tmp_path: Path) -> None:
    form = format_of(HEADS[name])
    assert form
    assert form.name == name
    path = tmp_path / "my take.wav"
    path.write_bytes(HEADS[name] + bytes(2000))
    for source in (path, str(path), path.read_bytes()):
        with pytest.raises(AudioError, match=r"ffmpeg -i .*\.flac") as caught:
            read_audio(source)
        assert caught.value.reason == "codec_not_allowed"
        assert name in str(caught.value)
        assert " object at " not in str(caught.value)
        assert ("wakeword[containers]" in str(caught.value)) == bool(form.demuxer)


def test_the_command_names_the_file() -> None:
    assert "`ffmpeg -i '/a/my take.m4a' '/a/my take.flac'`" in way_out("/a/my take.m4a", None)
    m4a = format_of(HEADS["MPEG-4 audio (m4a)"])
    for where in ("123 bytes of audio", "s3://bucket/a.m4a", "x.tar#a.m4a"):
        assert "`ffmpeg -i in.m4a in.flac`" in way_out(where, m4a)


@pytest.mark.parametrize(
    "data", [b"no audio at all", b"\xff\xfb", b"RIFF", b"OggS", b"fLaC", b"ID3\4\0\0\0\0\0\0", b"\0"]
)
def test_what_is_no_audio_is_one_sentence_without_objects(data: bytes) -> None:
    for more in (b"", bytes(500)):
        with pytest.raises(AudioError) as caught:
            read_audio(data + more)
        assert caught.value.reason in ("undecodable", "truncated")
        assert " object at " not in str(caught.value)
        assert "0x" not in str(caught.value)


def test_readable_names_are_read_and_others_recognised() -> None:
    for name in ("a.wav", "A.FLAC", "b.aiff", "b.aif", "c.au", "d.caf", "e.w64", "x/y.opus"):
        assert judge(name) == ("read", "")
    for name in ("a.m4a", "a.WEBM", "a.amr", "a.wv", "a.wma", "a.mp4", "a.aac"):
        verdict, detail = judge(name)
        assert verdict == "unread"
        assert "ffmpeg -i" in detail
    for name in ("a.txt", "a.json", "README", "cover.jpg", "a.wav.md"):
        assert judge(name) == ("other", "")
    assert judge("take", HEADS["WebM"])[0] == "unread"
    sink = io.BytesIO()
    soundfile.write(sink, [0.0] * 100, 16_000, format="FLAC")
    assert judge("take.bin", sink.getvalue()) == (
        "unread",
        "this is FLAC by its first bytes, but has another suffix: rename it to end in .flac",
    )


def test_with_the_extra_phone_recordings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "containers_installed", lambda: True)
    assert judge("a.m4a") == ("read", "")
    assert judge("a.wv")[0] == "unread"
    assert "pip" not in way_out("a.m4a", format_of(HEADS["MPEG-4 audio (m4a)"]))
