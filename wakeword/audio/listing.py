"""List the files of a folder: readable audio, audio that cannot be read, and other files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from wakeword.audio.decoding.formats import HEAD_BYTES, Verdict, judge
from wakeword.audio.locators import Entry, local_path, walk

_NO_AUDIO = frozenset(
    [
        ".avi", ".bak", ".bmp", ".bz2", ".c", ".cfg", ".csv", ".doc", ".docx", ".flv", ".gif", ".gz", ".h", ".heic",
        ".htm", ".html", ".ini", ".ipynb", ".jpeg", ".jpg", ".js", ".json", ".jsonl", ".lab", ".log", ".lock", ".md",
        ".mid", ".midi", ".mpeg", ".mpg", ".npy", ".npz", ".onnx", ".parquet", ".part", ".pdf", ".png", ".pt", ".py",
        ".rst", ".rtf", ".sha256", ".sh", ".srt", ".svg", ".tar", ".textgrid", ".tflite", ".toml", ".tsv", ".txt",
        ".vtt", ".wake", ".webp", ".xls", ".xlsx", ".xml", ".yaml", ".yml", ".zip",
    ]
)  # fmt: skip
"""Suffixes of files whose first bytes are not checked."""


@dataclass
class Listing:
    """The files of a folder, sorted by name: readable audio, unreadable audio with the reason, other files."""

    audio: list[Entry] = field(default_factory=list)
    unread: list[tuple[Entry, str]] = field(default_factory=list)
    others: list[Entry] = field(default_factory=list)


def verdict_of(entry: Entry) -> tuple[Verdict, str]:
    """`read`, `unread` with the reason, or `other`; checks the first bytes of a local file with an unknown suffix."""
    suffix = PurePosixPath(entry.name).suffix.lower()
    path = local_path(entry.uri)
    head = b""
    if path and suffix not in _NO_AUDIO and judge(entry.name)[0] != "read":
        try:
            with Path(path).open("rb") as stream:
                head = stream.read(HEAD_BYTES)
        except OSError:
            pass  # A file that cannot be opened is judged by its name.
    return judge(entry.uri if path else entry.name, head)


def list_audio(folder: str | Path) -> Listing:
    """List every file below a folder except hidden ones. Raises DataError if the folder does not exist."""
    found = Listing()
    for entry in walk(str(folder)):
        verdict, detail = verdict_of(entry)
        if verdict == "read":
            found.audio.append(entry)
        elif verdict == "unread":
            found.unread.append((entry, detail))
        else:
            found.others.append(entry)
    return found


def list_given(names: Iterable[str]) -> tuple[list[str], list[tuple[str, str]], int]:
    """Readable files among the named files and folders, unreadable files with the reason, number of other files.

    A named file counts as readable whatever its suffix is; in a folder, only audio files do.
    """
    files: list[str] = []
    skipped: list[tuple[str, str]] = []
    others = 0
    for name in names:
        if not Path(name).is_dir():
            files.append(name)
            continue
        listing = list_audio(name)
        files += [str(Path(name) / entry.name) for entry in listing.audio]
        skipped += [(str(Path(name) / entry.name), reason) for entry, reason in listing.unread]
        others += len(listing.others)
        if not (listing.audio or listing.unread):
            skipped.append((name, "the folder holds no recordings: give the folder that holds them"))
    return files, skipped, others
