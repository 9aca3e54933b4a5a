"""How the engines pronounce a phrase, before anything is synthesised, and whether they can read it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from rapidfuzz.distance.Levenshtein import distance as edit_distance

from wakeword.config import Config, WordConfig
from wakeword.data.synthesis.engine import Engine
from wakeword.data.synthesis.espeak import ipa_to_mnemonics, phonemes, switches, without_switches
from wakeword.data.synthesis.languages import foreign_letters, languages_of_script, script_name
from wakeword.data.synthesis.pronunciation import split_ipa, syllables_of
from wakeword.data.synthesis.roster import engine_of, speakers_of
from wakeword.errors import ConfigError

FEW_PHONEMES = 5
"""Phrases with fewer phonemes resemble many words: "siri" has four, "alexa" six, "hey nova" six."""
MOST_DIFFERENT = 0.4
"""Share of the phonemes in which two engines may differ: accents differ in a fifth, readings of "xiomi" in half."""
_PICTURES = 0x2190
"""First code point of pictures (arrows, dingbats, emoji); symbols below it, such as °, have names to read."""
_COMPATIBLE = (
    "FULLWIDTH",
    "HALFWIDTH",
    "MATHEMATICAL",
    "DOUBLE",
    "CIRCLED",
    "PARENTHESIZED",
    "SUBSCRIPT",
    "SUPERSCRIPT",
)
_EDGES = ".,;:!?\"'()[]{}«»“”‘’„…-\u2013\u2014"


@dataclass(frozen=True)
class Reading:
    """How one engine reads one spelling of a word.

    Attributes:
        engine: its spec.
        voices: number of its voices for the language.
        accents: their language tags.
        given: the engine's input: a text, or the user's phonemes in slashes.
        ipa: its pronunciation; None where unknown.
        phonemes, syllables: their numbers; 0 where unknown.
        fault: why the engine cannot read it; empty where it can.
    """

    engine: str
    voices: int
    accents: tuple[str, ...]
    given: str
    ipa: str | None
    phonemes: int
    syllables: int
    fault: str = ""


def engine_input(word: WordConfig, engine: Engine, language: str) -> tuple[str, tuple[str, ...]]:
    """Input of an engine for a word: phonemes, or else texts to use in turn."""
    if word.phonemes and engine.speaks_phonemes(language):
        return word.phonemes, ()
    return "", tuple(unicodedata.normalize("NFC", text) for text in word.say) or (word.text,)


def readings_of(config: Config, word: WordConfig) -> list[Reading]:
    """How every engine that speaks the language reads a word.

    Raises:
        ConfigError: no engine speaks the language.
        MissingExtraError: an engine is not installed.
    """
    synthesis = config.synthesis
    language = synthesis.language
    found = []
    for spec in speakers_of(synthesis):
        engine = engine_of(synthesis, spec)
        voices = engine.voices(language)
        accents = tuple(dict.fromkeys(voice.accent for voice in voices if voice.accent))
        given, texts = engine_input(word, engine, language)
        for text in texts or (f"/{given}/",):
            fault = "" if given else _fault(engine, text, language)
            ipa = given or (None if fault else engine.reading(text, language))
            if ipa is not None and not split_ipa(without_switches(ipa), language):
                fault = fault or f"it has no sound for {text!r}"
            plain = without_switches(ipa or "")
            count, syllables = len(split_ipa(plain, language)), syllables_of(plain, language)
            found.append(Reading(spec, len(voices), accents, text, ipa, count, syllables, fault))
    return found


def unable_of(config: Config, word: WordConfig) -> dict[str, str]:
    """Engines that cannot read a word or one of its respellings, and the reasons."""
    return {one.engine: one.fault for one in readings_of(config, word) if one.fault}


def check_phonemes(config: Config) -> None:
    """Check that engines can speak the phonemes in `words`.

    Raises:
        ConfigError: the language has no sound for a symbol, or no engine takes phonemes.
    """
    synthesis = config.synthesis
    specs = speakers_of(synthesis)
    for word in (word for word in config.words if word.phonemes):
        ipa_to_mnemonics(word.phonemes, synthesis.language)
        if not word.say and not any(engine_of(synthesis, spec).speaks_phonemes(synthesis.language) for spec in specs):
            raise ConfigError(
                f"words.phonemes of {word.label}: none of the engines {', '.join(specs)} takes phonemes: give "
                "respellings in words.say, or add the engine espeak"
            )


def check_reading(config: Config) -> list[str]:
    """Check that every word can be synthesised, and return remarks for the user, one sentence each.

    Raises:
        ConfigError: no engine can read a word; the message names remedies.
        MissingExtraError: an engine is not installed.
    """
    check_phonemes(config)
    return [note for word in config.words for note in word_notes(config, word, readings_of(config, word))]


def word_notes(config: Config, word: WordConfig, readings: list[Reading]) -> list[str]:
    """Remarks on one word; see `check_reading`.

    Raises:
        ConfigError: no engine can read it.
    """
    faults = {one.engine: one.fault for one in readings if one.fault}
    trained = {one.engine for one in readings} - set(faults) - set(config.synthesis.hold_out)
    if not trained:
        raise ConfigError(_refusal(config, word, faults))
    name, language = f"{word.text!r} ({word.label})", config.synthesis.language
    notes = [f"the engine {spec} does not speak {name}: {fault}" for spec, fault in faults.items()]
    able = [one for one in readings if one.ipa is not None and not one.fault]
    notes += [note for note in (_short(name, able), _different(name, able, language)) if note]
    if others := list(dict.fromkeys(tag for one in able for tag in switches(one.ipa or ""))):
        notes.append(f"a part of {name} is read by the rules of {', '.join(others)}, in the voices of {language}")
    for text in dict.fromkeys(one.given for one in able if not one.given.startswith("/")):
        if tokens := list(_odd_tokens(text, language)):
            notes.append(f"in {name} {', '.join(tokens)}: if that is wrong, write it out in the phrase or in words.say")
    return notes


def _fault(engine: Engine, text: str, language: str) -> str:
    """Why an engine cannot read the characters of a text; empty where it can."""
    pictures = "".join(dict.fromkeys(filter(_is_picture, text)))
    if pictures:
        return f"{pictures} is a picture, whose name some engines read and others skip: leave it out"
    scripts = engine.scripts(language)
    foreign = foreign_letters(text, scripts) if scripts else {}
    for script, letters in foreign.items():
        if script in _COMPATIBLE:
            plain = unicodedata.normalize("NFKC", text)
            return f"{letters} are {script.lower()} letters, which engines spell: write {plain!r}"
        few = f"{letters!r} is" if len(letters) == 1 else f"its {script_name(script)} are"
        return f"{few} not read in the language {language}"
    return ""


def _is_picture(character: str) -> bool:
    return unicodedata.category(character) in ("So", "Sk") and ord(character) >= _PICTURES


def _refusal(config: Config, word: WordConfig, faults: dict[str, str]) -> str:
    codes = [code for script in foreign_letters(word.text, ("LATIN",)) for code in languages_of_script(script)]
    others = [code for code in dict.fromkeys(codes) if code != config.synthesis.language][:4]
    spelled = f"set synthesis.language ({', '.join(others)}), " if others else ""
    by_fault: dict[str, list[str]] = {}
    for spec, fault in faults.items():
        by_fault.setdefault(fault, []).append(spec)
    why = "; ".join(f"{', '.join(specs)}: {fault}" for fault, specs in by_fault.items())
    return (
        f"words: no voice can say {word.text!r} of {word.label} ({why}): {spelled}write how it sounds in words.say or "
        "words.phonemes, or set synthesis.enabled=false and train on recordings of your own"
    )


def _short(name: str, able: list[Reading]) -> str:
    if not able:
        return ""
    least = min(able, key=lambda one: (one.syllables, one.phonemes))
    if least.syllables > 1 and least.phonemes >= FEW_PHONEMES:
        return ""
    phonemes = "one phoneme" if least.phonemes == 1 else f"{least.phonemes} phonemes"
    syllables = "one syllable" if least.syllables <= 1 else f"{least.syllables} syllables"
    return (
        f"{name} is very short ({syllables}, {phonemes}: {least.ipa}): much other speech sounds like it, "
        "so expect false alarms or misses; three or more syllables work best, such as two words"
    )


def _different(name: str, able: list[Reading], language: str) -> str:
    """A remark if two engines read one text as different words, since the positives would be two phrases."""
    first = able[0] if able else None
    for one in able[1:]:
        if first is None or one.given != first.given:
            continue
        a, b = split_ipa(first.ipa or "", language), split_ipa(one.ipa or "", language)
        if edit_distance(a, b) > MOST_DIFFERENT * max(len(a), len(b)):
            return (
                f"the engines read {name} differently ({first.engine}: {first.ipa}, {one.engine}: {one.ipa}): write "
                "how it sounds in words.say or words.phonemes"
            )
    return ""


def _odd_tokens(text: str, language: str) -> Iterator[str]:
    """Numbers, signs and abbreviations of a text, and their readings."""
    tokens = text.split()
    for place, token in enumerate(tokens):
        bare = token.strip(_EDGES)
        dotted = "." in bare or (token.endswith(".") and place < len(tokens) - 1 and 1 < len(token) <= 4)
        signs = any(unicodedata.category(c)[0] in "SN" or c in "&@#%*/+=" for c in token)
        capitals = len(bare) > 1 and bare.isupper() and text != text.upper()
        if not (dotted or signs or capitals or _is_spelled(bare, language)):
            continue
        (ipa,) = phonemes([token if dotted or signs else bare], language)
        yield f"{token!r} is read as {ipa.strip()}" if ipa.strip() else f"{token!r} is not read at all"


def _is_spelled(word: str, language: str) -> bool:
    """True if espeak spells a word letter by letter, such as "pst"."""
    letters = [letter for letter in word if letter.isalpha()]
    if len(letters) < 2 or len(letters) != len(word) or re.search("[\u1100-\u9fff\uac00-\ud7a3]", word):
        return False
    whole, *named = (split_ipa(ipa, language) for ipa in phonemes([word, *letters], language))
    return sum(map(len, named)) > len(letters) and whole == tuple(sound for one in named for sound in one)
