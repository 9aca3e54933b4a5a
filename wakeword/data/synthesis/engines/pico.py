"""SVOX Pico: women of six accents in five languages, a hundred times faster than real time.

Apache-2.0; the voices of early Android phones. The package brings C sources: it needs a compiler to install.
"""

from __future__ import annotations

import re

import numpy as np

from wakeword.config.synthesis import ENGLISH
from wakeword.data.synthesis.engine import Engine, SpeechError, Voice, package_version, resampled_pitch
from wakeword.data.synthesis.languages import is_english, matches
from wakeword.errors import ConfigError

VOICES = ("en-US", "en-GB", "de-DE", "es-ES", "fr-FR", "it-IT")
SAMPLE_RATE_HZ = 16_000
MELODY = (70, 150)
"""Pitch of the voice itself in percent, drawn for each clip: unlike `pitch`, it leaves the vocal tract as it is."""
_VOLUME = 55
"""Percent: at their own volume, 1 % of the samples of the German and the Spanish voice are clipped. The English ones
keep theirs, with less than that, so that what was spoken once stays as it is."""
_R = "r" + 2 * chr(92)
"""The engine reads a backslash as an escape: the sign of X-SAMPA is given twice."""
_X_SAMPA = (
    *(("tʃ", "tS"), ("dʒ", "dZ"), ("ɜː", "3:"), ("ɑː", "A:"), ("ɔː", "O:"), ("iː", "i:"), ("uː", "u:"), ("ː", "")),
    *(("eɪ", "eI"), ("aɪ", "aI"), ("aʊ", "aU"), ("ɔɪ", "OI"), ("oʊ", "@U"), ("əʊ", "@U"), ("ɪə", "I@"), ("eə", "E@")),
    *(
        ("ʊə", "U@"),
        ("ɚ", "@`"),
        ("ɝ", "3:"),
        ("ɜ", "3:"),
        ("ɐ", "@"),
        ("ə", "@"),
        ("æ", "{"),
        ("ɑ", "A:"),
        ("a", "A:"),
    ),
    *(("ɒ", "Q"), ("ɔ", "O:"), ("o", "O:"), ("ʌ", "V"), ("ɛ", "E"), ("e", "E"), ("ɪ", "I"), ("ᵻ", "I"), ("i", "i:")),
    *(("ʊ", "U"), ("u", "u:"), ("ɾ", "t"), ("θ", "T"), ("ð", "D"), ("ʃ", "S"), ("ʒ", "Z"), ("ŋ", "N"), ("ɡ", "g")),
    *(("ɹ", _R), ("r", _R), ("ɫ", "l"), ("ʔ", ""), ("ˈ", '"'), ("ˌ", "%"), ("‿", ""), (".", "")),
)
_PLAIN = frozenset("bdfghjklmnpstvwz ")
_SYMBOLS = dict(_X_SAMPA)
_LONGEST_FIRST = re.compile("|".join(map(re.escape, sorted(_SYMBOLS, key=len, reverse=True))) + "|.", re.DOTALL)


class Pico(Engine):
    """A woman for each of six accents: two of English, and German, Spanish, French and Italian."""

    spec = "pico"
    takes_phonemes = True

    def __init__(self) -> None:
        import ttspico  # noqa: F401  # that it is there is all that planning asks

    def identity(self) -> str:
        return package_version("ttspico")

    def languages(self) -> tuple[str, ...]:
        return tuple(name.lower() for name in VOICES)

    def voices(self, language: str = ENGLISH) -> list[Voice]:
        names = [name for name in VOICES if matches(name, language)]
        return [Voice(self.spec, name, (name,), "female", name.lower()) for name in names]

    def speaks_phonemes(self, language: str) -> bool:
        # The table of symbols is one of English.
        return super().speaks_phonemes(language) and is_english(language)

    def speak(
        self, text: str, voice: str, rate: float, pitch: float, seed: int, phonemes: str = ""
    ) -> tuple[np.ndarray, int]:
        from ttspico import TtsEngine

        # Afresh for each utterance, in a millisecond: nothing is left of the one before.
        model = TtsEngine(voice)
        read_hz, asked = resampled_pitch(SAMPLE_RATE_HZ, rate, pitch)
        # Out of range, the engine takes the nearest value; the property would raise.
        if not is_english(voice):
            model.set_property("volume", _VOLUME)
        model.set_property("rate", round(100 * asked))
        model.set_property("pitch", int(np.random.default_rng(seed).integers(*MELODY, endpoint=True)))
        # Angle brackets are the engine's own markup.
        said = f"<phoneme ph='{as_x_sampa(phonemes)}'/>" if phonemes else re.sub("[<>]", " ", text)
        samples = np.frombuffer(model.speak(said) or b"", dtype="<i2")
        if not len(samples):
            raise SpeechError(f"pico gave no sound for {text!r}")
        return samples.astype(np.float32) / 32768.0, read_hz


def as_x_sampa(ipa: str) -> str:
    """English IPA in the letters of X-SAMPA.

    Raises:
        ConfigError: a symbol that the voices have no sound for.
    """

    def letter(match: re.Match[str]) -> str:
        symbol = match[0]
        if symbol not in _SYMBOLS and symbol not in _PLAIN:
            raise ConfigError(f"words.phonemes: pico has no sound for {symbol!r} in {ipa!r}: write English IPA")
        return _SYMBOLS.get(symbol, symbol)

    return _LONGEST_FIRST.sub(letter, ipa.strip())


def make(argument: str = "") -> Engine:
    """The engine; it takes no argument."""
    return Pico()
