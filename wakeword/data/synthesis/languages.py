"""Language tags (BCP 47, as espeak writes them): matching, scripts and alphabets."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

from wakeword.config.synthesis import ENGLISH, plain_tag

if TYPE_CHECKING:
    from wakeword.config import Config

_ALIASES = {"zh-cmn": "cmn", "zh-yue": "yue", "zh": "cmn", "no": "nb", "iw": "he", "in": "id", "sh": "hr", "ji": "yi"}
"""Other codes of a language: ISO 639-3 macrolanguages (to their main member), withdrawn codes, extended subtags."""

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
"""Scripts of languages that do not use Latin letters alone; Latin words in their texts are read as well."""
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
"""First and last letters of contiguous Unicode ranges; of Hangul the initials, vowels and finals."""
_SPACELESS = {"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR"}
"""Scripts without spaces between words."""
_COMMON = {"cmn": "zh"}
_OLD = {"grc", "yi", "hyw"}
"""Never guessed from a script alone."""
_SCRIPT_SUBTAG = 4
"""Number of letters of a script subtag: `cmn-latn-pinyin`."""
_NAMES = {"CJK": "Chinese characters", "HIRAGANA": "kana", "KATAKANA": "kana", "HANGUL": "Hangul"}


def canonical(tag: str) -> str:
    """Normalise a tag: lower case, hyphens, one code per language: `zh_CN` becomes `cmn-cn`."""
    plain = plain_tag(tag)
    for other, code in _ALIASES.items():
        if plain == other or plain.startswith(f"{other}-"):
            return code + plain[len(other) :]
    return plain


def base_of(tag: str) -> str:
    """The language of a tag without region, script and variant: `en` for `en-GB`."""
    return canonical(tag).partition("-")[0]


def is_english(tag: str) -> bool:
    """True for every variety of English."""
    return base_of(tag) == ENGLISH


def script_subtag(tag: str) -> str:
    """The script in a tag, such as `latn`; empty where there is none, or a private one."""
    parts = canonical(tag).partition("-x-")[0].split("-")[1:]
    return next((p for p in parts if len(p) == _SCRIPT_SUBTAG and p.isalpha() and p != "qaaa"), "")


def matches(tag: str, wanted: str) -> bool:
    """True if a voice with this tag speaks a wanted language.

    `en` matches every English voice, `en-gb` British ones; a voice without a region (`de`) matches every region
    (`de-AT`). A script other than the usual one (`cmn-latn-pinyin`) matches only when it is requested.
    """
    parts, requested = canonical(tag).split("-"), canonical(wanted).split("-")
    size = min(len(parts), len(requested))
    if parts[:size] != requested[:size]:
        return False
    mine, theirs = script_subtag(tag), script_subtag(wanted)
    # Only pinyin voices read Chinese in Latin letters; Serbian voices read both scripts.
    latin = theirs == "latn" and not {"LATIN"} & set(_SCRIPTS.get(base_of(wanted), ("LATIN",)))
    return mine == theirs if mine or latin else True


def any_matches(tags: Iterable[str], wanted: str) -> bool:
    """True if any of the tags matches the wanted language."""
    return any(matches(tag, wanted) for tag in tags)


def scripts_of(language: str) -> tuple[str, ...]:
    """Unicode names of a language's scripts; always with LATIN."""
    if script_subtag(language) == "latn":
        return ("LATIN",)
    return tuple(dict.fromkeys((*_SCRIPTS.get(base_of(language), ()), "LATIN")))


def script_of(letter: str) -> str:
    """Script of a letter from its Unicode name (`LATIN`, `CJK`): the first word."""
    first = unicodedata.name(letter, "UNKNOWN").replace("-", " ").split()[0]
    return "LATIN" if first in ("MASCULINE", "FEMININE") else first  # the ordinals º and ª


def foreign_letters(text: str, scripts: Iterable[str]) -> dict[str, str]:
    """Letters of a text outside some scripts, by script and in order; marks and digits are ignored."""
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
    """Codes of the languages that use a script, the one with most speakers first."""
    return [common_code(code) for code, scripts in _SCRIPTS.items() if script in scripts and code not in _OLD]


def common_code(code: str) -> str:
    """The common code of a language: `zh` for `cmn`."""
    return _COMMON.get(code, code)


def script_name(script: str) -> str:
    """Name of a script in messages: `Cyrillic letters`."""
    return _NAMES.get(script, f"{script.capitalize()} letters")


def guessed_language(text: str) -> str:
    """The only language that uses the letters of a text; empty where there is none or several."""
    found: set[str] | None = None
    for script in foreign_letters(text, ("LATIN",)):
        codes = set(languages_of_script(script))
        found = codes if found is None else found & codes
    return found.pop() if found and len(found) == 1 else ""


def language_of_script(config: Config) -> str:
    """The only language of the first phrase's script, for a recipe in English; else empty.

    It is also empty where the recipe gives a pronunciation or synthesises nothing.
    """
    word = config.words[0]
    settled = word.say or word.phonemes or not config.synthesis.enabled or config.synthesis.language != ENGLISH
    return "" if settled else guessed_language(word.text)


def without_spaces(text: str) -> bool:
    """True if a text has letters of a script without spaces between words."""
    return any(script_of(character) in _SPACELESS for character in text if character.isalpha())


def alphabet_of(language: str, text: str = "") -> str:
    """Letters for invented spellings: those of the language's alphabet and of a text.

    For scripts without an alphabet, such as Chinese characters, only the letters of the text.
    """
    ranges = _ALPHABETS.get(scripts_of(language)[0], ())
    letters = [chr(code) for ends in ranges for code in range(ord(ends[0]), ord(ends[1]) + 1)]
    own = "" if is_english(language) else text.lower()
    return "".join(dict.fromkeys(letter for letter in (*letters, *own) if letter.isalpha()))
