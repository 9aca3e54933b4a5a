"""MixedNet, the network of microWakeWord: depthwise convolutions of several kernels in one layer.

After MixConv (Tan and Le 2019, arXiv 1907.09595) and `microwakeword/mixednet.py` of github.com/kahrendt/microWakeWord.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wakeword.config.model import MixedNetConfig
from wakeword.errors import ConfigError
from wakeword.models.blocks import Context, SlidingMean, StreamCache, StreamConv1d, classifier
from wakeword.models.registry import KeywordModel, register, scaled_channels, stem_kernel


class MixedConv(nn.Module):
    """Depthwise convolutions over time, one kernel per group of channels: `(batch, channels, time)`.

    The groups share one cache, that of the longest kernel.
    """

    def __init__(self, channels: int, kernels: tuple[int, ...]) -> None:
        super().__init__()
        each, more = divmod(channels, len(kernels))
        self.sizes = [each + (place < more) for place in range(len(kernels))]
        self.convs = nn.ModuleList(
            nn.Conv1d(size, size, kernel, groups=size, bias=False)
            for size, kernel in zip(self.sizes, kernels, strict=True)
        )
        self.lookback = max(kernels) - 1
        self.unused = [self.lookback + 1 - kernel for kernel in kernels]
        self.context = Context((channels,), self.lookback)

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Valid offline; streaming keeps the number of frames."""
        groups = self.context(value, cache).split(self.sizes, dim=1)
        parts = [conv(group[..., unused:]) for conv, group, unused in zip(self.convs, groups, self.unused, strict=True)]
        return torch.cat(parts, dim=1)


@register("mixednet")
class MixedNet(KeywordModel):
    """A strided stem over all mels, mixed depthwise layers each followed by a pointwise one, classifier.

    `width` 1 is 32 channels behind the stem, then 64. Differences: batch norm behind the stem as well; the published
    network flattens its last frames for a dense layer, here the classifier's logits are averaged over `pool_frames`.
    """

    STEM_KERNEL = 5

    def __init__(self, config: MixedNetConfig, n_mels: int, words: int) -> None:
        super().__init__(config, n_mels, words)
        channels, stride = scaled_channels(config, 64, 8), config.frame_stride
        most = max(len(kernels) for kernels in config.kernels)
        if most > channels // 2:
            raise ConfigError(f"model.kernels has a block of {most} kernels, more than its {channels // 2} channels")
        kernel = stem_kernel(self.STEM_KERNEL, stride)
        self.stem = StreamConv1d(n_mels, channels // 2, kernel, stride=stride)
        self.stem_norm = nn.BatchNorm1d(channels // 2)
        widths = [channels // 2, *[channels] * (len(config.kernels) - 1)]
        mixed = [MixedConv(width, kernels) for width, kernels in zip(widths, config.kernels, strict=True)]
        self.mixed = nn.ModuleList(mixed)
        self.pointwise = nn.ModuleList(
            nn.Sequential(nn.Conv1d(width, channels, 1, bias=False), nn.BatchNorm1d(channels), nn.ReLU())
            for width in widths
        )
        self.dropout = nn.Dropout(config.dropout)
        self.classify = classifier(channels, words)
        self.pool = SlidingMean(words, config.pool_frames)
        after_stem = sum(layer.lookback for layer in mixed) + self.pool.lookback
        self.lookback_frames = kernel + stride * after_stem

    def _run(self, features: Tensor, cache: StreamCache | None) -> Tensor:
        value = nn.functional.relu(self.stem_norm(self.stem(features.transpose(1, 2), cache)))
        for mixed, pointwise in zip(self.mixed, self.pointwise, strict=True):
            value = pointwise(mixed(value, cache))
        return self.pool(self.classify(self.dropout(value)), cache).transpose(1, 2)
