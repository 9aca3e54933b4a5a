"""MatchboxNet: 1-D time-channel separable convolutions (Majumdar and Ginsburg 2020, arXiv 2004.08531)."""

from __future__ import annotations

from torch import Tensor, nn

from wakeword.config.model import MatchboxNetConfig
from wakeword.models.blocks import SlidingMean, StreamCache, StreamConv1d, classifier, trim
from wakeword.models.registry import KeywordModel, register, scaled_channels, scaled_kernel


class SeparableConv(nn.Module):
    """Depthwise convolution over time, pointwise one, norm: `(batch, inputs, time)` to `(batch, outputs, time')`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, dilation: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.over_time = StreamConv1d(inputs, inputs, kernel, dilation=dilation, stride=stride, depthwise=True)
        self.mix = nn.Sequential(nn.Conv1d(inputs, outputs, 1, bias=False), nn.BatchNorm1d(outputs))
        self.lookback = self.over_time.lookback

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Valid offline; streaming keeps time' = time / stride."""
        return self.mix(self.over_time(value, cache))  # type: ignore[no-any-return]


class MatchboxBlock(nn.Module):
    """R separable convolutions beside a pointwise one: `(batch, inputs, time)` to `(batch, outputs, time')`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, repeats: int, dropout: float) -> None:
        super().__init__()
        widths = [inputs, *[outputs] * (repeats - 1)]
        self.parts = nn.ModuleList(SeparableConv(width, outputs, kernel) for width in widths)
        self.shortcut = nn.Sequential(nn.Conv1d(inputs, outputs, 1, bias=False), nn.BatchNorm1d(outputs))
        self.dropout = nn.Dropout(dropout)
        self.lookback = (kernel - 1) * repeats

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Valid offline; streaming keeps the number of frames."""
        inner = value
        for place, part in enumerate(self.parts):
            inner = part(self.dropout(nn.functional.relu(inner)) if place else inner, cache)
        inner = inner + self.shortcut(trim(value, self.lookback, cache))
        return self.dropout(nn.functional.relu(inner))  # type: ignore[no-any-return]


@register("matchboxnet")
class MatchboxNet(KeywordModel):
    """MatchboxNet-BxRxC: `blocks` is B, `repeats` is R, `width` 1 is C = 64.

    Differences: convolutions over time are valid (cached when streaming); the first one strides by `frame_stride`, and
    the kernels behind it are divided by it, so that the receptive field in seconds stays the same (with a stride of 1
    and 64 mels the layers are the published ones); the mean over time slides over `pool_frames`.
    """

    STEM_KERNEL, FIRST_KERNEL, LAST_KERNEL = 11, 13, 29
    """In feature frames. The kernel grows by 2 from block to block."""

    def __init__(self, config: MatchboxNetConfig, n_mels: int, words: int) -> None:
        super().__init__(config, n_mels, words)
        channels, stride = scaled_channels(config, 64, 4), config.frame_stride
        self.stem = SeparableConv(n_mels, 2 * channels, self.STEM_KERNEL, stride=stride)
        kernels = [scaled_kernel(self.FIRST_KERNEL + 2 * place, stride) for place in range(config.blocks)]
        widths = [2 * channels, *[channels] * (config.blocks - 1)]
        self.blocks = nn.ModuleList(
            MatchboxBlock(width, channels, kernel, config.repeats, config.dropout)
            for width, kernel in zip(widths, kernels, strict=True)
        )
        last = scaled_kernel(self.LAST_KERNEL, stride)
        self.last = SeparableConv(channels, 2 * channels, last, dilation=2)
        self.mix = nn.Sequential(nn.Conv1d(2 * channels, 2 * channels, 1, bias=False), nn.BatchNorm1d(2 * channels))
        self.classify = classifier(2 * channels, words)
        self.pool = SlidingMean(words, config.pool_frames)
        in_blocks = sum((kernel - 1) * config.repeats for kernel in kernels)
        self.lookback_frames = self.STEM_KERNEL + stride * (in_blocks + self.last.lookback + self.pool.lookback)

    def _run(self, features: Tensor, cache: StreamCache | None) -> Tensor:
        value = nn.functional.relu(self.stem(features.transpose(1, 2), cache))
        for block in self.blocks:
            value = block(value, cache)
        value = nn.functional.relu(self.mix(nn.functional.relu(self.last(value, cache))))
        return self.pool(self.classify(value), cache).transpose(1, 2)
