"""DS-CNN: 2-D depthwise-separable convolutions (Zhang et al. 2017, "Hello Edge", arXiv 1711.07128)."""

from __future__ import annotations

from torch import Tensor, nn

from wakeword.config.model import DSCNNConfig
from wakeword.errors import ConfigError
from wakeword.models.blocks import SlidingMean, StreamCache, StreamConv2d, classifier
from wakeword.models.registry import KeywordModel, register, scaled_channels, scaled_dilation


class SeparableBlock2d(nn.Module):
    """3x3 depthwise convolution, pointwise one, each with a norm: `(batch, channels, mels, time)`, same mels."""

    def __init__(self, channels: int, mels: int, dilation: int) -> None:
        super().__init__()
        self.depthwise = StreamConv2d(
            channels, channels, (3, 3), mels=mels, mel_padding=1, dilation=dilation, groups=channels
        )
        self.mix = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        self.lookback = self.depthwise.lookback

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Valid over time offline; streaming keeps the number of frames."""
        return self.mix(self.depthwise(value, cache))  # type: ignore[no-any-return]


@register("ds_cnn")
class DSCNN(KeywordModel):
    """A 2-D stem, separable 2-D layers, the mean over mels, classifier. `width` 1 is 64 channels.

    Differences: convolutions over time are valid (cached when streaming). The published network averages over a whole
    second; here layer `i` dilates time by 2 ** i feature frames instead, and the mean slides over `pool_frames`.
    """

    STEM = (4, 10)
    """Kernel of the stem over mels and feature frames."""

    def __init__(self, config: DSCNNConfig, n_mels: int, words: int) -> None:
        super().__init__(config, n_mels, words)
        if n_mels < 8:
            raise ConfigError(f"frontend.n_mels = {n_mels}: ds_cnn needs at least 8")
        channels, stride = scaled_channels(config, 64, 4), config.frame_stride
        self.stem = StreamConv2d(1, channels, self.STEM, mels=n_mels, stride=(2, stride), mel_padding=1)
        self.stem_norm = nn.BatchNorm2d(channels)
        layers = [
            SeparableBlock2d(channels, self.stem.mels, scaled_dilation(2**layer, stride))
            for layer in range(config.layers)
        ]
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(config.dropout)
        self.classify = classifier(channels, words)
        self.pool = SlidingMean(words, config.pool_frames)
        after_stem = sum(layer.lookback for layer in layers) + self.pool.lookback
        self.lookback_frames = self.STEM[1] + stride * after_stem

    def _run(self, features: Tensor, cache: StreamCache | None) -> Tensor:
        planes = features.transpose(1, 2).unsqueeze(1)
        planes = nn.functional.relu(self.stem_norm(self.stem(planes, cache)))
        for layer in self.layers:
            planes = layer(planes, cache)
        return self.pool(self.classify(self.dropout(planes.mean(dim=2))), cache).transpose(1, 2)
