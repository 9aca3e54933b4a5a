"""TCN: dilated residual convolutions over time (Bai, Kolter and Koltun 2018, arXiv 1803.01271)."""

from __future__ import annotations

from torch import Tensor, nn

from wakeword.config.model import TCNConfig
from wakeword.models.blocks import SlidingMean, StreamCache, StreamConv1d, classifier
from wakeword.models.registry import KeywordModel, register, scaled_channels, scaled_dilation, stem_kernel
from wakeword.models.tc_resnet import TemporalBlock


@register("tcn")
class TCN(KeywordModel):
    """A strided stem over all mels, residual blocks of two dense convolutions, classifier. `width` 1 is 32 channels.

    Layer `i` dilates time by 2 ** (i + 1) feature frames. Differences: batch norm for weight norm, and valid
    convolutions (cached when streaming) for those padded on the left.
    """

    STEM_KERNEL, KERNEL = 5, 3

    def __init__(self, config: TCNConfig, n_mels: int, words: int) -> None:
        super().__init__(config, n_mels, words)
        channels, stride = scaled_channels(config, 32, 4), config.frame_stride
        kernel = stem_kernel(self.STEM_KERNEL, stride)
        self.stem = StreamConv1d(n_mels, channels, kernel, stride=stride)
        self.stem_norm = nn.BatchNorm1d(channels)
        blocks = [
            TemporalBlock(channels, self.KERNEL, scaled_dilation(2 ** (layer + 1), stride), config.dropout)
            for layer in range(config.layers)
        ]
        self.blocks = nn.ModuleList(blocks)
        self.classify = classifier(channels, words)
        self.pool = SlidingMean(words, config.pool_frames)
        after_stem = sum(block.lookback for block in blocks) + self.pool.lookback
        self.lookback_frames = kernel + stride * after_stem

    def _run(self, features: Tensor, cache: StreamCache | None) -> Tensor:
        value = nn.functional.relu(self.stem_norm(self.stem(features.transpose(1, 2), cache)))
        for block in self.blocks:
            value = block(value, cache)
        return self.pool(self.classify(value), cache).transpose(1, 2)
