"""Recognise the format of a file from its first bytes and its name, and suggest how to convert it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import PurePosixPath
from typing import Literal

from wakeword.audio.decoding.mpeg import id3_bytes

EXTENSIONS = (
    ".wav", ".wave", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd",
    ".caf",
)  # fmt: skip
"""Suffixes of supported files."""
CONTAINER_EXTENSIONS = (
    ".m4a", ".m4b", ".mp4", ".mov", ".3gp", ".3gpp", ".3g2", ".aac", ".webm", ".weba", ".mka", ".mkv", ".amr", ".awb",
    ".wma", ".asf", ".mp2",
)  # fmt: skip
"""Suffixes of files that the extra [containers] supports."""
_UNREAD_EXTENSIONS = (
    ".ac3", ".eac3", ".ape", ".dff", ".dsf", ".dts", ".gsm", ".mpc", ".pcm", ".ra", ".ram", ".rm", ".sph", ".spx",
    ".tta", ".voc", ".vox", ".wv",
)  # fmt: skip
"""Suffixes of audio files that are not supported."""
ALLOWED = "WAV, RF64, Wave64, AIFF, AU or CAF with plain samples, FLAC, Ogg (Vorbis, Opus, FLAC), MP3"
HEAD_BYTES = 64

Verdict = Literal["read", "unread", "other"]


@dataclass(frozen=True)
class Format:
    """A container; `demuxer` is FFmpeg's name where the extra [containers] supports it."""

    name: str
    suffix: str
    demuxer: str = ""


_BY_BRAND = {
    b"M4A ": Format("MPEG-4 audio (m4a)", ".m4a", "mov"),
    b"M4B ": Format("MPEG-4 audio (m4b)", ".m4b", "mov"),
    b"qt  ": Format("QuickTime (mov)", ".mov", "mov"),
    b"3gp": Format("3GPP (3gp)", ".3gp", "mov"),
    b"3g2": Format("3GPP2 (3g2)", ".3g2", "mov"),
}
_MP4 = Format("MPEG-4 (mp4)", ".mp4", "mov")
_MAGIC = (
    (0, b"fLaC", Format("FLAC", ".flac")),
    (0, b"OggS", Format("Ogg", ".ogg")),
    (0, b"riff\x2e\x91\xcf\x11", Format("Wave64", ".w64")),
    (0, b".snd", Format("AU", ".au")),
    (0, b"caff\0\1", Format("CAF", ".caf")),
    (0, b"#!AMR-WB\n", Format("AMR wide band", ".awb", "amr")),
    (0, b"#!AMR\n", Format("AMR", ".amr", "amr")),
    (0, bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), Format("Windows Media (wma)", ".wma", "asf")),
    (0, b"wvpk", Format("WavPack", ".wv")),
    (0, b"MAC ", Format("Monkey's Audio", ".ape")),
    (0, b"MPCK", Format("Musepack", ".mpc")),
    (0, b"MP+", Format("Musepack", ".mpc")),
    (0, b"TTA1", Format("True Audio", ".tta")),
    (0, b"DSD ", Format("DSD", ".dsf")),
    (0, b"FRM8", Format("DSD", ".dff")),
    (0, b"NIST_1A\n", Format("NIST SPHERE", ".sph")),
    (0, b"Creative Voice File\x1a", Format("Creative Voice", ".voc")),
    (0, b".RMF", Format("RealMedia", ".rm")),
    (0, b".ra\xfd", Format("RealAudio", ".ra")),
    (0, b"FLV\1", Format("Flash video", ".flv")),
    (0, b"MThd", Format("MIDI notes", ".mid")),
    (0, b"\x0b\x77", Format("AC-3", ".ac3")),
    (0, b"ADIF", Format("AAC (ADIF)", ".aac")),
    (0, b"\x00\x00\x01\xba", Format("MPEG video", ".mpg")),
    (0, b"\x7f\xfe\x80\x01", Format("DTS", ".dts")),
)
"""Offset, bytes, format."""


def format_of(head: bytes) -> Format | None:
    """The container that begins with these `HEAD_BYTES` bytes; None if it is unknown.

    MPEG audio has no magic bytes: `audio.decoding.mpeg` searches for its frames.
    """
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        kinds = {b"WAVE": Format("WAV", ".wav"), b"AVI ": Format("AVI", ".avi"), b"RMID": Format("MIDI notes", ".mid")}
        return kinds.get(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return Format("AIFF", ".aiff")
    if head[4:8] == b"ftyp":
        return _BY_BRAND.get(head[8:12]) or _BY_BRAND.get(head[8:11]) or _MP4
    if head[4:8] in (b"moov", b"mdat", b"wide") and head[:2] == b"\0\0":
        return Format("QuickTime (mov)", ".mov", "mov")
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return Format("WebM", ".webm", "matroska") if b"webm" in head else Format("Matroska", ".mka", "matroska")
    if len(head) > 7 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0 and head[2] >> 2 & 15 < 13:
        return Format("AAC (ADTS)", ".aac", "aac")
    return next((form for at, mark, form in _MAGIC if head[at : at + len(mark)] == mark), None)


def containers_installed() -> bool:
    """Whether the extra [containers] is installed."""
    return find_spec("av") is not None


def way_out(where: str, form: Format | None) -> str:
    """What to do with an unsupported file: install the extra where it helps, or a command that converts the file."""
    path = PurePosixPath(where)
    named = path.suffix and "://" not in where and "#" not in where and not where.endswith(" of audio")
    name = where if named else f"in{form.suffix if form else '.audio'}"
    target = str(PurePosixPath(name).with_suffix(".flac"))
    command = f"`ffmpeg -i {shlex.quote(name)} {shlex.quote(target)}`"
    if form and form.demuxer and not containers_installed():
        return f"install the extra [containers] (`pip install 'wakeword[containers]'`), or convert it: {command}"
    return f"convert it: {command}"


def refusal(where: str, form: Format) -> str:
    """The error sentence for an unsupported container."""
    return f"this is {form.name}, which is not supported; {way_out(where, form)}"


def judge(name: str, head: bytes = b"") -> tuple[Verdict, str]:
    """Whether a file is `read`, `unread` with the reason, or `other` (not audio), by its suffix and first bytes."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in EXTENSIONS or (suffix in CONTAINER_EXTENSIONS and containers_installed()):
        return "read", ""
    form = format_of(head)
    if suffix in CONTAINER_EXTENSIONS:
        return "unread", refusal(name, form or Format(f"a {suffix} file", suffix, "by its name"))
    if suffix in _UNREAD_EXTENSIONS:
        return "unread", refusal(name, form or Format(f"a {suffix} file", suffix))
    # The magic bytes of ADTS are too short to be reliable.
    if form and form.suffix in EXTENSIONS + CONTAINER_EXTENSIONS and form.name != "AAC (ADTS)":
        return (
            "unread",
            f"this is {form.name} by its first bytes, but has another suffix: rename it to end in {form.suffix}",
        )
    if id3_bytes(head):
        return "unread", "this begins with an ID3 tag, as MP3 does, but has another suffix: rename it to end in .mp3"
    return "other", ""
