"""Which files of a folder are read as audio, which look like it and are not, and which are something else."""

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
"""Files that are not opened to see what they are."""


@dataclass
class Listing:
    """A folder in the order of names: files to read, files that look like audio with why they are not, others."""

    audio: list[Entry] = field(default_factory=list)
    unread: list[tuple[Entry, str]] = field(default_factory=list)
    others: list[Entry] = field(default_factory=list)


def verdict_of(entry: Entry) -> tuple[Verdict, str]:
    """Whether a file is `read`, `unread` with the reason, or `other`; a local one of unknown name is looked into."""
    suffix = PurePosixPath(entry.name).suffix.lower()
    path = local_path(entry.uri)
    head = b""
    if path and suffix not in _NO_AUDIO and judge(entry.name)[0] != "read":
        try:
            with Path(path).open("rb") as stream:
                head = stream.read(HEAD_BYTES)
        except OSError:
            # One that cannot be opened is judged by its name.
            head = b""
    return judge(entry.uri if path else entry.name, head)


def list_audio(folder: str | Path) -> Listing:
    """Every file below a folder (hidden ones left out).

    Raises:
        DataError: nothing is there.
    """
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
    """Files to read among named files and folders, files that are not read with the reason, number of other files.

    A file that is named is read whatever its name is; of a folder, what looks like audio.
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
