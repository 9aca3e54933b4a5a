"""hibari: one clear American female voice (`heart`) in a 14 MB package, far faster than real time."""

from __future__ import annotations

from typing import Any

import numpy as np

from wakeword.data.synthesis.engine import Engine, SpeechError, Voice, package_version, resampled_pitch


class Hibari(Engine):
    """Only voices inside the package: others would be downloaded."""

    spec = "hibari"

    def __init__(self) -> None:
        from hibari.voices import VOICES

        self._names = sorted(name for name, voice in VOICES.items() if voice.get("bundled"))
        self._loaded: dict[str, Any] = {}

    def identity(self) -> str:
        return package_version("hibari-tts")

    def voices(self) -> list[Voice]:
        return [Voice(self.spec, name, (name,)) for name in self._names]

    def speak(self, text: str, voice: str, rate: float, pitch: float, seed: int) -> tuple[np.ndarray, int]:
        if voice not in self._loaded:
            from hibari import Hibari as Model

            self._loaded[voice] = Model(voice, threads=1)
        model = self._loaded[voice]
        read_hz, asked = resampled_pitch(model.sample_rate, rate, pitch)
        audio = np.asarray(model(text, speed=asked, seed=seed), np.float32)
        if not len(audio):
            raise SpeechError(f"hibari gave no sound for {text!r}")
        return np.clip(audio, -1.0, 1.0), read_hz


def make(argument: str = "") -> Engine:
    """The engine; it takes no argument."""
    return Hibari()
