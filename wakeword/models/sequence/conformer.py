"""Conformer with limited left context (Gulati et al. 2020, arXiv 2005.08100)."""

from __future__ import annotations

from torch import Tensor, nn

from wakeword.config.model import ConformerConfig
from wakeword.models.blocks import SlidingMean, StreamCache, StreamConv1d, classifier, trim
from wakeword.models.registry import KeywordModel, register, stem_kernel
from wakeword.models.sequence.attention import ChannelNorm, LeftAttention, attention_channels, feed_forward


class ConvolutionPart(nn.Module):
    """Gated pointwise layer, depthwise convolution over time, norm, pointwise layer: `(batch, channels, time)`."""

    def __init__(self, channels: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.gate = nn.Sequential(ChannelNorm(channels), nn.Conv1d(channels, 2 * channels, 1), nn.GLU(dim=1))
        self.over_time = StreamConv1d(channels, channels, kernel, depthwise=True)
        self.mix = nn.Sequential(
            nn.BatchNorm1d(channels), nn.SiLU(), nn.Conv1d(channels, channels, 1), nn.Dropout(dropout)
        )
        self.lookback = self.over_time.lookback

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Valid offline; streaming keeps the number of frames."""
        return self.mix(self.over_time(self.gate(value), cache))  # type: ignore[no-any-return]


class ConformerLayer(nn.Module):
    """Half a feed-forward part, attention, convolution, half a feed-forward part, norm: `(batch, channels, time)`."""

    def __init__(self, channels: int, config: ConformerConfig) -> None:
        super().__init__()
        self.before = feed_forward(channels, 4, config.dropout)
        self.norm = ChannelNorm(channels)
        self.attend = LeftAttention(channels, config.attention_heads, config.left_frames, config.dropout)
        self.dropout = nn.Dropout(config.dropout)
        self.convolve = ConvolutionPart(channels, config.conv_frames, config.dropout)
        self.after = feed_forward(channels, 4, config.dropout)
        self.last_norm = ChannelNorm(channels)
        self.lookback = self.attend.lookback + self.convolve.lookback

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Valid offline; streaming keeps the number of frames."""
        value = value + 0.5 * self.before(value)
        attended = self.dropout(self.attend(self.norm(value), cache))
        value = trim(value, self.attend.lookback, cache) + attended
        value = trim(value, self.convolve.lookback, cache) + self.convolve(value, cache)
        return self.last_norm(value + 0.5 * self.after(value))  # type: ignore[no-any-return]


@register("conformer")
class Conformer(KeywordModel):
    """A strided stem over all mels, Conformer layers, classifier. `width` 1 is 64 channels.

    Differences: attention sees `left_frames` before a frame and none behind; convolutions over time are valid (cached
    when streaming); a learned bias per distance stands for the relative position; the stem strides by `frame_stride`.
    """

    STEM_KERNEL = 5

    def __init__(self, config: ConformerConfig, n_mels: int, words: int) -> None:
        super().__init__(config, n_mels, words)
        channels, stride = attention_channels(config, 64), config.frame_stride
        kernel = stem_kernel(self.STEM_KERNEL, stride)
        self.stem = StreamConv1d(n_mels, channels, kernel, stride=stride)
        self.stem_norm = nn.BatchNorm1d(channels)
        layers = [ConformerLayer(channels, config) for _ in range(config.layers)]
        self.layers = nn.ModuleList(layers)
        self.classify = classifier(channels, words)
        self.pool = SlidingMean(words, config.pool_frames)
        after_stem = sum(layer.lookback for layer in layers) + self.pool.lookback
        self.lookback_frames = kernel + stride * after_stem

    def _run(self, features: Tensor, cache: StreamCache | None) -> Tensor:
        value = nn.functional.relu(self.stem_norm(self.stem(features.transpose(1, 2), cache)))
        for layer in self.layers:
            value = layer(value, cache)
        return self.pool(self.classify(value), cache).transpose(1, 2)
