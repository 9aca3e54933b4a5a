"""What every model family promises, and the decorator that makes a family known by its name."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn

from wakeword.config.model import ModelConfig
from wakeword.models.blocks import StreamCache, cache_size


class KeywordModel(nn.Module):
    """A network from features to logits that runs offline and streaming with the same numbers.

    A family implements `_run` with the blocks of `wakeword.models.blocks` and sets `lookback_frames`,
    the feature frames that one score depends on.
    """

    MELS: ClassVar[int | None] = None
    """The only number of mels that the family takes; None: any that it says it takes."""
    STRIDE: ClassVar[int | None] = None
    """The only `frame_stride` that the family takes; None: any."""
    PRETRAINED: ClassVar[str] = ""
    """Whose weights the family starts from, and under which licence; empty where it starts from nothing."""
    ENSEMBLE: ClassVar[bool] = False
    """Whether the family takes `model.heads` above 1. In training its logits then come once per head:
    `(heads * batch, frames', words)`, the batch of the first head first."""
    FROZEN_BODY: ClassVar[bool] = False
    """Whether a body that is never trained comes first: `embed` and `answer` are then the two parts of `forward`, and
    embeddings can be kept and trained on again (`training.replay_windows`)."""

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
        """Frames until the first score: `lookback_frames`, up to the next multiple of the stride."""
        return math.ceil(self.lookback_frames / self.frame_stride) * self.frame_stride

    @property
    def state_size(self) -> int:
        """Numbers of state per stream."""
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
            raise ValueError(
                f"{features.shape[1]} frames are fewer than the {self.context_frames} that one score needs"
            )
        return self._run(features[:, self.context_frames - self.lookback_frames :], None)

    def embed(self, features: Tensor) -> Tensor:
        """What the frozen body makes of `(batch, frames, mels)`: `(batch, channels, times)`; no gradient."""
        raise NotImplementedError(f"the family {self.config.family} has no frozen body")

    def answer(self, embeddings: Tensor) -> Tensor:
        """Logits from embeddings, each head of its own rows: `(heads * rows, channels, times)`, those of the first head
        first, to `(heads * rows, frames', words)`."""
        raise NotImplementedError(f"the family {self.config.family} has no frozen body")

    def stream(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """`(batch, frames, mels)`, a multiple of the stride, to `(batch, frames / stride, words)` and its state."""
        if not torch.compiler.is_compiling() and features.shape[1] % self.frame_stride:
            raise ValueError(f"a chunk must hold a multiple of {self.frame_stride} frames, got {features.shape[1]}")
        cache = StreamCache(state)
        logits = self._run(features, cache)
        return logits, cache.next_state()


S = TypeVar("S", bound=type[KeywordModel])
FAMILIES: dict[str, type[KeywordModel]] = {}
"""Registered families by name; read it through `wakeword.models.families`, which imports all of them."""


def register(name: str) -> Callable[[S], S]:
    """Class decorator: make a family buildable as `model.family: name`."""

    def add(family: S) -> S:
        if name in FAMILIES:
            raise ValueError(f"two model families are called {name!r}")
        FAMILIES[name] = family
        return family

    return add


def scaled_dilation(dilation: int, frame_stride: int) -> int:
    """A dilation meant in feature frames, after a stem that strides: the receptive field keeps its seconds."""
    return max(1, dilation // frame_stride)
