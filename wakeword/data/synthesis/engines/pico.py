"""SVOX Pico: one female voice for each of six accents in five languages, a hundred times faster than real time.

The voices of early Android phones (Apache-2.0). The package contains C sources and needs a compiler to install.
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
"""The engine's pitch in percent, drawn for each clip; unlike `pitch` it does not change the formants."""
_VOLUME = 55
"""Volume in percent of the voices that are not English: at 100 %, 1 % of the samples of the German and Spanish voices
clip. English voices clip less and keep theirs, so that cached clips stay valid."""
_X_SAMPA = (
    r"tʃ=tS dʒ=dZ ɜː=3: ɑː=A: ɔː=O: iː=i: uː=u: ː= eɪ=eI aɪ=aI aʊ=aU ɔɪ=OI oʊ=@U əʊ=@U ɪə=I@ eə=E@ ʊə=U@ ɚ=@` ɝ=3: "
    r"ɜ=3: ɐ=@ ə=@ æ={ ɑ=A: a=A: ɒ=Q ɔ=O: o=O: ʌ=V ɛ=E e=E ɪ=I ᵻ=I i=i: ʊ=U u=u: ɾ=t θ=T ð=D ʃ=S ʒ=Z ŋ=N ɡ=g ɹ=r\\ "
    r'r=r\\ ɫ=l ʔ= ˈ=" ˌ=% ‿= .='
)
"""IPA and X-SAMPA symbols. X-SAMPA's backslash is doubled, since the engine reads one as an escape."""
_PLAIN = frozenset("bdfghjklmnpstvwz ")
_SYMBOLS = dict(pair.split("=") for pair in _X_SAMPA.split())
_LONGEST_FIRST = re.compile("|".join(map(re.escape, sorted(_SYMBOLS, key=len, reverse=True))) + "|.", re.DOTALL)


class Pico(Engine):
    """SVOX Pico: American, British, German, Spanish, French and Italian."""

    spec = "pico"
    takes_phonemes = True

    def __init__(self) -> None:
        import ttspico  # noqa: F401  # raises early where it is missing

    def identity(self) -> str:
        return package_version("ttspico")

    def languages(self) -> tuple[str, ...]:
        return tuple(name.lower() for name in VOICES)

    def voices(self, language: str = ENGLISH) -> list[Voice]:
        names = [name for name in VOICES if matches(name, language)]
        return [Voice(self.spec, name, (name,), "female", name.lower()) for name in names]

    def speaks_phonemes(self, language: str) -> bool:
        # `_SYMBOLS` is for English.
        return super().speaks_phonemes(language) and is_english(language)

    def speak(
        self, text: str, voice: str, rate: float, pitch: float, seed: int, phonemes: str = ""
    ) -> tuple[np.ndarray, int]:
        from ttspico import TtsEngine

        # A new engine takes a millisecond and keeps no state of earlier utterances.
        model = TtsEngine(voice)
        read_hz, engine_rate = resampled_pitch(SAMPLE_RATE_HZ, rate, pitch)
        # `set_property` clips values to their range; the attributes would raise.
        if not is_english(voice):
            model.set_property("volume", _VOLUME)
        model.set_property("rate", round(100 * engine_rate))
        model.set_property("pitch", int(np.random.default_rng(seed).integers(*MELODY, endpoint=True)))
        # Angle brackets are markup of the engine.
        markup = f"<phoneme ph='{as_x_sampa(phonemes)}'/>" if phonemes else re.sub("[<>]", " ", text)
        samples = np.frombuffer(model.speak(markup) or b"", dtype="<i2")
        if not len(samples):
            raise SpeechError(f"pico gave no sound for {text!r}")
        return samples.astype(np.float32) / 32768.0, read_hz


def as_x_sampa(ipa: str) -> str:
    """Convert English IPA to X-SAMPA.

    Raises:
        ConfigError: the voices have no sound for a symbol.
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
