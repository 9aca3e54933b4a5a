"""Depthwise-separable dilated temporal convolutions after DS-TCN and MDTC (wekws)."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from wakeword.config.model import ModelConfig
from wakeword.models.blocks import SlidingMean, StreamCache, StreamConv1d, classifier, trim
from wakeword.models.registry import KeywordModel, register, scaled_channels, scaled_dilation, stem_kernel


class SeparableBlock(nn.Module):
    """Depthwise dilated convolution, two pointwise ones, residual: `(batch, channels, time)`."""

    def __init__(self, channels: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.over_time = StreamConv1d(channels, channels, kernel, dilation=dilation, depthwise=True)
        self.mix = nn.Sequential(
            nn.BatchNorm1d(channels),
            nn.Conv1d(channels, channels, 1, bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
            nn.Conv1d(channels, channels, 1, bias=False),
            nn.BatchNorm1d(channels),
            nn.Dropout1d(dropout),
        )
        self.lookback = self.over_time.lookback

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Valid offline; streaming keeps the number of frames."""
        return nn.functional.relu(self.mix(self.over_time(value, cache)) + trim(value, self.lookback, cache))


@register("ds_tcn")
class DSTCN(KeywordModel):
    """A strided stem over all mels, then stacks of separable blocks whose sum is classified (MDTC).

    `width` 1 is 56 channels. Dilations count feature frames, so the stride does not change the receptive field.
    """

    STACKS = ((2, 4, 8), (2, 4, 8))
    KERNEL = 5

    def __init__(self, config: ModelConfig, n_mels: int, words: int) -> None:
        super().__init__(config, n_mels, words)
        channels = scaled_channels(config, 56, 4)
        kernel = stem_kernel(self.KERNEL, config.frame_stride)
        self.stem = StreamConv1d(n_mels, channels, kernel, stride=config.frame_stride)
        self.stem_norm = nn.BatchNorm1d(channels)
        self.stacks = nn.ModuleList()
        after_stem = 0
        self.lookbacks: list[int] = []
        for dilations in self.STACKS:
            stack = [
                SeparableBlock(channels, self.KERNEL, scaled_dilation(dilation, config.frame_stride), config.dropout)
                for dilation in dilations
            ]
            self.lookbacks.append(sum(block.lookback for block in stack))
            after_stem += self.lookbacks[-1]
            self.stacks.append(nn.ModuleList(stack))
        self.dropout = nn.Dropout1d(config.dropout)
        self.classify = classifier(channels, words)
        self.pool = SlidingMean(words, config.pool_frames)
        self.lookback_frames = kernel + config.frame_stride * (after_stem + self.pool.lookback)

    def _run(self, features: Tensor, cache: StreamCache | None) -> Tensor:
        value = nn.functional.relu(self.stem_norm(self.stem(features.transpose(1, 2), cache)))
        total: Tensor | None = None
        for stack, lookback in zip(self.stacks, self.lookbacks, strict=True):
            for block in cast(nn.ModuleList, stack):
                value = block(value, cache)
            total = value if total is None else trim(total, lookback, cache) + value
        assert total is not None
        return self.pool(self.classify(self.dropout(total)), cache).transpose(1, 2)
