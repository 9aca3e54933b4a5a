"""Language tags (BCP 47, as espeak writes them), which of them match, and the scripts that a language is written in."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

from wakeword.config.synthesis import ENGLISH, plain_tag

if TYPE_CHECKING:
    from wakeword.config import Config

_ALIASES = {"zh-cmn": "cmn", "zh-yue": "yue", "zh": "cmn", "no": "nb", "iw": "he", "in": "id", "sh": "hr", "ji": "yi"}
"""Other codes of one language: ISO 639-3 macrolanguages by their main member, withdrawn codes, extended subtags."""

_SCRIPTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("ru", "be", "uk", "bg", "mk", "kk", "ky", "tt", "ba", "cv", "nog", "mn", "tg"), ("CYRILLIC",)),
    **dict.fromkeys(("sr", "bs", "hr", "uz", "az", "tk"), ("LATIN", "CYRILLIC")),
    **dict.fromkeys(("ar", "fa", "ur", "sd", "ug", "ps"), ("ARABIC",)),
    **dict.fromkeys(("hi", "mr", "ne", "kok", "sa"), ("DEVANAGARI",)),
    **dict.fromkeys(("bn", "as", "bpy"), ("BENGALI",)),
    **dict.fromkeys(("el", "grc"), ("GREEK",)),
    **dict.fromkeys(("hy", "hyw"), ("ARMENIAN",)),
    **dict.fromkeys(("am", "ti"), ("ETHIOPIC",)),
    **dict.fromkeys(("my", "shn"), ("MYANMAR",)),
    **dict.fromkeys(("he", "yi"), ("HEBREW",)),
    **dict.fromkeys(("cmn", "yue"), ("CJK", "BOPOMOFO")),
    "ja": ("HIRAGANA", "KATAKANA", "CJK"),
    "ko": ("HANGUL",),
    "ka": ("GEORGIAN",),
    "th": ("THAI",),
    "pa": ("GURMUKHI",),
    "gu": ("GUJARATI",),
    "or": ("ORIYA",),
    "ta": ("TAMIL",),
    "te": ("TELUGU",),
    "kn": ("KANNADA",),
    "ml": ("MALAYALAM",),
    "si": ("SINHALA",),
    "km": ("KHMER",),
    "lo": ("LAO",),
}
"""Scripts of languages that are not written in Latin letters alone; Latin words within them are read too."""
_ALPHABETS: dict[str, tuple[str, ...]] = {
    "LATIN": ("az",),
    "CYRILLIC": ("ая",),
    "GREEK": ("αω",),
    "ARABIC": ("اي",),
    "HEBREW": ("את",),
    "DEVANAGARI": ("अह",),
    "BENGALI": ("অহ",),
    "ARMENIAN": ("աֆ",),
    "GEORGIAN": ("აჰ",),
    "HIRAGANA": ("ぁん",),
    "HANGUL": ("\u1100\u1112", "\u1161\u1175", "\u11a8\u11c2"),
    "TAMIL": ("அஹ",),
    "TELUGU": ("అహ",),
    "KANNADA": ("ಅಹ",),
    "MALAYALAM": ("അഹ",),
    "GUJARATI": ("અહ",),
    "GURMUKHI": ("ਅਹ",),
    "THAI": ("กฮ",),
}
"""First and last letters of alphabets that are in a row in Unicode; of Hangul the initials, the vowels, the finals."""
_SPACELESS = {"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR"}
"""Scripts that leave no spaces between words."""
_SHOWN = {"cmn": "zh"}
_OLD = {"grc", "yi", "hyw"}
"""Never meant where a script is all that is known."""
_SCRIPT_SUBTAG = 4
"""A subtag of so many letters names a script: `cmn-latn-pinyin`."""
_NAMES = {"CJK": "Chinese characters", "HIRAGANA": "kana", "KATAKANA": "kana", "HANGUL": "Hangul"}


def canonical(tag: str) -> str:
    """A tag in lower case with hyphens, other codes of a language replaced: `zh_CN` becomes `cmn-cn`."""
    plain = plain_tag(tag)
    for other, code in _ALIASES.items():
        if plain == other or plain.startswith(f"{other}-"):
            return code + plain[len(other) :]
    return plain


def base_of(tag: str) -> str:
    """The language of a tag without region, script and variant: `en` of `en-GB`."""
    return canonical(tag).partition("-")[0]


def is_english(tag: str) -> bool:
    """True for every kind of English."""
    return base_of(tag) == ENGLISH


def script_subtag(tag: str) -> str:
    """The script that a tag names, such as `latn`; empty where it names none, or a private one."""
    parts = canonical(tag).partition("-x-")[0].split("-")[1:]
    return next((p for p in parts if len(p) == _SCRIPT_SUBTAG and p.isalpha() and p != "qaaa"), "")


def matches(tag: str, wanted: str) -> bool:
    """True if a voice with this tag speaks a wanted language.

    `en` takes every English voice, `en-gb` British ones; a voice without a region (`de`) serves each (`de-AT`). Another
    script than the usual one (`cmn-latn-pinyin`) must be asked for.
    """
    has, asked = canonical(tag).split("-"), canonical(wanted).split("-")
    size = min(len(has), len(asked))
    if has[:size] != asked[:size]:
        return False
    mine, theirs = script_subtag(tag), script_subtag(wanted)
    # Chinese in Latin letters is read by voices for pinyin alone; what is plain Serbian reads both scripts.
    latin = theirs == "latn" and not {"LATIN"} & set(_SCRIPTS.get(base_of(wanted), ("LATIN",)))
    return mine == theirs if mine or latin else True


def any_matches(tags: Iterable[str], wanted: str) -> bool:
    """True if any of the tags speaks the wanted language."""
    return any(matches(tag, wanted) for tag in tags)


def scripts_of(language: str) -> tuple[str, ...]:
    """Scripts, by their Unicode names, that a language is written in; Latin words are read in all of them."""
    if script_subtag(language) == "latn":
        return ("LATIN",)
    return tuple(dict.fromkeys((*_SCRIPTS.get(base_of(language), ()), "LATIN")))


def script_of(letter: str) -> str:
    """Script of a letter by its Unicode name (`LATIN`, `CJK`); another word of the name where it has none."""
    first = unicodedata.name(letter, "UNKNOWN").replace("-", " ").split()[0]
    return "LATIN" if first in ("MASCULINE", "FEMININE") else first  # the ordinals º and ª


def foreign_letters(text: str, scripts: Iterable[str]) -> dict[str, str]:
    """Script to the letters of a text that belong to none of some scripts, in their order; marks and digits aside."""
    known = set(scripts)
    found: dict[str, str] = {}
    if text.isascii() and "LATIN" in known:
        return found
    for character in text:
        if character.isalpha() and unicodedata.category(character) != "Lm":
            script = script_of(character)
            if script not in known:
                found[script] = found.get(script, "") + character
    return found


def languages_of_script(script: str) -> list[str]:
    """Codes of the languages that are written in a script, the one with most speakers first."""
    return [shown(code) for code, scripts in _SCRIPTS.items() if script in scripts and code not in _OLD]


def shown(code: str) -> str:
    """The code that people know a language by: `zh` for `cmn`."""
    return _SHOWN.get(code, code)


def script_name(script: str) -> str:
    """How people call a script: `Cyrillic letters`."""
    return _NAMES.get(script, f"{script.capitalize()} letters")


def guessed_language(text: str) -> str:
    """The one language that the letters of a text can belong to; empty where there is none or more than one."""
    found: set[str] | None = None
    for script in foreign_letters(text, ("LATIN",)):
        codes = set(languages_of_script(script))
        found = codes if found is None else found & codes
    return found.pop() if found and len(found) == 1 else ""


def language_of_script(config: Config) -> str:
    """The language that the script of the first phrase allows alone, where the recipe speaks English; else empty.

    Empty too where the recipe gives a pronunciation, or synthesises nothing.
    """
    word = config.words[0]
    settled = word.say or word.phonemes or not config.synthesis.enabled or config.synthesis.language != ENGLISH
    return "" if settled else guessed_language(word.text)


def without_spaces(text: str) -> bool:
    """True if a text is written in a script that leaves no spaces between words."""
    return any(script_of(character) in _SPACELESS for character in text if character.isalpha())


def alphabet_of(language: str, text: str = "") -> str:
    """Letters to write other words of a language with: of its alphabet, and those of a text.

    Scripts without an alphabet, such as Chinese characters, give the text's own letters alone.
    """
    ranges = _ALPHABETS.get(scripts_of(language)[0], ())
    letters = [chr(code) for ends in ranges for code in range(ord(ends[0]), ord(ends[1]) + 1)]
    own = "" if is_english(language) else text.lower()
    return "".join(dict.fromkeys(letter for letter in (*letters, *own) if letter.isalpha()))
