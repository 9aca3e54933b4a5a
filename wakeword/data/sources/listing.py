"""What the sources share: gathering rows and faults, reading tables of text, and telling a split from a name."""

from __future__ import annotations

import csv
import hashlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from wakeword.audio.formats import judge
from wakeword.audio.listing import list_audio
from wakeword.audio.locators import Entry, read_bytes
from wakeword.data.manifest import Row, clip_row, clip_table, quarantine_row
from wakeword.data.sources import SourceClips
from wakeword.errors import DataError

_LOG = logging.getLogger(__name__)
_GENDERS = {
    **dict.fromkeys(("female", "female_feminine", "f", "woman"), "female"),
    **dict.fromkeys(("male", "male_masculine", "m", "man"), "male"),
    **dict.fromkeys(("do_not_wish_to_say", "unknown", "none", "n/a", "nan", "-"), ""),
}
_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "dev": "val",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


@dataclass
class Gathering:
    """Rows, refused rows and the identity of everything that was read."""

    source: str
    rows: list[Row] = field(default_factory=list)
    bad: list[Row] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._digest = hashlib.sha256()

    def read(self, entry: Entry) -> None:
        """Count a file's name, size and stamp into the identity."""
        self._digest.update(f"{entry.name}\0{entry.size}\0{entry.stamp}\n".encode())

    def audio_below(self, root: str) -> list[Entry]:
        """Audio files below a folder; what looks like audio and is not read is refused with the reason.

        Raises:
            DataError: nothing is there.
        """
        listing = list_audio(root)
        for entry, detail in listing.unread:
            self.read(entry)
            self.refuse(entry.uri, "codec_not_allowed", detail)
        if listing.others:
            _LOG.info("%s: %d files beside the recordings are no audio", root, listing.others)
        return listing.audio

    def read_text(self, uri: str) -> str:
        """Read a UTF-8 file and count its content into the identity.

        Raises:
            DataError: the file is absent or no UTF-8 text.
        """
        try:
            data = read_bytes(uri)
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{uri} is not UTF-8 text (byte {error.start}): save it as UTF-8") from error
        except OSError as error:
            raise DataError(f"{uri} cannot be read ({error.strerror or error})") from error
        self._digest.update(hashlib.sha256(data).digest())
        return text

    def add(self, **values: Any) -> None:
        """Add a clip; a second one of the same id is refused."""
        if values["clip_id"] in self.seen:
            self.refuse(values["uri"], "duplicate", f"{values['clip_id']} is named by an earlier row")
            return
        self.seen.add(values["clip_id"])
        self.rows.append(clip_row(**values))

    def refuse(self, uri: str, reason: str, detail: str) -> None:
        """Put a row into quarantine."""
        self.bad.append(quarantine_row(uri, self.source, "source", reason, detail))

    def result(self, root: str, layout: str) -> SourceClips:
        """What was found.

        Raises:
            DataError: nothing at all; `layout` says what should be there.
        """
        if not self.rows and not self.bad:
            raise DataError(f"{root} holds no clips of the layout {self.source}: expected {layout}")
        return SourceClips(clip_table(self.rows), self.bad, self._digest.hexdigest())


def is_audio(name: str) -> bool:
    """Whether a file name ends like audio that is read."""
    return judge(name)[0] == "read"


def split_of_name(name: str) -> str:
    """Split that a file or folder name tells (`train-00001-of-00007`, `dev-clean`, `test`), or an empty text."""
    for part in reversed(PurePosixPath(name).parts):
        for piece in re.split(r"[^a-z]+", part.lower()):
            if piece in _SPLIT_NAMES:
                return _SPLIT_NAMES[piece]
    return ""


def tab_rows(text: str) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Line number and cells by column of a tab-separated table; None for a row of another width."""
    reader = csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    header = next(reader, [])
    for cells in reader:
        if any(cells):
            yield reader.line_num, dict(zip(header, cells, strict=True)) if len(cells) == len(header) else None


def first_of(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first of these columns that is there and not empty, as text."""
    return next((str(row[name]).strip() for name in names if row.get(name) not in (None, "")), "")


def about_speaker(row: Mapping[str, Any]) -> dict[str, str | None]:
    """Columns `accent`, `age` and `gender` of a row that may tell them, None where it does not.

    Age and accent stay as the source words them, in lower case. Gender is female, male or other, whatever the corpus
    calls it (Common Voice: female_feminine; LibriSpeech: F); numbers of classes without names tell nothing.
    """
    gender = first_of(row, ("gender", "sex")).lower()
    known = _GENDERS.get(gender, "other") if gender and not gender.isdigit() else ""
    accent, age = (first_of(row, names).lower() for names in (("accents", "accent"), ("age",)))
    return {"accent": accent or None, "age": age or None, "gender": known or None}


def placed_kind(kind: str | None, label: str, labels: set[str]) -> tuple[str, str]:
    """Kind and label of a clip whose label is known: a configured word makes wake words."""
    if kind == "wakeword" or (kind is None and label and label in labels):
        return "wakeword", label
    kind = kind or "speech"
    return kind, label or kind
