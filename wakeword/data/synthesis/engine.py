"""The interface of text-to-speech engines."""

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
        speakers: its speakers, two for a blend; no speaker is in two splits. Empty: the voice's name.
        gender: female or male; None where unknown.
        accent: language tag of the accent (`en-us`); None where unknown.
    """

    engine: str
    name: str
    speakers: tuple[str, ...] = field(default=())
    gender: str | None = None
    accent: str | None = None

    @property
    def speaker(self) -> str:
        """Speaker in the manifest, such as `espeak:f3`."""
        return f"{self.engine.partition(':')[0]}:{'+'.join(self.speakers or (self.name,))}"


class Engine:
    """Base of all engines. A subclass defines `spec`, `identity`, `voices` and `speak`; by default it speaks English.

    Attributes:
        spec: name in `synthesis.engines`.
        slow: the engine gets only short texts of other speech.
        takes_phonemes: `speak` accepts IPA instead of a text.
    """

    spec: str = ""
    slow: bool = False
    takes_phonemes: bool = False

    def languages(self) -> tuple[str, ...]:
        """Tags of its languages; empty for any language."""
        return (ENGLISH,)

    def speaks(self, language: str) -> bool:
        """True if it has voices for a language."""
        return not self.languages() or any_matches(self.languages(), language)

    def scripts(self, language: str) -> tuple[str, ...]:
        """Unicode names of the scripts that it reads in a language; empty where unknown."""
        return scripts_of(language)

    def voices(self, language: str = ENGLISH) -> list[Voice]:
        """Its voices for a language, in a fixed order, without loading a model."""
        raise NotImplementedError

    def speaks_phonemes(self, language: str) -> bool:
        """True if IPA of a language can replace the text."""
        return self.takes_phonemes and self.speaks(language)

    def reading(self, text: str, language: str = ENGLISH) -> str | None:
        """IPA of its pronunciation of a text, limited to sounds that its voices have; None where unknown."""
        return None

    def speak(
        self, text: str, voice: str, rate: float, pitch: float, seed: int, phonemes: str = ""
    ) -> tuple[np.ndarray, int]:
        """Synthesise a text.

        Args:
            text: in the voice's language.
            voice: `Voice.name`.
            rate: times the voice's normal speed.
            pitch: semitones above the voice's normal pitch.
            seed: of random variation, for engines that have any.
            phonemes: IPA to speak instead of the text, for engines with `takes_phonemes`.

        Returns:
            `(samples,)` float32 in [-1, 1] and the sample rate in Hz.

        Raises:
            SpeechError: the engine gave no sound.
        """
        raise NotImplementedError

    def identity(self) -> str:
        """Version of everything that the engine's output depends on; part of the key of cached clips."""
        raise NotImplementedError


class SpeechError(ValueError):
    """An engine gave no audio, or unusable audio; `reason` is the code in the quarantine table."""

    def __init__(self, detail: str, reason: str = "no_speech") -> None:
        super().__init__(detail)
        self.reason = reason


def resampled_pitch(sample_rate_hz: int, rate: float, pitch: float) -> tuple[int, float]:
    """Shift pitch (semitones) and formants of a neural voice by playback at another sample rate.

    Returns:
        the sample rate in Hz to read the output at, and the speaking rate to request so that the result has `rate`.
    """
    factor = 2.0 ** (pitch / 12.0)
    return round(sample_rate_hz * factor), rate / factor


def package_version(*names: str) -> str:
    """Names and versions of installed packages as one text.

    Raises:
        ImportError: one is not installed.
    """
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
