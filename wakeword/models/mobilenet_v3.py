"""MobileNetV3-small over mels and time, causal in time (Howard et al. 2019, arXiv 1905.02244)."""

from __future__ import annotations

from torch import Tensor, nn

from wakeword.config.model import MobileNetV3Config
from wakeword.models.blocks import SlidingMean, StreamCache, StreamConv2d, classifier, trim
from wakeword.models.registry import KeywordModel, register, stem_kernel


def divisible(channels: float) -> int:
    """Round to a multiple of 8 that is at least 8 and at least 90 % of `channels`, as the published network does."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


class SqueezeExcite(nn.Module):
    """Weight the channels by their mean over mels, frame by frame: `(batch, channels, mels, time)`, same shape.

    The published mean is over time too, which a stream cannot have.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = divisible(channels / 4)
        self.weigh = nn.Sequential(
            nn.Conv1d(channels, squeezed, 1), nn.ReLU(), nn.Conv1d(squeezed, channels, 1), nn.Hardsigmoid()
        )

    def forward(self, value: Tensor) -> Tensor:
        """Channels times their weights."""
        return value * self.weigh(value.mean(dim=2)).unsqueeze(2)  # type: ignore[no-any-return]


class InvertedResidual(nn.Module):
    """Expand, depthwise convolution, squeeze-and-excite, project: `(batch, inputs, mels, time)` to fewer mels."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        expanded: int,
        *,
        kernel: int,
        mels: int,
        mel_stride: int,
        excite: bool,
        hard: bool,
    ) -> None:
        super().__init__()
        self.act = nn.Hardswish() if hard else nn.ReLU()
        self.expand: nn.Module | None = None
        if expanded != inputs:
            self.expand = nn.Sequential(nn.Conv2d(inputs, expanded, 1, bias=False), nn.BatchNorm2d(expanded))
        self.depthwise = StreamConv2d(
            expanded,
            expanded,
            (kernel, kernel),
            mels=mels,
            stride=(mel_stride, 1),
            mel_padding=kernel // 2,
            groups=expanded,
        )
        self.norm = nn.BatchNorm2d(expanded)
        self.excite = SqueezeExcite(expanded) if excite else None
        self.project = nn.Sequential(nn.Conv2d(expanded, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.residual = mel_stride == 1 and inputs == outputs
        self.lookback = kernel - 1
        self.mels = self.depthwise.mels

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Valid over time offline; streaming keeps the number of frames."""
        inner = value if self.expand is None else self.act(self.expand(value))
        inner = self.act(self.norm(self.depthwise(inner, cache)))
        inner = self.project(inner if self.excite is None else self.excite(inner))
        return inner + trim(value, self.lookback, cache) if self.residual else inner


@register("mobilenet_v3")
class MobileNetV3(KeywordModel):
    """MobileNetV3-small whose channels are multiplied by `width`; 1.5 million weights at 1.

    Differences: convolutions over time are valid (cached when streaming), and only the stem strides over time, by
    `frame_stride`; squeeze-and-excite averages over mels alone; the final mean slides over `pool_frames`.
    """

    BLOCKS = (
        (3, 16, 16, True, False, 2),
        (3, 72, 24, False, False, 2),
        (3, 88, 24, False, False, 1),
        (5, 96, 40, True, True, 2),
        (5, 240, 40, True, True, 1),
        (5, 240, 40, True, True, 1),
        (5, 120, 48, True, True, 1),
        (5, 144, 48, True, True, 1),
        (5, 288, 96, True, True, 2),
        (5, 576, 96, True, True, 1),
        (5, 576, 96, True, True, 1),
    )
    """Kernel, channels inside, channels out, squeeze-and-excite, hard swish instead of ReLU, stride over mels."""

    def __init__(self, config: MobileNetV3Config, n_mels: int, words: int) -> None:
        super().__init__(config, n_mels, words)
        stride = config.frame_stride
        kernel = stem_kernel(3, stride)
        channels = divisible(16 * config.width)
        self.stem = StreamConv2d(1, channels, (3, kernel), mels=n_mels, stride=(2, stride), mel_padding=1)
        self.stem_norm = nn.BatchNorm2d(channels)
        blocks = self._blocks(channels, self.stem.mels)
        self.blocks = nn.ModuleList(blocks)
        last, wide = divisible(96 * config.width), divisible(576 * config.width)
        self.last = nn.Sequential(nn.Conv2d(last, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.Hardswish())
        hidden = divisible(1024 * config.width)
        self.head = nn.Sequential(nn.Conv1d(wide, hidden, 1), nn.Hardswish(), nn.Dropout(config.dropout))
        self.classify = classifier(hidden, words)
        self.pool = SlidingMean(words, config.pool_frames)
        after_stem = sum(block.lookback for block in blocks) + self.pool.lookback
        self.lookback_frames = kernel + stride * after_stem

    def _blocks(self, inputs: int, mels: int) -> list[InvertedResidual]:
        blocks, width = [], self.config.width
        for kernel, expanded, outputs, excite, hard, mel_stride in self.BLOCKS:
            block = InvertedResidual(
                inputs,
                divisible(outputs * width),
                divisible(expanded * width),
                kernel=kernel,
                mels=mels,
                mel_stride=mel_stride,
                excite=excite,
                hard=hard,
            )
            blocks.append(block)
            inputs, mels = divisible(outputs * width), block.mels
        return blocks

    def _run(self, features: Tensor, cache: StreamCache | None) -> Tensor:
        planes = features.transpose(1, 2).unsqueeze(1)
        planes = nn.functional.hardswish(self.stem_norm(self.stem(planes, cache)))
        for block in self.blocks:
            planes = block(planes, cache)
        value = self.head(self.last(planes).mean(dim=2))
        return self.pool(self.classify(value), cache).transpose(1, 2)
