"""The detector network from audio to scores with one flat state; it is trained, exported and served."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from wakeword.audio.frontend import Frontend
from wakeword.config import Config
from wakeword.models.families import build_model

FeatureHook = Callable[[Tensor], Tensor]
CLIPS_IN_CACHE = 8
"""Clips per call of the front end on a CPU: 64 clips of 3 s took a third less time in parts of 8."""


class StreamingModel(nn.Module):
    """Front end, network and sigmoid.

    `labels` name the outputs. The flat state `(streams, state_size)` holds the front end's state and every cache of the
    network. `state_dict()` holds weights and buffers of the network only.
    """

    def __init__(self, config: Config, labels: Sequence[str]) -> None:
        """Build front end and network.

        Raises:
            ConfigError: the family is unknown, or does not fit the front end.
        """
        super().__init__()
        self.config = config
        self.labels = list(labels)
        self.frontend = Frontend(config.frontend)
        self.network = build_model(config.model, config.frontend.n_mels, len(self.labels))

    @property
    def step_samples(self) -> int:
        """Samples per score; audio comes in multiples of it."""
        return self.frontend.hop * self.network.frame_stride

    @property
    def context_frames(self) -> int:
        """Feature frames until the first score that depends on nothing before the audio."""
        # Frames whose window starts before the audio are not valid.
        partial = math.ceil(self.frontend.overlap / self.frontend.hop)
        stride = self.network.frame_stride
        return math.ceil((partial + self.network.lookback_frames) / stride) * stride

    @property
    def context_samples(self) -> int:
        """Samples until the first score of `offline`: the receptive field, a multiple of `step_samples`."""
        return self.context_frames * self.frontend.hop

    @property
    def state_size(self) -> int:
        """Size of the state per stream."""
        return self.frontend.state_size + self.network.state_size

    def initial_state(self, streams: int) -> Tensor:
        """Zeros `(streams, state_size)`: empty caches."""
        return torch.cat([self.frontend.initial_state(streams), self.network.initial_state(streams)], dim=1)

    @torch.no_grad()
    def settled_state(self, streams: int) -> Tensor:
        """The state `(streams, state_size)` after `context_samples` of digital silence: the start of every stream."""
        was_training = self.training
        self.eval()
        try:
            silence = self.frontend.cosine.new_zeros(1, self.context_samples)
            state = self(silence, self.initial_state(1))[1]
        finally:
            self.train(was_training)
        return state.repeat(streams, 1)

    def forward(self, audio: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """One chunk of many streams.

        Args:
            audio: `(streams, samples)` float32 in [-1, 1], samples a multiple of `step_samples`.
            state: `(streams, state_size)`.

        Returns:
            Scores in [0, 1], `(streams, samples / step_samples, words)`, and the next state.
        """
        split = self.frontend.state_size
        features, frontend_state = self.frontend(audio, state[:, :split])
        logits, caches = self.network.stream(features, state[:, split:])
        return torch.sigmoid(logits), torch.cat([frontend_state, caches], dim=1)

    def offline(self, audio: Tensor, feature_hook: FeatureHook | None = None) -> Tensor:
        """Logits of whole clips, for training; score `i` is available at sample `context_samples + i * step_samples`.

        Args:
            audio: `(batch, samples)` float32; samples after the last whole hop are ignored.
            feature_hook: changes the features `(batch, frames, mels)` before the network (SpecAugment).

        Returns:
            `(batch, (samples - context_samples) // step_samples + 1, words)`.

        Raises:
            ValueError: the clips are shorter than `context_samples`.
        """
        return self.network(self._valid_features(audio, feature_hook))

    def embed(self, audio: Tensor, feature_hook: FeatureHook | None = None) -> Tensor:
        """Embeddings of whole clips by a frozen body; `network.classify_embeddings` gives the logits of `offline`.

        Args, Raises: as `offline`.
        """
        return self.network.embed(self._valid_features(audio, feature_hook))

    def _valid_features(self, audio: Tensor, feature_hook: FeatureHook | None) -> Tensor:
        if audio.shape[1] < self.context_samples:
            raise ValueError(f"{audio.shape[1]} samples are fewer than the {self.context_samples} of one score")
        hops = audio.shape[1] // self.frontend.hop
        # Log energies exceed the range of half precision.
        with torch.autocast(audio.device.type, enabled=False):
            features = self._features(audio[:, : hops * self.frontend.hop].float())
        if feature_hook is not None:
            features = feature_hook(features)
        return features[:, self.context_frames - self.network.context_frames :]

    def _features(self, audio: Tensor) -> Tensor:
        """Features of whole clips, `CLIPS_IN_CACHE` at a time on a CPU, so that the frames stay in its cache."""
        rows = CLIPS_IN_CACHE if audio.device.type == "cpu" else max(1, len(audio))
        parts = [self.frontend(part, self.frontend.initial_state(len(part)))[0] for part in audio.split(rows)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)
