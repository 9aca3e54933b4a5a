"""Small classifier heads on a frozen, public speech-embedding network: the family for a phrase without recordings.

The body is Google's `speech_embedding` (Lin, Kilgour, Roblek and Sharifi 2020, "Training keyword spotters with limited
and synthesized speech data"; Apache-2.0). Its weights are part of the package (source: `weights/README.md`) and stay
frozen; only the heads are trained. The published model processes a window of 76 frames for every embedding; here its
convolutions stream, so that each frame is processed once, with the same results.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

import torch
from torch import Tensor, nn

from wakeword.config.model import ModelConfig
from wakeword.errors import ConfigError
from wakeword.models.blocks import Context, SlidingMean, StreamCache, StreamConv1d, classifier
from wakeword.models.registry import KeywordModel, register, scaled_channels

WEIGHTS = "speech_embedding.safetensors"
EMBEDDING = 96
N_MELS = 32
FRAME_STRIDE = 8
LOOKBACK_FRAMES = 76
"""Receptive field of one embedding, in feature frames."""
SLOPE, FLOOR = 0.2, -0.4
"""Of the body's activation: max(leaky_relu(x), floor)."""
FEATURE_SCALE, FEATURE_SHIFT = 2.0, 10.03
"""From our log-mel, (dB below full scale + 50) / 20, to the body's input: dB of a power spectrum of 16-bit samples
(130.3 dB more), divided by 10, plus 2."""
CLIPS_IN_CACHE = 8
"""Clips per call on a CPU: with channels last, 8 clips of 3 s at a time took 60 % of the time of all 64 at once."""
# Channels out, kernel (mels, time), mels in; then pooling by (mels, time), or none.
_LAYERS: tuple[tuple[int, tuple[int, int], tuple[int, int] | None], ...] = (
    (24, (3, 3), None),
    (24, (3, 1), None),
    (24, (1, 3), (2, 2)),
    (48, (3, 1), None),
    (48, (1, 3), None),
    (48, (3, 1), None),
    (48, (1, 3), (2, 1)),
    (72, (3, 1), None),
    (72, (1, 3), None),
    (72, (3, 1), None),
    (72, (1, 3), (2, 2)),
    (96, (3, 1), None),
    (96, (1, 3), None),
    (96, (3, 1), None),
    (96, (1, 3), (2, 1)),
    (96, (3, 1), None),
    (96, (1, 3), None),
    (96, (3, 1), None),
    (96, (1, 3), (2, 2)),
    (EMBEDDING, (1, 3), None),
)


class SpeechEmbedding(nn.Module):
    """The frozen body: `(batch, mels, frames)` log-mels to `(batch, 96, frames / 8)` embeddings."""

    def __init__(self) -> None:
        super().__init__()
        inputs, mels = 1, N_MELS
        convs, contexts, self.pools = [], [], []
        for outputs, kernel, pool in _LAYERS:
            convs.append(nn.Conv2d(inputs, outputs, kernel, padding=(kernel[0] // 2, 0)))
            contexts.append(Context((inputs, mels), kernel[1] - 1))
            self.pools.append(pool)
            inputs, mels = outputs, mels // (pool[0] if pool else 1)
        # The published last layer has no bias.
        convs[-1].register_parameter("bias", None)
        self.convs, self.contexts = nn.ModuleList(convs), nn.ModuleList(contexts)
        self.load_state_dict(_weights())
        self.requires_grad_(False)

    def forward(self, mels: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Valid offline, an embedding per 8 frames when streaming."""
        if cache is not None or mels.device.type != "cpu":
            return self._embed(mels, cache)
        return torch.cat([self._embed(part, None) for part in mels.split(CLIPS_IN_CACHE)])

    def _embed(self, mels: Tensor, cache: StreamCache | None) -> Tensor:
        value = (FEATURE_SCALE * mels + FEATURE_SHIFT).unsqueeze(1)
        last = len(self.convs) - 1
        for place, (conv, context, pool) in enumerate(zip(self.convs, self.contexts, self.pools, strict=True)):
            value = conv(context(value, cache))
            if cache is None and place == 0:
                # Later layers keep this memory format.
                value = value.contiguous(memory_format=torch.channels_last)
            if place < last:
                value = nn.functional.leaky_relu(value, SLOPE).clamp(min=FLOOR)
            if pool:
                value = nn.functional.max_pool2d(value, pool)
        return value.squeeze(2)


@cache
def _weights() -> dict[str, Tensor]:
    from safetensors.torch import load_file

    with as_file(files("wakeword.models") / "weights" / WEIGHTS) as path:
        return load_file(path)


class Head(nn.Module):
    """Convolutions over embeddings and a classifier: `(batch, 96, time)` to `(batch, words, time)`."""

    KERNEL, DEPTH = 3, 3

    def __init__(self, channels: int, words: int, dropout: float) -> None:
        super().__init__()
        widths = [EMBEDDING, *[channels] * (self.DEPTH - 1)]
        self.layers = nn.ModuleList(StreamConv1d(width, channels, self.KERNEL) for width in widths)
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) for _ in widths)
        self.dropout = nn.Dropout(dropout)
        self.classify = classifier(channels, words)
        self.lookback = self.DEPTH * (self.KERNEL - 1)

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Valid offline; streaming keeps the number of embeddings."""
        for layer, norm in zip(self.layers, self.norms, strict=True):
            value = self.dropout(nn.functional.relu(norm(layer(value, cache))))
        return self.classify(value)  # type: ignore[no-any-return]


@register("speech_embedding")
class SpeechEmbeddingModel(KeywordModel):
    """Frozen embedding, heads, the mean of their logits, sliding mean. `width` 1 is 32 channels in a head.

    It gives a score every 80 ms; with `pool_frames` 1 the receptive field is 1.24 s. In training each head has its own
    logits, of the same windows (`forward`) or of separate windows (`classify_embeddings`).
    """

    MELS, STRIDE = N_MELS, FRAME_STRIDE
    PRETRAINED = "Google speech_embedding (Lin et al. 2020), Apache-2.0, frozen"
    ENSEMBLE = True
    FROZEN_BODY = True

    def __init__(self, config: ModelConfig, n_mels: int, words: int) -> None:
        super().__init__(config, n_mels, words)
        if n_mels != N_MELS or config.frame_stride != FRAME_STRIDE:
            raise ConfigError(
                f"model.family = speech_embedding needs frontend.n_mels = {N_MELS} and model.frame_stride = "
                f"{FRAME_STRIDE}, got {n_mels} and {config.frame_stride}: copy both from configs/demo.yaml"
            )
        channels = scaled_channels(config, 32, 4)
        self.body = SpeechEmbedding()
        self.norm = nn.BatchNorm1d(EMBEDDING, affine=False)
        self.heads = nn.ModuleList(Head(channels, words, config.dropout) for _ in range(config.heads))
        self.pool = SlidingMean(words, config.pool_frames)
        self.lookback_frames = LOOKBACK_FRAMES + FRAME_STRIDE * (self.heads[0].lookback + self.pool.lookback)

    def _run(self, features: Tensor, cache: StreamCache | None) -> Tensor:
        value = self.norm(self.body(features.transpose(1, 2), cache))
        per_head = [head(value, cache) for head in self.heads]
        logits = torch.cat(per_head) if self.training else sum(per_head[1:], per_head[0]) / len(per_head)
        return self.pool(logits, cache).transpose(1, 2)

    @torch.no_grad()
    def embed(self, features: Tensor) -> Tensor:
        return self.body(features[:, self.context_frames - self.lookback_frames :].transpose(1, 2))  # type: ignore[no-any-return]

    def classify_embeddings(self, embeddings: Tensor) -> Tensor:
        parts = embeddings.chunk(len(self.heads))
        logits = [head(self.norm(part)) for head, part in zip(self.heads, parts, strict=True)]
        return self.pool(torch.cat(logits), None).transpose(1, 2)
