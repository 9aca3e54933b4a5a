"""MDTC: multi-scale depthwise temporal convolutions (Hou et al. 2021, "The NPU system for the 2020 personalized voice
trigger challenge"), as in `wekws/model/mdtc.py` of WeKws (Wang et al. 2022)."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from wakeword.config.model import MDTCConfig
from wakeword.models.blocks import SlidingMean, StreamCache, StreamConv1d, classifier, trim
from wakeword.models.registry import KeywordModel, register, scaled_channels, scaled_dilation, stem_kernel


class TCNBlock(nn.Module):
    """Separable dilated convolution, pointwise one and a residual: `(batch, channels, time)`."""

    def __init__(self, channels: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.over_time = StreamConv1d(channels, channels, kernel, dilation=dilation, depthwise=True)
        self.mix = nn.Sequential(
            nn.BatchNorm1d(channels),
            nn.Conv1d(channels, channels, 1, bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv1d(channels, channels, 1, bias=False),
            nn.BatchNorm1d(channels),
        )
        self.lookback = self.over_time.lookback

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Valid offline; streaming keeps the number of frames."""
        return nn.functional.relu(self.mix(self.over_time(value, cache)) + trim(value, self.lookback, cache))


@register("mdtc")
class MDTC(KeywordModel):
    """A separable stem, stacks of blocks whose dilation doubles, the sum of the stacks, classifier.

    `width` 1 is 32 channels. Differences: the stem strides by `frame_stride`, and dilations, in feature frames, are
    divided by it; WeKws has 4 stacks of 4 blocks and classifies each frame without a mean.
    """

    KERNEL = 5

    def __init__(self, config: MDTCConfig, n_mels: int, words: int) -> None:
        super().__init__(config, n_mels, words)
        channels, stride = scaled_channels(config, 32, 4), config.frame_stride
        kernel = stem_kernel(self.KERNEL, stride)
        self.stem = StreamConv1d(n_mels, n_mels, kernel, stride=stride, depthwise=True)
        self.stem_mix = nn.Sequential(
            nn.BatchNorm1d(n_mels), nn.Conv1d(n_mels, channels, 1, bias=False), nn.BatchNorm1d(channels), nn.ReLU()
        )
        dilations = [scaled_dilation(2**place, stride) for place in range(config.stack_blocks)]
        self.stacks = nn.ModuleList(
            nn.ModuleList(TCNBlock(channels, self.KERNEL, dilation, config.dropout) for dilation in dilations)
            for _ in range(config.stacks)
        )
        self.classify = classifier(channels, words)
        self.pool = SlidingMean(words, config.pool_frames)
        self.stack_lookback = (self.KERNEL - 1) * sum(dilations)
        after_stem = config.stacks * self.stack_lookback + self.pool.lookback
        self.lookback_frames = kernel + stride * after_stem

    def _run(self, features: Tensor, cache: StreamCache | None) -> Tensor:
        value = self.stem_mix(self.stem(features.transpose(1, 2), cache))
        total: Tensor | None = None
        for stack in self.stacks:
            for block in cast(nn.ModuleList, stack):
                value = block(value, cache)
            total = value if total is None else trim(total, self.stack_lookback, cache) + value
        assert total is not None
        return self.pool(self.classify(total), cache).transpose(1, 2)
