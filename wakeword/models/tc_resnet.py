"""Temporal-convolution ResNet with a small 2-D stem, small enough to train on two CPU cores in minutes.

After TC-ResNet (Choi et al. 2019, "Temporal convolution for real-time keyword spotting on mobile devices"): mels are
channels and convolutions run over time only. A two-layer 2-D stem in front restores tolerance to formants that lie a
few mels higher or lower. Kernels are dense: on CPUs, depthwise kernels took longer to train and ran no faster.
"""

from __future__ import annotations

from torch import Tensor, nn

from wakeword.config.model import ModelConfig
from wakeword.errors import ConfigError
from wakeword.models.blocks import SlidingMean, StreamCache, StreamConv1d, StreamConv2d, classifier, trim
from wakeword.models.registry import KeywordModel, register, scaled_channels, scaled_dilation, stem_kernel


class TemporalBlock(nn.Module):
    """Two dilated convolutions over time and a residual: `(batch, channels, time)`."""

    def __init__(self, channels: int, kernel: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.first = StreamConv1d(channels, channels, kernel, dilation=dilation)
        self.first_norm = nn.BatchNorm1d(channels)
        self.dropout = nn.Dropout(dropout)
        self.second = StreamConv1d(channels, channels, kernel, dilation=dilation)
        self.second_norm = nn.BatchNorm1d(channels)
        self.lookback = self.first.lookback + self.second.lookback

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Valid offline; streaming keeps the number of frames."""
        inner = self.dropout(nn.functional.relu(self.first_norm(self.first(value, cache))))
        inner = self.second_norm(self.second(inner, cache))
        return nn.functional.relu(trim(value, self.lookback, cache) + inner)


@register("tc_resnet")
class TCResNet(KeywordModel):
    """2-D stem, dense residual blocks over time, classifier, sliding mean of the logits. `width` 1 is 32 channels."""

    DILATIONS = (2, 4, 8)
    """One per block, in feature frames."""
    KERNEL = 5
    STEM_CHANNELS = 8

    def __init__(self, config: ModelConfig, n_mels: int, words: int) -> None:
        super().__init__(config, n_mels, words)
        if n_mels % 4:
            raise ConfigError(f"frontend.n_mels = {n_mels}: tc_resnet needs a multiple of 4, such as 40 or 64")
        channels = scaled_channels(config, 32, 4)
        planes = self.STEM_CHANNELS
        stride = (2, config.frame_stride)
        kernel = stem_kernel(5, config.frame_stride)
        self.stem = StreamConv2d(1, planes, (5, kernel), mels=n_mels, stride=stride, mel_padding=2)
        self.stem_norm = nn.BatchNorm2d(planes)
        self.shrink = StreamConv2d(planes, planes, (3, 3), mels=n_mels // 2, stride=(2, 1), mel_padding=1)
        self.shrink_norm = nn.BatchNorm2d(planes)
        self.gather = nn.Conv1d(planes * (n_mels // 4), channels, 1, bias=False)
        self.gather_norm = nn.BatchNorm1d(channels)
        blocks = [
            TemporalBlock(channels, self.KERNEL, scaled_dilation(dilation, config.frame_stride), config.dropout)
            for dilation in self.DILATIONS
        ]
        self.blocks = nn.ModuleList(blocks)
        self.classify = classifier(channels, words)
        self.pool = SlidingMean(words, config.pool_frames)
        lookback = sum(block.lookback for block in blocks)
        self.lookback_frames = kernel + config.frame_stride * (self.shrink.lookback + lookback + self.pool.lookback)

    def _run(self, features: Tensor, cache: StreamCache | None) -> Tensor:
        planes = features.transpose(1, 2).unsqueeze(1)
        planes = nn.functional.relu(self.stem_norm(self.stem(planes, cache)))
        planes = nn.functional.relu(self.shrink_norm(self.shrink(planes, cache)))
        value = nn.functional.relu(self.gather_norm(self.gather(planes.flatten(1, 2))))
        for block in self.blocks:
            value = block(value, cache)
        return self.pool(self.classify(value), cache).transpose(1, 2)
