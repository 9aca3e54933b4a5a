"""GRU and LSTM: recurrent layers over a sliding window, behind a convolution that strides over time."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from wakeword.config.model import RecurrentConfig
from wakeword.models.blocks import SlidingMean, StreamCache, StreamConv1d, classifier
from wakeword.models.registry import KeywordModel, register, scaled_channels, stem_kernel
from wakeword.models.sequence.recurrence import GRULayer, LSTMLayer, RecurrentLayer, WindowedRecurrence


class RecurrentModel(KeywordModel):
    """A strided stem over all mels, a depthwise convolution over the frames of a step, the recurrence, classifier.

    `width` 1 is 64 channels.
    """

    LAYER: ClassVar[type[RecurrentLayer]]
    STEM_KERNEL = 5

    def __init__(self, config: RecurrentConfig, n_mels: int, words: int) -> None:
        super().__init__(config, n_mels, words)
        channels, stride = scaled_channels(config, 64, 4), config.frame_stride
        kernel = stem_kernel(self.STEM_KERNEL, stride)
        self.stem = StreamConv1d(n_mels, channels, kernel, stride=stride)
        self.stem_norm = nn.BatchNorm1d(channels)
        self.gather = StreamConv1d(channels, channels, config.step_frames, depthwise=True)
        self.gather_norm = nn.BatchNorm1d(channels)
        self.recurrence = WindowedRecurrence(
            self.LAYER,
            channels,
            channels,
            layers=config.layers,
            steps=config.window_steps,
            spacing=config.step_frames,
            dropout=config.dropout,
        )
        self.classify = classifier(channels, words)
        self.pool = SlidingMean(words, config.pool_frames)
        after_stem = self.gather.lookback + self.recurrence.lookback + self.pool.lookback
        self.lookback_frames = kernel + stride * after_stem

    def _run(self, features: Tensor, cache: StreamCache | None) -> Tensor:
        value = nn.functional.relu(self.stem_norm(self.stem(features.transpose(1, 2), cache)))
        value = self.gather_norm(self.gather(value, cache))
        return self.pool(self.classify(self.recurrence(value, cache)), cache).transpose(1, 2)


@register("gru")
class GRU(RecurrentModel):
    """Gated recurrent units (Cho et al. 2014, arXiv 1406.1078)."""

    LAYER = GRULayer


@register("lstm")
class LSTM(RecurrentModel):
    """Long short-term memory (Hochreiter and Schmidhuber 1997)."""

    LAYER = LSTMLayer
