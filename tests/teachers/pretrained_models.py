"""Tiny models of transformers with random weights, saved as a hub would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from wakeword.system.torchaudio_guard import guard_torchaudio

DIMS, BLOCKS = 16, 2
KINDS = ("wav2vec2", "hubert", "wavlm", "whisper")


def save_model(folder: Path, kind: str, rate_hz: int = 16_000, **changes: Any) -> Path:
    """Save a model of a kind with its feature extractor; a frame is 20 ms (Whisper) or 320 samples too."""
    guard_torchaudio()
    import transformers as hub

    torch.manual_seed(0)
    if kind == "whisper":
        config = hub.WhisperConfig(
            d_model=DIMS, encoder_layers=BLOCKS, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
            encoder_ffn_dim=DIMS, decoder_ffn_dim=DIMS, num_mel_bins=20, max_source_positions=100, vocab_size=20,
            pad_token_id=0, bos_token_id=0, eos_token_id=0, decoder_start_token_id=0, **changes,
        )  # fmt: skip
        hub.WhisperModel(config).save_pretrained(folder)
        hub.WhisperFeatureExtractor(feature_size=20, chunk_length=2, sampling_rate=rate_hz).save_pretrained(folder)
        return folder
    prefix = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert", "wavlm": "WavLM"}[kind]
    config = getattr(hub, f"{prefix}Config")(
        **{
            "hidden_size": DIMS, "num_hidden_layers": BLOCKS, "num_attention_heads": 2, "intermediate_size": DIMS,
            "conv_dim": (8, 8, 8), "conv_kernel": (10, 8, 4), "conv_stride": (10, 8, 4),
            "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4, **changes,
        }
    )  # fmt: skip
    getattr(hub, f"{prefix}Model")(config).save_pretrained(folder)
    hub.Wav2Vec2FeatureExtractor(sampling_rate=rate_hz, do_normalize=True).save_pretrained(folder)
    return folder
