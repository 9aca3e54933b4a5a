"""Self-attention over a limited number of frames before the present one, and the layers around it.

Values are `(batch, channels, time)`, as everywhere. Offline, attention is valid like a convolution: each frame attends
to exactly `left` frames before it and to itself, and the first `left` frames have no result. Streaming, the flat state
keeps the keys and values of the last `left` frames. So no mask of valid entries is needed: a stream starts from the
state after silence, whose keys are all there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wakeword.config.model import AttentionConfig
from wakeword.errors import ConfigError
from wakeword.models.blocks import Context, StreamCache, trim
from wakeword.models.registry import scaled_channels


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each frame: `(batch, channels, time)`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, value: Tensor) -> Tensor:
        """The same shape."""
        return self.norm(value.transpose(1, 2)).transpose(1, 2)  # type: ignore[no-any-return]


class LeftAttention(nn.Module):
    """Self-attention over a frame and the `left` before it.

    `(batch, channels, time)` to `(batch, channels, time - left)` offline.

    A learned bias per head and distance stands for the position (Raffel et al. 2020, arXiv 1910.10683, section 2.1).
    """

    def __init__(self, channels: int, heads: int, left: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.lookback = heads, left
        self.scale = (channels // heads) ** -0.5
        self.query = nn.Conv1d(channels, channels, 1, bias=False)
        self.key_value = nn.Conv1d(channels, 2 * channels, 1, bias=False)
        self.mix = nn.Conv1d(channels, channels, 1)
        self.distance = nn.Parameter(torch.zeros(heads, left + 1))
        self.context = Context((2 * channels,), left)
        self.dropout = nn.Dropout(dropout)

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Valid offline; streaming keeps the number of frames."""
        query = self.query(trim(value, self.lookback, cache)).unflatten(1, (self.heads, -1))
        joined = self.context(self.key_value(value), cache).unflatten(1, (2, self.heads, -1))
        key, values = joined[:, 0], joined[:, 1]
        # Frame i of the result is frame i + left of the keys: it attends to the keys from i to i + left.
        frame = torch.arange(query.shape[-1], device=value.device)
        place = torch.arange(key.shape[-1], device=value.device)[None] - frame[:, None]
        outside = (place < 0) | (place > self.lookback)
        scores = self.scale * (query.transpose(-1, -2) @ key) + self.distance[:, place.clamp(0, self.lookback)]
        weights = self.dropout(scores.masked_fill(outside, -torch.inf).softmax(dim=-1))
        return self.mix((values @ weights.transpose(-1, -2)).flatten(1, 2))  # type: ignore[no-any-return]


def feed_forward(channels: int, factor: int, dropout: float) -> nn.Sequential:
    """Norm and two pointwise layers: `(batch, channels, time)`, same shape."""
    return nn.Sequential(
        ChannelNorm(channels),
        nn.Conv1d(channels, factor * channels, 1),
        nn.SiLU(),
        nn.Dropout(dropout),
        nn.Conv1d(factor * channels, channels, 1),
        nn.Dropout(dropout),
    )


def attention_channels(config: AttentionConfig, base: int) -> int:
    """`model.width` times `base` channels, rounded down to a multiple of the heads.

    Raises:
        ConfigError: these are fewer than the heads, or than 4.
    """
    channels = scaled_channels(config, base, 4) // config.attention_heads * config.attention_heads
    if channels < 4:
        raise ConfigError(
            f"model.attention_heads = {config.attention_heads} is more than the channels of model.width ="
            f" {config.width}: raise the width or use fewer heads"
        )
    return channels
