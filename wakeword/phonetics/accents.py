"""What else a sound of a pronunciation may be heard as: rules for accents, weak forms and neighbours.

Dictionaries give one form; people say others, and a recogniser of phones hears what they say. The rules name sounds,
not tokens, so that they serve any recogniser. (J. C. Wells, Accents of English, 1982, for the English ones.)
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import combinations

Sounds = tuple[str, ...]

_ENGLISH = {
    "ə": "ʌ ɪ ɛ æ ɑ ɔ ʊ ɚ a ɐ",
    "ɪ": "i ə e ɛ",
    "i": "ɪ e eɪ",
    "ɛ": "e eɪ æ ɪ ə",
    "æ": "a ɛ ɑ",
    "ɑ": "ɔ a ʌ ɒ æ",
    "ɔ": "ɑ o oʊ ɒ ʌ",
    "ʊ": "u ə ʌ o",
    "u": "ʊ ʉ o",
    "ɚ": "ə ɛ ɜ ʌ ɔ",
    "eɪ": "e ɛ i",
    "oʊ": "o ɔ u ə",
    "aɪ": "a ɑ æ",
    "aʊ": "a æ ɔ",
    "ɔɪ": "o ɔ",
    "ð": "d θ v",
    "θ": "t f ð",
    "t": "tʰ",
    "d": "ɾ",
    "k": "kʰ",
    "p": "pʰ",
    "ŋ": "n",
    "ɹ": "r ɻ ɾ",
    "l": "ɫ",
    "z": "s",
    "ʒ": "dʒ z ʃ",
    "v": "f",
    "ɡ": "k",
    "h": "ɦ",
    "ʔ": "t",
}
_ANY = {
    "e": "ɛ eɪ",
    "ɛ": "e æ",
    "o": "ɔ oʊ",
    "ɔ": "o ɑ",
    "a": "ɑ æ ɐ ʌ",
    "ɑ": "a ɔ",
    "ɐ": "a ə ʌ",
    "i": "ɪ",
    "ɪ": "i e",
    "u": "ʊ",
    "ʊ": "u o",
    "y": "i u ʏ",
    "ø": "œ e ə",
    "œ": "ø ɛ ə",
    "ə": "ʌ ɛ e ɪ a",
    "r": "ɾ ɹ",
    "ɾ": "r ɹ d l",
    "ɹ": "r ɾ ɻ",
    "ʁ": "ʀ ɹ ɣ x r",
    "β": "b v",
    "ð": "d",
    "ɣ": "ɡ",
    "x": "h χ k",
    "χ": "x h",
    "ç": "ʃ x ɕ",
    "θ": "s",
    "ɲ": "n",
    "ʎ": "j l",
    "ɟ": "dʒ j",
    "ʝ": "j dʒ",
    "h": "x ɦ",
    "ts": "s",
    "z": "s",
    "v": "f b",
    "ɕ": "ʃ s",
    "ʑ": "ʒ z",
}
_VOWELS = frozenset("aeiouyæøœɐɑɒɔəɘɚɛɜɝɞɤɨɪɯɵɶʉʊʌʏᵻ")
_NASAL = "\u0303"
MOST_FORMS = 16
"""Forms of one pronunciation with some of its sounds dropped."""


def is_vowel(sound: str) -> bool:
    return sound[0] in _VOWELS


def others(sounds: Sequence[str], place: int, english: bool) -> tuple[str, ...]:
    """What the sound at `place` may be heard as beside itself, the most usual first."""
    usual = (_ENGLISH if english else _ANY).get(sounds[place], "").split()
    return (*usual, *in_context(sounds, place, english))


def in_context(sounds: Sequence[str], place: int, english: bool) -> tuple[str, ...]:
    """Of `others` those that depend on the sounds beside it: i and j before a vowel, t between vowels."""
    sound = sounds[place]
    before = sounds[place - 1] if place else ""
    after = sounds[place + 1] if place + 1 < len(sounds) else ""
    if not after or not is_vowel(after):
        return ()
    if sound in ("i", "j"):
        return ("j" if sound == "i" else "i",)
    return ("ɾ", "d") if english and sound == "t" and before and is_vowel(before) else ()


def droppable(sounds: Sounds) -> list[tuple[int, ...]]:
    """Places of an English pronunciation that some accent or weak form leaves out together, none of them first."""
    optional = [place for place in range(len(sounds)) if _may_drop(sounds, place)]
    groups = [group for count in range(len(optional) + 1) for group in combinations(optional, count)]
    return [group for group in groups if len(group) < len(sounds)][:MOST_FORMS]


def forms(sounds: Sounds, english: bool) -> list[Sounds]:
    """The pronunciation, and what is left of it where accents drop sounds; other languages: without nasal vowels."""
    if not english:
        return list(dict.fromkeys((sounds, oral(sounds))))
    left = (tuple(s for place, s in enumerate(sounds) if place not in group) for group in droppable(sounds))
    return list(dict.fromkeys(left))


def oral(sounds: Sounds) -> Sounds:
    """The pronunciation with each nasal vowel as a vowel and n, as a recogniser without nasal vowels hears it."""
    return tuple(part for sound in sounds for part in _oral(sound))


def _oral(sound: str) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFD", sound)
    if _NASAL not in plain or not is_vowel(plain):
        return (sound,)
    return unicodedata.normalize("NFC", plain.replace(_NASAL, "")), "n"


def _may_drop(sounds: Sounds, place: int) -> bool:
    """Schwa at the very start and before a final sonorant, and r where no vowel follows."""
    sound = sounds[place]
    after = sounds[place + 1] if place + 1 < len(sounds) else ""
    if sound == "ə":
        return place == 0 or (place == len(sounds) - 2 and after in ("l", "n", "m"))
    return sound == "ɹ" and place > 0 and is_vowel(sounds[place - 1]) and not (after and is_vowel(after))
