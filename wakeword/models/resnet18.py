"""ResNet-18 over mels and time, causal in time (He et al. 2016, arXiv 1512.03385)."""

from __future__ import annotations

from torch import Tensor, nn

from wakeword.config.model import ResNet18Config
from wakeword.models.blocks import SlidingMean, StreamCache, StreamConv2d, classifier, trim
from wakeword.models.registry import KeywordModel, register, scaled_channels, scaled_dilation, stem_kernel


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a residual: `(batch, inputs, mels, time)` to `(batch, outputs, mels', time')`."""

    def __init__(self, inputs: int, outputs: int, *, mels: int, mel_stride: int, dilation: int) -> None:
        super().__init__()
        self.first = StreamConv2d(
            inputs, outputs, (3, 3), mels=mels, stride=(mel_stride, 1), mel_padding=1, dilation=dilation
        )
        self.mels = self.first.mels
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = StreamConv2d(outputs, outputs, (3, 3), mels=self.mels, mel_padding=1, dilation=dilation)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module | None = None
        if mel_stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, (mel_stride, 1), bias=False), nn.BatchNorm2d(outputs)
            )
        self.lookback = self.first.lookback + self.second.lookback

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Valid over time offline; streaming keeps the number of frames."""
        inner = nn.functional.relu(self.first_norm(self.first(value, cache)))
        inner = self.second_norm(self.second(inner, cache))
        beside = trim(value, self.lookback, cache)
        return nn.functional.relu(inner + (beside if self.shortcut is None else self.shortcut(beside)))


@register("resnet18")
class ResNet18(KeywordModel):
    """ResNet-18: a stem, four stages of two blocks, the mean over mels. `width` 1 is 64 channels in the first stage.

    Differences: convolutions over time are valid (cached when streaming); only the stem strides over time, by
    `frame_stride`, and later stages dilate time instead; the pooling behind the stem is over mels alone; the final mean
    slides over `pool_frames`.
    """

    STEM_KERNEL = 7
    DILATIONS = (2, 2, 4, 4)
    """Of each stage over time, in feature frames. Stages halve the mels, but the first."""

    def __init__(self, config: ResNet18Config, n_mels: int, words: int) -> None:
        super().__init__(config, n_mels, words)
        base, stride = scaled_channels(config, 64, 4), config.frame_stride
        kernel = stem_kernel(self.STEM_KERNEL, stride)
        self.stem = StreamConv2d(1, base, (7, kernel), mels=n_mels, stride=(2, stride), mel_padding=3)
        self.stem_norm = nn.BatchNorm2d(base)
        self.shrink = nn.MaxPool2d((3, 1), (2, 1), (1, 0))
        blocks: list[BasicBlock] = []
        inputs, mels = base, (self.stem.mels - 1) // 2 + 1
        for stage, dilation in enumerate(self.DILATIONS):
            for place in range(2):
                block = BasicBlock(
                    inputs,
                    base * 2**stage,
                    mels=mels,
                    mel_stride=2 if stage and not place else 1,
                    dilation=scaled_dilation(dilation, stride),
                )
                blocks.append(block)
                inputs, mels = base * 2**stage, block.mels
        self.blocks = nn.ModuleList(blocks)
        self.dropout = nn.Dropout(config.dropout)
        self.classify = classifier(inputs, words)
        self.pool = SlidingMean(words, config.pool_frames)
        after_stem = sum(block.lookback for block in blocks) + self.pool.lookback
        self.lookback_frames = kernel + stride * after_stem

    def _run(self, features: Tensor, cache: StreamCache | None) -> Tensor:
        planes = features.transpose(1, 2).unsqueeze(1)
        planes = self.shrink(nn.functional.relu(self.stem_norm(self.stem(planes, cache))))
        for block in self.blocks:
            planes = block(planes, cache)
        return self.pool(self.classify(self.dropout(planes.mean(dim=2))), cache).transpose(1, 2)
