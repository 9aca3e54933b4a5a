"""Transformer encoder over frames with limited left context.

After the keyword transformer (Berg, O'Connor and Cruz 2021, arXiv 2104.00769), whose tokens are frames of the
spectrogram. That network attends to a whole clip; this one streams.
"""

from __future__ import annotations

from torch import Tensor, nn

from wakeword.config.model import TransformerConfig
from wakeword.models.blocks import SlidingMean, StreamCache, StreamConv1d, classifier, trim
from wakeword.models.registry import KeywordModel, register, stem_kernel
from wakeword.models.sequence.attention import ChannelNorm, LeftAttention, attention_channels, feed_forward


class EncoderLayer(nn.Module):
    """Attention and a feed-forward part, each behind a norm with a residual: `(batch, channels, time)`."""

    def __init__(self, channels: int, config: TransformerConfig) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.attend = LeftAttention(channels, config.attention_heads, config.left_frames, config.dropout)
        self.feed = feed_forward(channels, 2, config.dropout)
        self.dropout = nn.Dropout(config.dropout)
        self.lookback = self.attend.lookback

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Valid offline; streaming keeps the number of frames."""
        attended = self.dropout(self.attend(self.norm(value), cache))
        value = trim(value, self.lookback, cache) + attended
        return value + self.feed(value)  # type: ignore[no-any-return]


@register("transformer")
class Transformer(KeywordModel):
    """A strided stem over all mels, encoder layers, classifier. `width` 1 is 64 channels.

    Differences from the keyword transformer: a convolution in place of the linear map of a frame, norms before the
    parts, a learned bias per distance for the position, and the mean of the logits for the class token.
    """

    STEM_KERNEL = 5

    def __init__(self, config: TransformerConfig, n_mels: int, words: int) -> None:
        super().__init__(config, n_mels, words)
        channels, stride = attention_channels(config, 64), config.frame_stride
        kernel = stem_kernel(self.STEM_KERNEL, stride)
        self.stem = StreamConv1d(n_mels, channels, kernel, stride=stride)
        self.stem_norm = nn.BatchNorm1d(channels)
        self.layers = nn.ModuleList(EncoderLayer(channels, config) for _ in range(config.layers))
        self.norm = ChannelNorm(channels)
        self.classify = classifier(channels, words)
        self.pool = SlidingMean(words, config.pool_frames)
        after_stem = config.layers * config.left_frames + self.pool.lookback
        self.lookback_frames = kernel + stride * after_stem

    def _run(self, features: Tensor, cache: StreamCache | None) -> Tensor:
        value = nn.functional.relu(self.stem_norm(self.stem(features.transpose(1, 2), cache)))
        for layer in self.layers:
            value = layer(value, cache)
        return self.pool(self.classify(self.norm(value)), cache).transpose(1, 2)
