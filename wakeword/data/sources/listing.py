"""Helpers of all sources: collecting rows and faults, reading text tables, and splits from names."""

from __future__ import annotations

import csv
import hashlib
import io
import logging
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from wakeword.audio.decoding.formats import judge
from wakeword.audio.listing import list_audio
from wakeword.audio.locators import Entry, plain, read_bytes
from wakeword.config import WordConfig
from wakeword.config.data import SourceConfig
from wakeword.config.labels import word_of
from wakeword.data.manifest import KINDS, SPLITS, Row, clip_row, clip_table, quarantine_row
from wakeword.data.sources.registry import SourceClips
from wakeword.errors import DataError

_LOG = logging.getLogger(__name__)
_GENDERS = {
    **dict.fromkeys(("female", "female_feminine", "f", "woman"), "female"),
    **dict.fromkeys(("male", "male_masculine", "m", "man"), "male"),
    **dict.fromkeys(("do_not_wish_to_say", "unknown", "none", "n/a", "nan", "-"), ""),
}
TEXT = ("text", "transcript", "sentence", "transcription", "normalized_text", "raw_text")
SPEAKER = ("speaker", "speaker_id", "client_id")
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "dev": "val",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
"""Names of the splits, including those that Hugging Face's datasets recognise (datasets-file-names-and-splits)."""


@dataclass
class Gathering:
    """Collects the rows, the refused rows and the identity of a source."""

    source: str
    rows: list[Row] = field(default_factory=list)
    bad: list[Row] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._digest = hashlib.sha256()

    def read(self, entry: Entry) -> None:
        """Add a file's name, size and stamp to the identity."""
        self._digest.update(f"{entry.name}\0{entry.size}\0{entry.stamp}\n".encode())

    def audio_below(self, root: str) -> list[Entry]:
        """Audio files below a folder; audio of unsupported formats is refused with the reason.

        Raises:
            DataError: the folder is absent.
        """
        listing = list_audio(root)
        for entry, detail in listing.unread:
            self.read(entry)
            self.refuse(entry.uri, "codec_not_allowed", detail)
        if listing.others:
            _LOG.info("%s: %d files beside the recordings are not audio", root, len(listing.others))
        return listing.audio

    def read_text(self, uri: str) -> str:
        """Read a UTF-8 file and add its content to the identity.

        Raises:
            DataError: the file is absent or not UTF-8 text.
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
        """Add a clip; a second clip with the same id is refused."""
        if values["clip_id"] in self.seen:
            self.refuse(values["uri"], "duplicate", f"{values['clip_id']} is named by an earlier row")
            return
        self.seen.add(values["clip_id"])
        self.rows.append(clip_row(**values))

    def add_described(
        self, entry: Entry, member: str, values: Mapping[str, Any], config: SourceConfig, words: Sequence[WordConfig]
    ) -> None:
        """Add a clip inside a container file from its description, or refuse it.

        Args:
            entry: the container, such as a Parquet file or a tar.
            member: the clip in it: a row number or a name.
            values: its description; missing values are empty.
            config: `kind` overrides that of the description.
            words: configured words.
        """
        uri, text, speaker = f"{entry.uri}#{member}", first_of(values, TEXT), first_of(values, SPEAKER)
        given = config.kind or first_of(values, ("kind",)) or None
        kind, label = placed_kind(given, first_of(values, ("label",)), text, words)
        split = first_of(values, ("split",)) or split_of_name(entry.name)
        if kind not in KINDS:
            self.refuse(uri, "wrong_kind", f"kind {kind!r} is none of {', '.join(KINDS)}")
        elif kind == "wakeword" and not label:
            self.refuse(uri, "no_label", "a wake word needs a label")
        elif split not in ("", *SPLITS):
            self.refuse(uri, "wrong_split", f"split {split!r} is none of {', '.join(SPLITS)}")
        else:
            source = first_of(values, ("source",)) or PurePosixPath(plain(config.uri)).stem
            self.add(
                clip_id=f"{entry.name}#{member}",
                uri=uri,
                kind=kind,
                label=label,
                text=text,
                speaker=f"{source}:{speaker}" if speaker else "",
                speaker_source="given" if speaker else "none",
                split=split,
                source=source,
                licence=first_of(values, ("licence", "license")),
                **about_speaker(values),
            )

    def refuse(self, uri: str, reason: str, detail: str) -> None:
        """Put a row into quarantine."""
        self.bad.append(quarantine_row(uri, self.source, "source", reason, detail))

    def result(self, root: str, layout: str) -> SourceClips:
        """The result of reading the source at `root`.

        Raises:
            DataError: it is empty; the message names the expected `layout`.
        """
        if not self.rows and not self.bad:
            raise DataError(f"{root} holds no clips in the layout of {self.source}: expected {layout}")
        return SourceClips(clip_table(self.rows), self.bad, self._digest.hexdigest())


def uri_of(place: str) -> str:
    """Convert a path of a manifest to the spelling on disk.

    Manifests from other systems have back slashes, and accented letters as one character (NFC) or two (NFD). An
    existing file at `place` itself takes precedence; for an absent file only back slashes are replaced.
    """
    if place.isascii() and "\\" not in place:
        return place
    scheme = re.match(r"[a-z][a-z0-9+.-]*://", place)
    if scheme and scheme[0] != "file://":
        return place
    prefix = scheme[0] if scheme else ""
    path = place.removeprefix(prefix)
    turned = str(PurePosixPath(path.replace("\\", "/")))
    for form in (path, turned, unicodedata.normalize("NFC", turned), unicodedata.normalize("NFD", turned)):
        if os.path.exists(form):
            return prefix + form
    return prefix + (_spelled_as_on_disk(turned) or turned)


def _spelled_as_on_disk(path: str) -> str:
    """The path with the Unicode form that each of its parts has on disk; empty where it does not exist."""
    found = "/" if path.startswith("/") else "."
    for part in PurePosixPath(path).parts:
        if part == "/":
            continue
        if not os.path.exists(os.path.join(found, part)):
            wanted = unicodedata.normalize("NFC", part)
            part = _names_in(found, os.stat(found).st_mtime_ns).get(wanted, "") if os.path.isdir(found) else ""
            if not part:
                return ""
        found = os.path.join(found, part)
    return found


@lru_cache(maxsize=64)
def _names_in(folder: str, stamp: int) -> dict[str, str]:
    """Names in a folder by their composed (NFC) form; `stamp`, its time of change, is a cache key."""
    return {unicodedata.normalize("NFC", name): name for name in sorted(os.listdir(folder))}


def is_audio(name: str) -> bool:
    """Whether a file name has the extension of a supported audio format."""
    return judge(name)[0] == "read"


def split_of_name(name: str) -> str:
    """Split in a file or folder name (`train-00001-of-00007`, `dev-clean`, `test`), or empty."""
    for part in reversed(PurePosixPath(name).parts):
        for piece in re.split(r"[^a-z]+", part.lower()):
            if piece in SPLIT_NAMES:
                return SPLIT_NAMES[piece]
    return ""


def lines_of(text: str) -> io.StringIO:
    """Lines of a text, split only at line feeds and carriage returns.

    `str.splitlines` also splits at characters that occur inside sentences and cells (U+2028, U+0085).
    """
    return io.StringIO(text, newline="")


def tab_rows(text: str) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Line number and cells by column of a tab-separated table; None for a row with another number of cells."""
    reader = csv.reader(lines_of(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    header = next(reader, [])
    for cells in reader:
        if any(cells):
            yield reader.line_num, dict(zip(header, cells, strict=True)) if len(cells) == len(header) else None


def first_of(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """The first of some columns that exists and is not empty, as text."""
    return next((str(row[name]).strip() for name in names if row.get(name) not in (None, "")), "")


def about_speaker(row: Mapping[str, Any]) -> dict[str, str | None]:
    """Columns `accent`, `age` and `gender` of a row; None where unknown.

    Age and accent are the source's text in lower case. Gender is normalised to female, male or other (Common Voice:
    female_feminine; LibriSpeech: F); class numbers without names are unknown.
    """
    gender = first_of(row, ("gender", "sex")).lower()
    known = _GENDERS.get(gender, "other") if gender and not gender.isdigit() else ""
    accent, age = (first_of(row, names).lower() for names in (("accents", "accent"), ("age",)))
    return {"accent": accent or None, "age": age or None, "gender": known or None}


def placed_kind(kind: str | None, label: str, text: str, words: Sequence[WordConfig]) -> tuple[str, str]:
    """Complete the kind and label of a clip.

    Without a kind, a label is that of a word; `assign_words` makes words that are not configured negatives. Without
    both, a text equal to a configured word's phrase makes a clip of that word, and everything else is speech.
    """
    if kind is None:
        label = label or word_of(text, words)
        return ("wakeword", label) if label else ("speech", "speech")
    return kind, label or ("" if kind == "wakeword" else kind)
