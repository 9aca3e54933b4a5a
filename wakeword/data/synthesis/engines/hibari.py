"""hibari: one clear American female voice (`heart`) in a 14 MB package; far faster than real time."""

from __future__ import annotations

from typing import Any

import numpy as np

from wakeword.config.synthesis import ENGLISH
from wakeword.data.synthesis.engine import Engine, SpeechError, Voice, package_version, resampled_pitch
from wakeword.data.synthesis.languages import matches

_MISAKI = (
    *(("eɪ", "A"), ("aɪ", "I"), ("aʊ", "W"), ("ɔɪ", "Y"), ("oʊ", "O"), ("əʊ", "O"), ("tʃ", "ʧ"), ("dʒ", "ʤ")),
    *(("ɜː", "ɜɹ"), ("ɚ", "əɹ"), ("ɐ", "ə"), ("r", "ɹ"), ("g", "ɡ"), ("ː", "")),
)


class Hibari(Engine):
    """The voices inside the package; others would need a download."""

    spec = "hibari"
    takes_phonemes = True

    def __init__(self) -> None:
        from hibari.voices import VOICES

        self._about = {name: voice for name, voice in sorted(VOICES.items()) if voice.get("bundled")}
        self._loaded: dict[str, Any] = {}
        self._read: dict[str, str] = {}

    def identity(self) -> str:
        return package_version("hibari-tts")

    def languages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._accent(name) for name in self._about))

    def _accent(self, name: str) -> str:
        return str(self._about[name].get("language", "")).lower() or ENGLISH

    def voices(self, language: str = ENGLISH) -> list[Voice]:
        return [
            Voice(self.spec, name, (name,), about.get("gender"), self._accent(name))
            for name, about in self._about.items()
            if matches(self._accent(name), language)
        ]

    def reading(self, text: str, language: str = ENGLISH) -> str | None:
        if text not in self._read:
            from hibari.g2p import G2P

            # The word lists take 100 MB and are released; readings are kept.
            self._read[text] = _from_misaki(G2P()(text))
        return self._read[text]

    def speak(
        self, text: str, voice: str, rate: float, pitch: float, seed: int, phonemes: str = ""
    ) -> tuple[np.ndarray, int]:
        if voice not in self._loaded:
            from hibari import Hibari as Model

            self._loaded[voice] = Model(voice, threads=1)
        model = self._loaded[voice]
        read_hz, engine_rate = resampled_pitch(model.sample_rate, rate, pitch)
        if phonemes:
            spoken = model.from_phonemes(_as_misaki(phonemes), speed=engine_rate, seed=seed)
        else:
            spoken = model(text, speed=engine_rate, seed=seed)
        audio = np.asarray(spoken, np.float32)
        if not len(audio):
            raise SpeechError(f"hibari gave no sound for {text!r}")
        return np.clip(audio, -1.0, 1.0), read_hz


def _as_misaki(ipa: str) -> str:
    """Convert IPA to the voice's alphabet: one letter per diphthong and affricate, no length marks."""
    for symbol, letter in _MISAKI:
        ipa = ipa.replace(symbol, letter)
    return ipa


def _from_misaki(phonemes: str) -> str:
    """Convert the voice's alphabet to IPA without punctuation; an ambiguous letter becomes the more frequent sound."""
    for symbol, letter in (*_MISAKI[:10], ("ɾ", "T"), ("ə", "ᵊ")):
        phonemes = phonemes.replace(letter, symbol)
    return "".join(symbol for symbol in phonemes if symbol.isalpha() or symbol in "ˈˌ ")


def make(argument: str = "") -> Engine:
    """The engine; it takes no argument."""
    return Hibari()
