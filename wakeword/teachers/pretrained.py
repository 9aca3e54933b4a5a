"""The teacher `transformers:PATH_OR_ID`: Wav2Vec2, HuBERT, WavLM and Whisper encoders of transformers, frozen.

Audio is normalised row by row as their feature extractors do it, silence included, and no attention mask is given: each
row is one piece of audio. Whisper hears a fixed length (30 s), so that each of its calls costs the same.
"""

from __future__ import annotations

import json
import math
from typing import Any

import torch

from wakeword.config import SAMPLE_RATE_HZ, Config
from wakeword.errors import ConfigError, RunError
from wakeword.phonetics.pretrained import load_pretrained, weights_identity
from wakeword.teachers.registry import register_teacher

KINDS = ("wav2vec2", "hubert", "wavlm", "whisper")
_OWNER = "distillation.teacher = transformers:"
_QUIET = 1e-7
"""Variance added in the normalisation, as the feature extractors do."""


def _fingerprint(name: str, config: Config) -> str:
    if not name:
        raise ConfigError(f"{_OWNER} names no model: write transformers:FOLDER_OR_ID")
    settings = config.distillation
    chosen = json.dumps([list(settings.layers), list(settings.layer_weights)])
    return f"transformers {weights_identity(name)} {chosen}"


@register_teacher("transformers", "features", _fingerprint)
class TransformersTeacher:
    """A hidden layer, or the weighted mean of several, of a pretrained encoder."""

    def __init__(self, name: str, config: Config, device: torch.device) -> None:
        self.fingerprint = _fingerprint(name, config)
        model, extractor = load_pretrained(_OWNER, name, "AutoModel")
        kind = model.config.model_type
        if kind not in KINDS:
            raise ConfigError(f"{_OWNER}{name} is a model of type {kind}: use one of {', '.join(KINDS)}")
        self.whisper = kind == "whisper"
        self.model: Any = (model.encoder if self.whisper else model).to(device)
        self.extractor: Any = extractor
        self.normalised = bool(getattr(extractor, "do_normalize", False)) and not self.whisper
        self.dims = int(model.config.hidden_size)
        self._layers(name, config, int(model.config.encoder_layers if self.whisper else model.config.num_hidden_layers))
        self._grid(name)

    def _layers(self, name: str, config: Config, blocks: int) -> None:
        """The layers chosen, as numbers from 0, and their weights."""
        settings = config.distillation
        chosen = settings.layers or (blocks,)
        for layer in chosen:
            if not -(blocks + 1) <= layer <= blocks:
                raise ConfigError(
                    f"distillation.layers: {name} has the layers 0 to {blocks} (or -{blocks + 1} to -1), not {layer}"
                )
        self.layers = [layer % (blocks + 1) for layer in chosen]
        weights = settings.layer_weights or (1.0,) * len(chosen)
        self.weights = [weight / sum(weights) for weight in weights]

    def _grid(self, name: str) -> None:
        """Rate, place and reach of the frames."""
        if self.whisper:
            config, extractor = self.model.config, self.extractor
            self.step_samples, self.first_sample = 2 * extractor.hop_length, 0
            self.longest_samples: int | None = config.max_source_positions * self.step_samples
            self.context_samples = SAMPLE_RATE_HZ // 4
            if extractor.feature_size != config.num_mel_bins or extractor.n_samples != self.longest_samples:
                raise ConfigError(
                    f"{_OWNER}{name}: preprocessor_config.json gives {extractor.feature_size} mels of "
                    f"{extractor.n_samples} samples, config.json wants {config.num_mel_bins} of "
                    f"{self.longest_samples}: take both files from one model"
                )
            return
        reach, step = 1, 1
        for kernel, stride in zip(self.model.config.conv_kernel, self.model.config.conv_stride, strict=True):
            reach += (kernel - 1) * step
            step *= stride
        self.step_samples, self.first_sample, self.longest_samples = step, (reach - 1) // 2, None
        # The convolution that stands for the positions reaches furthest; attention has no limit.
        self.context_samples = reach + step * int(self.model.config.num_conv_pos_embeddings) // 2

    @property
    def rate_hz(self) -> float:
        """See `FeatureTeacher.rate_hz`."""
        return SAMPLE_RATE_HZ / self.step_samples

    @torch.inference_mode()
    def features(self, audio: torch.Tensor) -> torch.Tensor:
        """See `FeatureTeacher.features`.

        Raises:
            RunError: the model returns NaN or infinity.
        """
        states = self.model(self._inputs(audio), output_hidden_states=True).hidden_states
        mixed = sum(weight * states[layer] for layer, weight in zip(self.layers, self.weights, strict=True))
        assert isinstance(mixed, torch.Tensor)
        if self.whisper:
            mixed = mixed[:, : math.ceil(audio.shape[1] / self.step_samples)]
        if not torch.isfinite(mixed).all():
            raise RunError("the teacher's features are NaN or infinite: its weights are damaged, or it is not trained")
        return mixed

    def _inputs(self, audio: torch.Tensor) -> torch.Tensor:
        if self.whisper:
            clips = list(audio.cpu().numpy())
            mels = self.extractor(clips, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt").input_features
            return mels.to(audio.device)  # type: ignore[no-any-return]
        if not self.normalised:
            return audio
        centred = audio - audio.mean(1, keepdim=True)
        return centred / (centred.square().mean(1, keepdim=True) + _QUIET).sqrt()
