"""What espeak-ng's data folder holds: accents of each language, names of each language's phonemes."""

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
"""Tags that several languages' files share: their own codes tell them apart."""
_MNEMONIC_BYTES, _PHONEME_BYTES, _TABLE_HEAD_BYTES = 4, 16, 36


@dataclass(frozen=True)
class Accent:
    """A file of `lang/`.

    Attributes:
        name: of the file in lower case, by which the library selects it.
        tags: language tags that it answers to, without those that only shorten another.
        phonemes: name of its phoneme table.
    """

    name: str
    tags: tuple[str, ...]
    phonemes: str

    def speaks(self, wanted: str) -> bool:
        """True if it is an accent of a language."""
        return any(matches(tag, wanted) for tag in self.tags)


@cache
def data_folder() -> Path:
    """Folder of the data.

    Raises:
        ImportError: espeakng-loader is not installed.
    """
    import espeakng_loader

    return Path(espeakng_loader.get_data_path())


@cache
def accents() -> tuple[Accent, ...]:
    """All accents whose dictionary is there, by name."""
    folder = data_folder()
    files = sorted(
        (path for path in (folder / "lang").rglob("*") if path.is_file()), key=lambda path: path.name.lower()
    )
    return tuple(accent for path in files if (accent := _read(path, folder)))


def _read(path: Path, folder: Path) -> Accent | None:
    text = path.read_text(encoding="latin-1")
    name = path.name.lower()
    told = [tag.lower() for tag in re.findall(r"^language\s+(\S+)", text, re.MULTILINE)]
    if not told or not (folder / f"{_told(text, 'dictionary') or told[0].partition('-')[0]}_dict").is_file():
        return None
    if name.count("-") and script_subtag(name):
        told = []
    tags = dict.fromkeys(tag for tag in (name, *told) if tag not in _OWN_CODES)
    kept = tuple(tag for tag in tags if not any(other.startswith(f"{tag}-") for other in tags))
    return Accent(name, kept, _told(text, "phonemes") or name.partition("-")[0])


def _told(text: str, key: str) -> str:
    found = re.search(rf"^{key}\s+(\S+)", text, re.MULTILINE)
    return found[1] if found else ""


def accents_of(language: str) -> tuple[str, ...]:
    """Names of the accents of a language that speak in it; of English the eight that people have, in a fixed order."""
    found = tuple(accent.name for accent in accents() if accent.speaks(language))
    if canonical(language).partition("-")[0] == "en":
        return tuple(name for name in ENGLISH_ACCENTS if name in found)
    return found


def reader_of(language: str) -> str:
    """The accent whose reading of texts stands for a language; empty where espeak does not speak it."""
    names, wanted = accents_of(language), canonical(language)
    if wanted == "en":
        return ENGLISH_ACCENTS[0]
    return min(names, key=lambda name: (name != wanted, name != wanted.partition("-")[0], len(name), name), default="")


def spoken_languages() -> tuple[str, ...]:
    """Codes of the languages that espeak speaks, without regions."""
    return tuple(sorted({canonical(accent.name).partition("-")[0] for accent in accents()}))


def phoneme_names(accent: str) -> tuple[str, ...]:
    """Names of the phonemes of an accent as the library writes them, its own first, then those it takes from others."""
    tables = _phoneme_tables()
    table = next((one.phonemes for one in accents() if one.name == accent), accent)
    names: dict[str, None] = {}
    while table in tables:
        table, own = tables[table]
        names.update(dict.fromkeys(own))
    return tuple(names)


@cache
def _phoneme_tables() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Name of each table of the file `phontab` to the name of the table that it extends and its own phonemes.

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
