"""Labels from text: one rule for phrases, folder names and columns, and the word that a label refers to."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from wakeword.errors import ConfigError

if TYPE_CHECKING:
    from wakeword.config.schema import WordConfig

APOSTROPHES = "'\u2019\u2018\u201b\u02bc\u02bb\u02b9\u2032\u0060\u00b4\uff07"
"""Removed without a gap, so that `what's` and `whats` are one word."""
_WITHOUT_APOSTROPHES = str.maketrans("", "", APOSTROPHES)
_PAIRS = "æ:ae œ:oe ð:d þ:th ŋ:ng ĸ:k ƿ:w ȝ:gh ı:i ȷ:j ɩ:i ɪ:i ə:e ǝ:e ɛ:e ɔ:o ɑ:a ʊ:u ɣ:g ʃ:sh ʒ:z"
_LETTERS = dict(pair.split(":") for pair in _PAIRS.split())
"""Case-folded Latin letters that Unicode does not decompose and whose Unicode name does not contain the plain
letter."""
_NAMED = re.compile(r"LATIN SMALL LETTER ([A-Z])(?: WITH .+)?")
_PLAIN = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=1 << 16)
def fold(text: str) -> str:
    """Fold a text to the form in which labels are compared: `Hey, Schätzchen!` becomes `hey_schatzchen`.

    Case, accents, punctuation and apostrophes are dropped, and everything else between words becomes one `_`. Latin
    letters become a-z (`ß` to `ss`, `ø` to `o`, `ł` to `l`), digits 0-9. Letters of other scripts stay, case folded and
    composed (NFC), with their marks. Folding is idempotent; a text without letters and digits gives an empty label.
    """
    text = text.translate(_WITHOUT_APOSTROPHES)
    if text.isascii():
        return _PLAIN.sub("_", text.lower()).strip("_")
    # Compatibility caseless matching as Unicode defines it (The Unicode Standard, D146).
    text = unicodedata.normalize("NFD", text).casefold()
    text = unicodedata.normalize("NFKD", text).casefold()
    text = unicodedata.normalize("NFKD", text).translate(_WITHOUT_APOSTROPHES)
    kept: list[str] = []
    latin = True
    for character in text:
        category = unicodedata.category(character)
        if category[0] == "L":
            plain = _plain_letter(character)
            latin = plain.isascii()
            kept.append(plain)
        elif category == "Nd":
            latin = True
            kept.append(str(unicodedata.decimal(character)))
        elif category[0] == "M":
            # Accents of Latin letters are dropped; vowel signs of other scripts stay.
            if not latin:
                kept.append(character)
        elif category != "Cf":
            latin = True
            kept.append("_")
    return unicodedata.normalize("NFC", re.sub("_+", "_", "".join(kept)).strip("_"))


@lru_cache(maxsize=4096)
def _plain_letter(character: str) -> str:
    if character.isascii():
        return character
    if character in _LETTERS:
        return _LETTERS[character]
    named = _NAMED.fullmatch(unicodedata.name(character, ""))
    return named[1].lower() if named else character


def label_of(phrase: str) -> str:
    """Make the label of a word from its phrase with `fold`.

    Raises:
        ConfigError: the phrase has no letters, or letters beyond the Latin alphabet.
    """
    label = fold(phrase)
    if not re.search("[a-z]", label) or not label.isascii():
        raise ConfigError(f"no label can be made from {phrase!r}: give one with --label, such as --label hey_nova")
    return label


def word_of(text: str, words: Iterable[WordConfig]) -> str:
    """The label of the configured word whose label or phrase equals a text after folding; empty for none."""
    words = list(words)
    folded = fold(text)
    if not folded:
        return ""
    exact = next((word.label for word in words if word.label == text), "")
    return exact or next(
        (word.label for form in ("label", "text") for word in words if fold(getattr(word, form)) == folded), ""
    )
