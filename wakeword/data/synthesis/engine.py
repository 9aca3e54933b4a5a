"""What every text-to-speech engine offers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np


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
    """Base of the engines; `slow` ones are given short texts, `takes_phonemes` says that IPA can replace the text."""

    spec: str = ""
    slow: bool = False
    takes_phonemes: bool = False

    def voices(self) -> list[Voice]:
        """All voices, in a fixed order; loads no model."""
        raise NotImplementedError

    def speak(
        self, text: str, voice: str, rate: float, pitch: float, seed: int, phonemes: str = ""
    ) -> tuple[np.ndarray, int]:
        """Speak a text.

        Args:
            text: English text.
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
