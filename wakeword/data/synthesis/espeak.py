"""espeak-ng through its C library: thousands of (robotic) voices from accents, variants and pitch; fast."""

from __future__ import annotations

import _ctypes
import ctypes
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from wakeword.config.synthesis import ENGLISH
from wakeword.data.synthesis.engine import Engine, SpeechError, Voice, package_version
from wakeword.data.synthesis.espeak_data import (
    accents_of,
    data_folder,
    phoneme_names,
    reader_of,
    spoken_languages,
)
from wakeword.data.synthesis.languages import base_of, foreign_letters, is_english, scripts_of
from wakeword.errors import ConfigError

_STRANGE = {"whisper", "whisperf", "croak", "Demonic", "UniRobot", "Storm", "anikaRobot", "fast", "Tweaky"}
"""Variants unlike any person: whispers and effects."""
_UNSTEADY = {"Reed", "caleb"}
"""Variants whose samples differ between runs with the same seed."""
_ODD_PREFIX = ("robosoft", "klatt")

_RETRIEVAL_SYNCHRONOUS = 2
_KEEP_PROCESS = 1 << 15
_UTF8 = 1
_PHONEMES = 0x100
"""Text in double brackets is phonemes."""
_IPA, _SEPARATED = 0x02, ord("_") << 8
_LONGEST = 4
"""Letters of the longest IPA symbol of one phoneme."""
_STRESS = {"ˈ": "'", "ˌ": ",", " ": " ", ".": "", "‿": ""}
_MARKS = re.compile(r"[ˈˌ',\s]")
_TONES = "123456789ɜ"
"""Characters of tones; espeak writes tone 35 as a lone ɜ."""
_SWITCH = re.compile(r"\([a-z][a-z0-9-]*\)")
"""espeak's mark of a switch to the rules of another language."""
_RATE, _PITCH = 1, 3
_NORMAL_WPM, _NORMAL_PITCH, _PITCH_PER_SEMITONE = 160, 50, 6.0
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class _Library:
    """A loaded copy of the C library, whose state is global."""

    def __init__(self) -> None:
        import espeakng_loader

        self.lib = ctypes.CDLL(espeakng_loader.get_library_path())
        self.blocks: list[np.ndarray] = []
        self.lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
        data = espeakng_loader.get_data_path()
        rate = self.lib.espeak_Initialize(_RETRIEVAL_SYNCHRONOUS, 0, data.encode(), _KEEP_PROCESS)
        if rate <= 0:
            raise SpeechError(f"espeak-ng could not start with the data in {data}")
        self.sample_rate_hz = int(rate)
        self._callback = _CALLBACK(self._receive)  # a reference, since the library stores a pointer only
        self.lib.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        if count > 0 and samples:
            self.blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def set_voice(self, voice: str) -> None:
        if self.lib.espeak_SetVoiceByName(voice.encode()) != 0:
            raise SpeechError(f"espeak-ng has no voice {voice!r}")

    def close(self) -> None:
        self.lib.espeak_Terminate()
        _ctypes.dlclose(self.lib._handle)


_lock = threading.Lock()


@contextmanager
def _library() -> Iterator[_Library]:
    """Load a fresh copy of the library and unload it.

    The wave generator keeps state between utterances, even across `espeak_Initialize`, so that equal requests would
    sound slightly different. A fresh copy takes 6 ms and makes every utterance repeatable.
    """
    with _lock:
        library = _Library()
        try:
            yield library
        finally:
            library.close()


class Espeak(Engine):
    """espeak-ng. A voice is `accent+variant`, with an accent of the language; its speaker is the variant."""

    spec = "espeak"
    takes_phonemes = True

    def __init__(self) -> None:
        self._data: Path = data_folder()

    def identity(self) -> str:
        return package_version("espeakng-loader")

    def languages(self) -> tuple[str, ...]:
        return spoken_languages()

    def speaks(self, language: str) -> bool:
        return bool(accents_of(language))

    def voices(self, language: str = ENGLISH) -> list[Voice]:
        names = sorted(path.name for path in (self._data / "voices" / "!v").iterdir() if path.is_file())
        kept = [n for n in names if n not in _STRANGE | _UNSTEADY and not n.startswith(_ODD_PREFIX)]
        genders, accents = {name: self._gender(name) for name in kept}, accents_of(language)
        return [
            Voice(self.spec, f"{accent}+{name}", (name,), genders[name], accent) for name in kept for accent in accents
        ]

    def scripts(self, language: str) -> tuple[str, ...]:
        return readable_scripts(language)

    def reading(self, text: str, language: str = ENGLISH) -> str | None:
        return readings([text], language)[0]

    def _gender(self, variant: str) -> str | None:
        """Gender from the line `gender female [AGE]` of the variant's file."""
        text = (self._data / "voices" / "!v" / variant).read_text(encoding="utf-8", errors="replace")
        found = re.search(r"^gender\s+(female|male)\b", text, re.MULTILINE | re.IGNORECASE)
        return found[1].lower() if found else None

    def speak(
        self, text: str, voice: str, rate: float, pitch: float, seed: int, phonemes: str = ""
    ) -> tuple[np.ndarray, int]:
        if phonemes:
            text = f"[[{ipa_to_mnemonics(phonemes, voice.partition('+')[0])}]]"
        with _library() as espeak:
            espeak.lib.espeak_ng_SetRandSeed(seed)
            espeak.set_voice(voice)
            espeak.lib.espeak_SetParameter(_RATE, int(np.clip(round(_NORMAL_WPM * rate), 80, 450)), 0)
            tone = int(np.clip(round(_NORMAL_PITCH + _PITCH_PER_SEMITONE * pitch), 0, 99))
            espeak.lib.espeak_SetParameter(_PITCH, tone, 0)
            data = text.encode()
            status = espeak.lib.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8 | _PHONEMES, None, None)
            espeak.lib.espeak_Synchronize()
            blocks = list(espeak.blocks)
        if status != 0 or not blocks:
            raise SpeechError(f"espeak-ng gave no sound for {text!r} as {voice}")
        return np.concatenate(blocks).astype(np.float32) / 32768.0, espeak.sample_rate_hz


def phonemes(texts: Sequence[str], language: str = ENGLISH) -> list[str]:
    """IPA of texts with stress marks; clauses are joined by a space.

    The IPA is empty for a language that espeak does not speak, and for a text in a script that it does not read.

    Raises:
        ImportError: espeakng-loader is not installed.
    """
    return [without_switches(ipa) for ipa in readings(texts, language)]


def readings(texts: Sequence[str], language: str = ENGLISH) -> list[str]:
    """As `phonemes`, with espeak's marks of switches to another language: `(en)həlˈəʊ(ru)`."""
    accent, scripts = reader_of(language), readable_scripts(language)
    if not accent:
        return [""] * len(texts)
    with _library() as espeak:
        espeak.set_voice(accent)
        # espeak would name letters of other scripts ("Chinese letter") or switch to another language.
        return ["" if foreign_letters(text, scripts) else _phonemes_of(espeak, text, _IPA) for text in texts]


def without_switches(ipa: str) -> str:
    """IPA without the marks of other languages."""
    return _SWITCH.sub("", ipa)


def switches(ipa: str) -> list[str]:
    """Tags of the other languages whose rules apply to parts of IPA."""
    found = [mark.strip("()") for mark in _SWITCH.findall(ipa)]
    return list(dict.fromkeys(found[::2]))


def readable_scripts(language: str) -> tuple[str, ...]:
    """Scripts that espeak reads in a language; of Japanese only kana."""
    found = scripts_of(language)
    return tuple(script for script in found if script != "CJK") if base_of(language) == "ja" else found


def ipa_to_mnemonics(ipa: str, language: str = ENGLISH) -> str:
    """Convert IPA to espeak's phoneme mnemonics, which it speaks inside double brackets.

    Args:
        ipa: symbols of the language.
        language: its tag, or one of its accents.

    Raises:
        ConfigError: the language has no sound for a symbol.
        ImportError: espeakng-loader is not installed.
    """
    english = is_english(language)
    table = _mnemonics() if english else _mnemonics_of(reader_of(language))
    found, at, ipa = [], 0, ipa.strip()
    while at < len(ipa):
        size = next((n for n in range(_LONGEST, 0, -1) if ipa[at : at + n] in table), 0)
        if not size:
            name = "English" if english else f"the language {language}"
            raise ConfigError(
                f"words.phonemes: {ipa[at]!r} in {ipa!r} is no sound of {name}: write IPA with the symbols "
                f"{' '.join(sorted(symbol for symbol in table if symbol.strip()))}"
            )
        found.append(table[ipa[at : at + size]])
        at += size
    # A bar separates names that would merge: t and S are not the tS of church.
    return re.sub(r"\|+(?= )|(?<= )\|+|(?<=[',])\|", "", "|".join(found)).strip("|")


def speakable(ipa: str, language: str = ENGLISH) -> bool:
    """True if espeak has a sound of the language for every symbol."""
    try:
        ipa_to_mnemonics(ipa, language)
    except ConfigError:
        return False
    return True


@cache
def _mnemonics() -> dict[str, str]:
    """English IPA symbols and espeak's mnemonics, aligned from espeak's output of the same words in both notations."""
    from wakeword.data.synthesis.sentences import vocabulary

    counts: dict[str, Counter[str]] = {}
    with _library() as espeak:
        espeak.set_voice("en-us")
        for word in vocabulary():
            ways = [_phonemes_of(espeak, word, mode | _SEPARATED) for mode in (_IPA, 0)]
            symbols, names = (re.split(r"[_ ]+", re.sub(r"[ˈˌ',]", "", way)) for way in ways)
            if len(symbols) == len(names):
                for symbol, name in zip(symbols, names, strict=True):
                    counts.setdefault(symbol, Counter())[name] += 1
    table = {symbol: names.most_common(1)[0][0] for symbol, names in counts.items() if 0 < len(symbol) <= _LONGEST}
    plain = {bare: table[symbol] for symbol in table if (bare := symbol.rstrip("ː")) not in table}
    return {**table, **plain, **_STRESS, "r": table["ɹ"], "g": table["ɡ"]}


@cache
def _mnemonics_of(accent: str) -> dict[str, str]:
    """The same for any accent, from the IPA that the library writes for each of its phonemes.

    A phoneme is tried within a word first, where finals are not devoiced, then alone and stressed, a tone after a
    vowel. The language's own phonemes precede those of the tables that it extends.
    """
    table: dict[str, str] = {}
    if not accent:
        return table
    names = [name for name in phoneme_names(accent) if not name.startswith(("_", "#"))]
    with _library() as espeak:
        espeak.set_voice(accent)
        # Only synthesis enables phonemes in double brackets.
        espeak.lib.espeak_Synth(b" ", 2, 0, 1, 0, _UTF8 | _PHONEMES, None, None)
        espeak.lib.espeak_Synchronize()

        def parts(written: str) -> list[str]:
            ipa = _phonemes_of(espeak, f"[[{written}]]", _IPA | _SEPARATED)
            return [part for part in _MARKS.sub("", ipa).split("_") if part]

        for way, place, count in (("{}|a", 0, 2), ("{}", 0, 1), ("'{}", 0, 1)):
            for name in (name for name in names if not name.isdigit()):
                found = parts(way.format(name))
                if len(found) == count and 0 < len(found[place]) <= _LONGEST:
                    table.setdefault(found[place].rstrip(_TONES), name)
        # Tones may have equal IPA, so that their names, such as 51, are symbols as well.
        tones = [name for name in names if name.isdigit()]
        for symbol, name in [(name, name) for name in tones] + [
            ("".join(parts(f"a{name}"))[1:], name) for name in tones
        ]:
            table.setdefault(symbol, name)
    table.pop("", None)
    plain = {bare: table[symbol] for symbol in table if (bare := symbol.rstrip("ː")) not in table}
    return {**plain, **table, **_STRESS, "ː": ":", "ʲ": ";", "g": table.get("ɡ", "g")}


def _phonemes_of(espeak: _Library, text: str, mode: int) -> str:
    # espeak drops a last clause of one character ("hey nova. 5") without a space after it.
    data = ctypes.c_char_p(f"{text} ".encode())
    pointer = ctypes.pointer(data)
    clauses = []
    while pointer.contents.value:
        clause = espeak.lib.espeak_TextToPhonemes(ctypes.cast(pointer, ctypes.c_void_p), _UTF8, mode)
        clauses.append((clause or b"").decode())
    return " ".join(clause for clause in clauses if clause)


def make(argument: str = "") -> Engine:
    """The engine; it takes no argument."""
    return Espeak()
