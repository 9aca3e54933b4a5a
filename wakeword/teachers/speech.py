"""The teachers `hama` (a phoneme recogniser) and `speech_embedding` (the frozen network that the package holds)."""

from __future__ import annotations

from importlib.resources import as_file, files

import torch
import torch.nn.functional as F

from wakeword.audio.frontend import Frontend
from wakeword.config import SAMPLE_RATE_HZ, Config
from wakeword.config.frontend import FrontendConfig
from wakeword.errors import ConfigError
from wakeword.models.speech_embedding import (
    EMBEDDING,
    FRAME_STRIDE,
    LOOKBACK_FRAMES,
    N_MELS,
    WEIGHTS,
    SpeechEmbedding,
)
from wakeword.phonetics.hama import installed_archive
from wakeword.phonetics.recogniser import open_recogniser
from wakeword.system.files import sha256_of
from wakeword.teachers.registry import register_teacher


def _no_argument(name: str, argument: str) -> None:
    if argument:
        raise ConfigError(f"distillation.teacher = {name}:{argument}: {name} takes no argument: write {name}")


def _hama_hash(argument: str, config: Config) -> str:
    _no_argument("hama", argument)
    # As `Recogniser.fingerprint`, without loading the network.
    return f"hama-{sha256_of(installed_archive()[0])[:16]}"


@register_teacher("hama", "features", _hama_hash)
class HamaTeacher:
    """The last hidden layer of the phoneme recogniser, every 20 ms, and its log-probabilities (`PhoneticTeacher`)."""

    first_sample = 0
    # Attention reaches further; the convolutions of the four blocks hear this much.
    context_samples = SAMPLE_RATE_HZ
    longest_samples: int | None = None

    def __init__(self, argument: str, config: Config, device: torch.device) -> None:
        _no_argument("hama", argument)
        self.recogniser = open_recogniser("hama", device)
        self.fingerprint, self.tokens = self.recogniser.fingerprint, self.recogniser.tokens
        self.dims, self.rate_hz = self.recogniser.dims, self.recogniser.rate_hz
        self.step_samples = round(SAMPLE_RATE_HZ / self.rate_hz)

    def features(self, audio: torch.Tensor) -> torch.Tensor:
        """See `FeatureTeacher.features`."""
        return self.recogniser.features(audio)

    def log_probs(self, audio: torch.Tensor) -> torch.Tensor:
        """See `PhoneticTeacher.log_probs`."""
        return self.recogniser.log_probs(audio)


EMBEDDING_FRONTEND = FrontendConfig(
    n_mels=N_MELS, window_ms=25.0, f_min_hz=60.0, f_max_hz=3800.0, mel_scale="slaney", floor_db=-110.0
)
"""The front end that the published network was trained with, as in configs/demo.yaml."""


def _embedding_hash(argument: str, config: Config) -> str:
    _no_argument("speech_embedding", argument)
    with as_file(files("wakeword.models") / "weights" / WEIGHTS) as path:
        return f"speech_embedding {sha256_of(path)}"


@register_teacher("speech_embedding", "features", _embedding_hash)
class EmbeddingTeacher:
    """Embeddings of 0.76 s, every 80 ms, each at its middle; silence surrounds the audio."""

    dims = EMBEDDING
    longest_samples: int | None = None

    def __init__(self, argument: str, config: Config, device: torch.device) -> None:
        self.fingerprint = _embedding_hash(argument, config)
        self.frontend = Frontend(EMBEDDING_FRONTEND).to(device)
        self.body = SpeechEmbedding().to(device)
        hop = self.frontend.hop
        self.step_samples = hop * FRAME_STRIDE
        self.context_samples = hop * LOOKBACK_FRAMES // 2
        # The middle of the frames of the first embedding, the last sample of each being the end of its hop.
        middle = hop * (LOOKBACK_FRAMES + 1) / 2 - self.frontend.window / 2
        self.first_sample = round(middle - self.context_samples)

    @property
    def rate_hz(self) -> float:
        """See `FeatureTeacher.rate_hz`."""
        return SAMPLE_RATE_HZ / self.step_samples

    @torch.inference_mode()
    def features(self, audio: torch.Tensor) -> torch.Tensor:
        """See `FeatureTeacher.features`."""
        frames = -(-audio.shape[1] // self.step_samples)
        whole = self.frontend.hop * (LOOKBACK_FRAMES + FRAME_STRIDE * frames)
        padded = F.pad(audio, (self.context_samples, whole - self.context_samples - audio.shape[1]))
        mels, _ = self.frontend(padded, self.frontend.initial_state(len(padded)))
        return self.body(mels.transpose(1, 2)).transpose(1, 2)  # type: ignore[no-any-return]
