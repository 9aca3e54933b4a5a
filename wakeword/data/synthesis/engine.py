"""What every text-to-speech engine offers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from wakeword.config.synthesis import ENGLISH
from wakeword.data.synthesis.languages import any_matches, scripts_of


@dataclass(frozen=True)
class Voice:
    """One voice of an engine.

    Attributes:
        engine: the engine's spec, such as `espeak`.
        name: unique within the engine.
        speakers: who is heard in it; a blend of two speakers names both. Splits keep speakers apart.
        gender: female or male, None where the engine does not tell.
        accent: language tag of the accent (`en-us`), None where the engine does not tell.
    """

    engine: str
    name: str
    speakers: tuple[str, ...] = field(default=())
    gender: str | None = None
    accent: str | None = None

    @property
    def speaker(self) -> str:
        """Speaker as the manifest names it."""
        return f"{self.engine.partition(':')[0]}:{'+'.join(self.speakers or (self.name,))}"


class Engine:
    """Base of the engines; `slow` ones are given short texts, `takes_phonemes` says that IPA can replace the text.

    An engine that says nothing of languages speaks English.
    """

    spec: str = ""
    slow: bool = False
    takes_phonemes: bool = False

    def languages(self) -> tuple[str, ...]:
        """Tags of the languages that it speaks; empty where it takes any."""
        return (ENGLISH,)

    def speaks(self, language: str) -> bool:
        """True if it has a voice for a language."""
        return not self.languages() or any_matches(self.languages(), language)

    def scripts(self, language: str) -> tuple[str, ...]:
        """Scripts that it reads in a language, by their Unicode names; empty where nobody knows."""
        return scripts_of(language)

    def voices(self, language: str = ENGLISH) -> list[Voice]:
        """Its voices for a language, in a fixed order; loads no model."""
        raise NotImplementedError

    def speaks_phonemes(self, language: str) -> bool:
        """True if IPA of a language can replace the text."""
        return self.takes_phonemes and self.speaks(language)

    def reading(self, text: str, language: str = ENGLISH) -> str | None:
        """IPA of what its voices would say, as far as they have sounds for it; None where nobody knows."""
        return None

    def speak(
        self, text: str, voice: str, rate: float, pitch: float, seed: int, phonemes: str = ""
    ) -> tuple[np.ndarray, int]:
        """Speak a text.

        Args:
            text: text in the voice's language.
            voice: `Voice.name`.
            rate: times the voice's normal speed.
            pitch: semitones above the voice's normal pitch.
            seed: varies the rendering where the engine can.
            phonemes: IPA that is spoken instead of the text, for engines with `takes_phonemes`.

        Returns:
            `(samples,)` float32 in [-1, 1] and the sample rate in Hz.

        Raises:
            SpeechError: the engine gave no sound.
        """
        raise NotImplementedError

    def identity(self) -> str:
        """Names the engine's version: another one speaks differently."""
        raise NotImplementedError


class SpeechError(ValueError):
    """An engine gave no sound for a text, or one that cannot be used; `reason` is its code in the quarantine table."""

    def __init__(self, detail: str, reason: str = "no_speech") -> None:
        super().__init__(detail)
        self.reason = reason


def resampled_pitch(sample_rate_hz: int, rate: float, pitch: float) -> tuple[int, float]:
    """Shift pitch and formants of a neural voice by playing it faster: a shorter vocal tract is another speaker.

    Returns:
        the rate at which the samples are to be read, and the speaking rate to ask of the engine so that the result
        has the wanted one.
    """
    factor = 2.0 ** (pitch / 12.0)
    return round(sample_rate_hz * factor), rate / factor


def package_version(*names: str) -> str:
    """Versions of installed packages, as one text."""
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in names:
        try:
            found.append(f"{name}={version(name)}")
        except PackageNotFoundError as error:
            raise ImportError(f"No package {name}") from error
    return ",".join(found)


def stable_seed(*parts: object) -> int:
    """A 31-bit seed from any values, the same on every machine."""
    text = "|".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
