"""espeak-ng's data folder: accents of the languages and names of their phonemes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from wakeword.data.synthesis.languages import canonical, matches, script_subtag

ENGLISH_ACCENTS = (
    *("en-us", "en", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029", "en-us-nyc"),
)
_OWN_CODES = ("zh", "zh-cmn", "zh-yue")
"""Tags that several languages share; their own codes are used instead."""
_MNEMONIC_BYTES, _PHONEME_BYTES, _TABLE_HEAD_BYTES = 4, 16, 36


@dataclass(frozen=True)
class Accent:
    """A file of `lang/`.

    Attributes:
        name: name of the file in lower case, which selects it in the library.
        tags: its language tags, without tags that abbreviate another one.
        phonemes: name of its phoneme table.
    """

    name: str
    tags: tuple[str, ...]
    phonemes: str

    def speaks(self, wanted: str) -> bool:
        """True if it is an accent of the wanted language."""
        return any(matches(tag, wanted) for tag in self.tags)


@cache
def data_folder() -> Path:
    """The data folder.

    Raises:
        ImportError: espeakng-loader is not installed.
    """
    import espeakng_loader

    return Path(espeakng_loader.get_data_path())


@cache
def accents() -> tuple[Accent, ...]:
    """All accents with a dictionary, by name."""
    folder = data_folder()
    files = sorted(
        (path for path in (folder / "lang").rglob("*") if path.is_file()), key=lambda path: path.name.lower()
    )
    return tuple(accent for path in files if (accent := _read(path, folder)))


def _read(path: Path, folder: Path) -> Accent | None:
    text = path.read_text(encoding="latin-1")
    name = path.name.lower()
    listed = [tag.lower() for tag in re.findall(r"^language\s+(\S+)", text, re.MULTILINE)]
    if not listed or not (folder / f"{_field(text, 'dictionary') or listed[0].partition('-')[0]}_dict").is_file():
        return None
    if name.count("-") and script_subtag(name):
        listed = []
    tags = dict.fromkeys(tag for tag in (name, *listed) if tag not in _OWN_CODES)
    kept = tuple(tag for tag in tags if not any(other.startswith(f"{tag}-") for other in tags))
    return Accent(name, kept, _field(text, "phonemes") or name.partition("-")[0])


def _field(text: str, key: str) -> str:
    found = re.search(rf"^{key}\s+(\S+)", text, re.MULTILINE)
    return found[1] if found else ""


def accents_of(language: str) -> tuple[str, ...]:
    """Names of a language's accents; of English the eight natural ones, in a fixed order."""
    found = tuple(accent.name for accent in accents() if accent.speaks(language))
    if canonical(language).partition("-")[0] == "en":
        return tuple(name for name in ENGLISH_ACCENTS if name in found)
    return found


def reader_of(language: str) -> str:
    """The accent that reads texts of a language; empty where espeak does not speak it."""
    names, wanted = accents_of(language), canonical(language)
    if wanted == "en":
        return ENGLISH_ACCENTS[0]
    return min(names, key=lambda name: (name != wanted, name != wanted.partition("-")[0], len(name), name), default="")


def spoken_languages() -> tuple[str, ...]:
    """Codes of espeak's languages, without regions."""
    return tuple(sorted({canonical(accent.name).partition("-")[0] for accent in accents()}))


def phoneme_names(accent: str) -> tuple[str, ...]:
    """Mnemonics of an accent's phonemes: its own table first, then the tables that it extends."""
    tables = _phoneme_tables()
    table = next((one.phonemes for one in accents() if one.name == accent), accent)
    names: dict[str, None] = {}
    while table in tables:
        table, own = tables[table]
        names.update(dict.fromkeys(own))
    return tuple(names)


@cache
def _phoneme_tables() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Tables of the file `phontab`: name to the name of the table that it extends and its own phonemes.

    The file holds a count of tables (4 bytes), and of each: a count of phonemes, the number of the table that it
    extends (from 1), two bytes, its name (32 bytes), and 16 bytes a phoneme that begin with its name.
    """
    data, at = (data_folder() / "phontab").read_bytes(), 4
    order: list[str] = []
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for _ in range(data[0]):
        count, extends = data[at], data[at + 1]
        name = data[at + 4 : at + _TABLE_HEAD_BYTES].split(b"\0")[0].decode("latin-1")
        at += _TABLE_HEAD_BYTES
        heads = [data[at + _PHONEME_BYTES * i :][:_MNEMONIC_BYTES] for i in range(count)]
        own = tuple(head.split(b"\0")[0].decode("latin-1") for head in heads)
        found[name] = (order[extends - 1] if extends else "", tuple(one for one in own if one))
        order.append(name)
        at += _PHONEME_BYTES * count
    return found
