"""Streaming building blocks: valid convolutions whose caches live in one flat state tensor."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class StreamCache:
    """A flat state `(batch, size)` from which layers take their caches in call order and to which they add the next."""

    def __init__(self, state: Tensor) -> None:
        self._state = state
        self._place = 0
        self._next: list[Tensor] = []

    def extend(self, value: Tensor, frames: int) -> Tensor:
        """Put the `frames` cached frames in front of `value` `(batch, ..., time)` and store the last ones."""
        shape = (*value.shape[1:-1], frames)
        size = math.prod(shape)
        cached = self._state[:, self._place : self._place + size].unflatten(1, shape)
        self._place += size
        joined = torch.cat([cached, value], dim=-1)
        self._next.append(joined[..., value.shape[-1] :].flatten(1))
        return joined

    def next_state(self) -> Tensor:
        """The state for the next chunk.

        Raises:
            RuntimeError: the layers did not use the whole state.
        """
        if self._place != self._state.shape[1]:
            raise RuntimeError(f"the state holds {self._state.shape[1]} numbers, the layers used {self._place}")
        return torch.cat(self._next, dim=1) if self._next else self._state


class Context(nn.Module):
    """Cache of the frames before the chunk that a valid operation over the last axis needs."""

    def __init__(self, shape: tuple[int, ...], frames: int) -> None:
        """`shape` is that of one frame, without batch and time."""
        super().__init__()
        self.frames = frames
        self.size = math.prod(shape) * frames

    def forward(self, value: Tensor, cache: StreamCache | None) -> Tensor:
        """Return `value` offline, or `value` with the cached frames in front when streaming."""
        if cache is None or self.frames == 0:
            return value
        return cache.extend(value, self.frames)


def cache_size(module: nn.Module) -> int:
    """Size of the state per stream of a network of these blocks."""
    return sum(part.size for part in module.modules() if isinstance(part, Context))


class StreamConv1d(nn.Module):
    """Valid 1-D convolution `(batch, channels, time)` with a cache of `(kernel - 1) * dilation + 1 - stride` frames."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, dilation: int = 1, stride: int = 1, depthwise: bool = False
    ) -> None:
        super().__init__()
        groups = inputs if depthwise else 1
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride, dilation=dilation, groups=groups, bias=False)
        self.lookback = (kernel - 1) * dilation
        self.context = Context((inputs,), self.lookback + 1 - stride)

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """`(batch, inputs, time)` to `(batch, outputs, time')`; streaming keeps time' = time / stride."""
        return self.conv(self.context(value, cache))


class StreamConv2d(nn.Module):
    """2-D convolution over `(batch, channels, mels, time)`: padded or not over mels, valid over time."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int],
        *,
        mels: int,
        stride: tuple[int, int] = (1, 1),
        mel_padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
    ) -> None:
        """`kernel` and `stride` are those over mels and over time, `dilation` that over time."""
        super().__init__()
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, padding=(mel_padding, 0), dilation=(1, dilation), groups=groups, bias=False
        )
        self.lookback = (kernel[1] - 1) * dilation
        self.context = Context((inputs, mels), self.lookback + 1 - stride[1])
        self.mels = (mels + 2 * mel_padding - kernel[0]) // stride[0] + 1

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """`(batch, inputs, mels, time)` to `(batch, outputs, mels', time')`."""
        return self.conv(self.context(value, cache))


class SubSpectralNorm(nn.Module):
    """Batch normalisation with separate statistics and affine map per band of mels (Chang et al. 2021)."""

    def __init__(self, channels: int, bands: int) -> None:
        super().__init__()
        self.channels = channels
        self.bands = bands
        self.norm = nn.BatchNorm2d(channels * bands)

    def forward(self, value: Tensor) -> Tensor:
        """`(batch, channels, mels, time)`, mels a multiple of `bands`."""
        mels = value.shape[2]
        split = value.unflatten(2, (self.bands, mels // self.bands)).flatten(1, 2)
        return self.norm(split).unflatten(1, (self.channels, self.bands)).flatten(2, 3)


class SlidingMean(nn.Module):
    """Mean of the last `frames` frames, valid: `(batch, channels, time)` to `(batch, channels, time - frames + 1)`."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.lookback = frames - 1
        self.context = Context((channels,), self.lookback)

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Average over a sliding window; streaming keeps the number of frames."""
        if self.frames == 1:
            return value
        return nn.functional.avg_pool1d(self.context(value, cache), self.frames, stride=1)


def trim(value: Tensor, lost: int, cache: StreamCache | None) -> Tensor:
    """Drop the first `lost` frames of a residual, as the valid operation beside it does; streaming drops none."""
    return value if cache is not None or lost == 0 else value[..., lost:]


PRIOR_LOGIT = -2.0
"""Initial bias of a classifier: most frames hold no wake word."""


def classifier(channels: int, words: int) -> nn.Conv1d:
    """Pointwise convolution from features to a logit per word, with bias `PRIOR_LOGIT`."""
    layer = nn.Conv1d(channels, words, 1)
    nn.init.constant_(layer.bias, PRIOR_LOGIT)  # type: ignore[arg-type]
    return layer
