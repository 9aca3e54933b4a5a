"""Causal BC-ResNet: broadcasted residual learning for keyword spotting (Kim et al. 2021, arXiv 2106.04140)."""

from __future__ import annotations

from torch import Tensor, nn

from wakeword.config.model import ModelConfig
from wakeword.errors import ConfigError
from wakeword.models.blocks import (
    SlidingMean,
    StreamCache,
    StreamConv1d,
    StreamConv2d,
    SubSpectralNorm,
    classifier,
    trim,
)
from wakeword.models.registry import KeywordModel, register, scaled_channels, scaled_dilation, stem_kernel


class BroadcastBlock(nn.Module):
    """One BC-ResNet block: a 2-D part over mels, and a 1-D part over time on their mean, broadcast back.

    `(batch, inputs, mels, time)` to `(batch, outputs, mels / mel_stride, time - 2 dilation)` offline.
    """

    def __init__(
        self, inputs: int, outputs: int, *, mel_stride: int, bands: int, dilation: int, dropout: float
    ) -> None:
        super().__init__()
        self.transition: nn.Module | None = None
        if inputs != outputs:
            self.transition = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
            )
        self.over_mels = nn.Sequential(
            nn.Conv2d(outputs, outputs, (3, 1), (mel_stride, 1), padding=(1, 0), groups=outputs, bias=False),
            SubSpectralNorm(outputs, bands),
        )
        self.over_time = StreamConv1d(outputs, outputs, 3, dilation=dilation, depthwise=True)
        self.mix = nn.Sequential(
            nn.BatchNorm1d(outputs), nn.SiLU(), nn.Conv1d(outputs, outputs, 1, bias=False), nn.Dropout1d(dropout)
        )
        self.lookback = self.over_time.lookback

    def forward(self, value: Tensor, cache: StreamCache | None = None) -> Tensor:
        """Streaming keeps the number of frames and adds no delay: the residual is that of the newest frame."""
        planes = self.over_mels(value if self.transition is None else self.transition(value))
        broadcast = self.mix(self.over_time(planes.mean(dim=2), cache)).unsqueeze(2)
        result = trim(planes, self.lookback, cache) + broadcast
        if self.transition is None:
            result = result + trim(value, self.lookback, cache)
        return nn.functional.relu(result)


@register("bc_resnet")
class BCResNet(KeywordModel):
    """BC-ResNet-tau with `width` = tau: the layers of the published network, causal over time.

    Differences: convolutions over time are valid (cached when streaming), while the paper pads both sides; the stem
    strides over time by `frame_stride` and dilations are divided by it, so that the receptive field in seconds stays
    the same; the final mean slides over `pool_frames`; the last kernel and the number of bands are `n_mels` / 8.
    """

    STAGES = ((2, 1), (2, 2), (4, 2), (4, 1))
    """(blocks, stride over mels) of each stage; stage `i` dilates time by 2 ** i feature frames."""

    def __init__(self, config: ModelConfig, n_mels: int, words: int) -> None:
        super().__init__(config, n_mels, words)
        if n_mels % 8:
            raise ConfigError(f"frontend.n_mels = {n_mels}: bc_resnet needs a multiple of 8, such as 40 or 64")
        base = scaled_channels(config, 8, 2)
        channels = (base * 2, base, int(base * 1.5), base * 2, int(base * 2.5), base * 4)
        bands = n_mels // 8
        kernel, stride = stem_kernel(5, config.frame_stride), config.frame_stride
        self.stem = StreamConv2d(1, channels[0], (5, kernel), mels=n_mels, stride=(2, stride), mel_padding=2)
        self.stem_norm = nn.BatchNorm2d(channels[0])
        blocks = self._blocks(channels, bands)
        self.blocks = nn.ModuleList(blocks)
        self.gather = StreamConv2d(channels[4], channels[4], (bands, 5), mels=bands, groups=channels[4])
        self.head = nn.Sequential(
            nn.Conv1d(channels[4], channels[5], 1, bias=False), nn.BatchNorm1d(channels[5]), nn.ReLU()
        )
        self.classify = classifier(channels[5], words)
        # Mean and classifier commute; after the classifier the cache has one channel per word.
        self.pool = SlidingMean(words, config.pool_frames)
        after_stem = sum(block.lookback for block in blocks) + self.gather.lookback + self.pool.lookback
        self.lookback_frames = kernel + stride * after_stem

    def _blocks(self, channels: tuple[int, ...], bands: int) -> list[BroadcastBlock]:
        blocks = []
        inputs = channels[0]
        for stage, (count, mel_stride) in enumerate(self.STAGES):
            for number in range(count):
                blocks.append(
                    BroadcastBlock(
                        inputs,
                        channels[stage + 1],
                        mel_stride=mel_stride if number == 0 else 1,
                        bands=bands,
                        dilation=scaled_dilation(2**stage, self.frame_stride),
                        dropout=self.config.dropout,
                    )
                )
                inputs = channels[stage + 1]
        return blocks

    def _run(self, features: Tensor, cache: StreamCache | None) -> Tensor:
        planes = features.transpose(1, 2).unsqueeze(1)
        planes = nn.functional.relu(self.stem_norm(self.stem(planes, cache)))
        for block in self.blocks:
            planes = block(planes, cache)
        logits = self.classify(self.head(self.gather(planes, cache).squeeze(2)))
        return self.pool(logits, cache).transpose(1, 2)
