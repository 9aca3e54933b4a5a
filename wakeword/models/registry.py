"""The interface of a model family, and the decorator that registers a family by name."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn

from wakeword.config.model import ModelConfig
from wakeword.errors import ConfigError
from wakeword.models.blocks import StreamCache, cache_size


class KeywordModel(nn.Module):
    """A network from features to logits that gives the same numbers offline and streaming.

    A family implements `_run` with the blocks of `wakeword.models.blocks` and sets `lookback_frames`, the receptive
    field of one score in feature frames.
    """

    MELS: ClassVar[int | None] = None
    """The only number of mels that the family supports; None: its constructor checks the number."""
    STRIDE: ClassVar[int | None] = None
    """The only `frame_stride` that the family supports; None: any."""
    PRETRAINED: ClassVar[str] = ""
    """Source and licence of pretrained weights; empty for random initial weights."""
    ENSEMBLE: ClassVar[bool] = False
    """Whether the family supports `model.heads` above 1. In training the logits are then those of each head:
    `(heads * batch, frames', words)`, the first head's batch first."""
    FROZEN_BODY: ClassVar[bool] = False
    """Whether the first part is never trained: `embed` and `classify_embeddings` are then the parts of `forward`, and
    training can keep and reuse embeddings (`training.replay_windows`)."""

    def __init__(self, config: ModelConfig, n_mels: int, words: int) -> None:
        super().__init__()
        self.config = config
        self.n_mels = n_mels
        self.words = words
        self.frame_stride = config.frame_stride
        self.lookback_frames = 0

    @abstractmethod
    def _run(self, features: Tensor, cache: StreamCache | None) -> Tensor:
        """`(batch, frames, mels)` to `(batch, frames', words)`: valid without a cache, streaming with one."""

    @property
    def context_frames(self) -> int:
        """Frames until the first score: `lookback_frames` rounded up to a multiple of the stride."""
        return math.ceil(self.lookback_frames / self.frame_stride) * self.frame_stride

    @property
    def state_size(self) -> int:
        """Size of the state per stream."""
        return cache_size(self)

    def initial_state(self, batch: int) -> Tensor:
        """Zeros `(batch, state_size)` on the device of the weights."""
        return next(self.parameters()).new_zeros(batch, self.state_size)

    def forward(self, features: Tensor) -> Tensor:
        """Valid: `(batch, frames, mels)` to `(batch, (frames - context_frames) // frame_stride + 1, words)` logits.

        Raises:
            ValueError: there are fewer than `context_frames` frames.
        """
        if features.shape[1] < self.context_frames:
            raise ValueError(f"{features.shape[1]} frames are fewer than the {self.context_frames} of one score")
        return self._run(features[:, self.context_frames - self.lookback_frames :], None)

    def embed(self, features: Tensor) -> Tensor:
        """Embeddings `(batch, channels, times)` of `(batch, frames, mels)` by the frozen body, without gradient."""
        raise NotImplementedError(f"the family {self.config.family} has no frozen body")

    def classify_embeddings(self, embeddings: Tensor) -> Tensor:
        """Logits of embeddings, separate rows for each head, the first head's first: `(heads * rows, channels, times)`
        to `(heads * rows, frames', words)`."""
        raise NotImplementedError(f"the family {self.config.family} has no frozen body")

    def stream(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `(batch, frames / stride, words)` of a chunk `(batch, frames, mels)`, and the next state.

        Raises:
            ValueError: the number of frames is no multiple of the stride.
        """
        if not torch.compiler.is_compiling() and features.shape[1] % self.frame_stride:
            raise ValueError(f"a chunk must hold a multiple of {self.frame_stride} frames, got {features.shape[1]}")
        cache = StreamCache(state)
        logits = self._run(features, cache)
        return logits, cache.next_state()


S = TypeVar("S", bound=type[KeywordModel])
FAMILIES: dict[str, type[KeywordModel]] = {}
"""Registered families by name. Read it through `wakeword.models.families`, which imports all of them."""


def register(name: str) -> Callable[[S], S]:
    """Class decorator: register a family as `model.family: name`. Raises ValueError when the name is taken."""

    def add(family: S) -> S:
        if name in FAMILIES:
            raise ValueError(f"two model families are called {name!r}")
        FAMILIES[name] = family
        return family

    return add


def scaled_channels(config: ModelConfig, base: int, least: int) -> int:
    """`model.width` times `base` channels.

    Raises:
        ConfigError: these are fewer than `least`.
    """
    channels = int(base * config.width)
    if channels < least:
        smallest = math.ceil(1000 * least / base) / 1000
        raise ConfigError(f"model.width = {config.width}: {config.family} needs at least {smallest:g}")
    return channels


def scaled_dilation(dilation: int, frame_stride: int) -> int:
    """Convert a dilation in feature frames to frames after a strided stem, at least 1."""
    return max(1, dilation // frame_stride)


def scaled_kernel(kernel: int, frame_stride: int) -> int:
    """Convert an odd kernel in feature frames to frames after a strided stem, odd and at least 3."""
    return max(3, kernel // frame_stride // 2 * 2 + 1)


def stem_kernel(kernel: int, frame_stride: int) -> int:
    """A kernel over time of a stem that strides by `frame_stride`: at least the stride, so that it skips no frame."""
    return max(kernel, frame_stride)
