"""CRNN: a 2-D convolution and gated recurrent units (Arik et al. 2017, arXiv 1703.05390)."""

from __future__ import annotations

from torch import Tensor, nn

from wakeword.config.model import CRNNConfig
from wakeword.errors import ConfigError
from wakeword.models.blocks import SlidingMean, StreamCache, StreamConv2d, classifier
from wakeword.models.registry import KeywordModel, register, scaled_channels
from wakeword.models.sequence.recurrence import GRULayer, WindowedRecurrence


@register("crnn")
class CRNN(KeywordModel):
    """A 2-D convolution, recurrent units over its planes, a hidden layer, classifier. `width` 1 is 16 planes, 64 units.

    Differences: the units run forwards only, over a sliding window; the convolution strides over time by
    `frame_stride`, and the units take every `step_frames`-th of its frames (by default 8 feature frames, as published).
    """

    KERNEL = (5, 20)
    """Over mels and feature frames."""

    def __init__(self, config: CRNNConfig, n_mels: int, words: int) -> None:
        super().__init__(config, n_mels, words)
        if n_mels < 8:
            raise ConfigError(f"frontend.n_mels = {n_mels}: crnn needs at least 8")
        planes, units, stride = scaled_channels(config, 16, 2), scaled_channels(config, 64, 4), config.frame_stride
        self.stem = StreamConv2d(1, planes, self.KERNEL, mels=n_mels, stride=(2, stride), mel_padding=2)
        self.stem_norm = nn.BatchNorm2d(planes)
        self.recurrence = WindowedRecurrence(
            GRULayer,
            planes * self.stem.mels,
            units,
            layers=config.layers,
            steps=config.window_steps,
            spacing=config.step_frames,
            dropout=config.dropout,
        )
        self.head = nn.Sequential(nn.Conv1d(units, units, 1), nn.ReLU(), nn.Dropout(config.dropout))
        self.classify = classifier(units, words)
        self.pool = SlidingMean(words, config.pool_frames)
        self.lookback_frames = self.KERNEL[1] + stride * (self.recurrence.lookback + self.pool.lookback)

    def _run(self, features: Tensor, cache: StreamCache | None) -> Tensor:
        planes = features.transpose(1, 2).unsqueeze(1)
        planes = nn.functional.relu(self.stem_norm(self.stem(planes, cache)))
        value = self.recurrence(planes.flatten(1, 2), cache)
        return self.pool(self.classify(self.head(value)), cache).transpose(1, 2)
