"""A language of tones, and a CTC model of it: a wav2vec 2.0 whose weights are set, so that times are known.

Each letter is a tone of its own. The model's one convolution holds a sine and a cosine of each tone in both signs,
whose rectified sum is the tone's strength; the head reads letters off these sums, and blank where there are none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

LETTERS = "abcdef"
RATE_HZ = 16_000
STEP = 320
"""Samples a frame of the model."""
WINDOW = 400
LETTER_S = 0.1
GAP_S = 0.04
"""Between letters: equal neighbours need a blank between them."""


def frequency_hz(letter: str) -> float:
    """The letter's tone.

    In the five frames of a letter its phase goes round: its mean, which the model's group norm takes away, is 0.
    """
    return 510.0 + 400.0 * LETTERS.index(letter)


def speak(
    text: str, seed: int = 0, level: float = 0.2, pause_s: float = 0.2, noise: float = 1e-3
) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Speak words: `(samples,)` float32 with a noise floor, and start and end of each word in seconds."""
    chance = np.random.default_rng(seed)
    pieces = [np.zeros(round(0.3 * RATE_HZ))]
    times = []
    at_s = 0.3
    for word in text.split():
        start_s = at_s
        for letter in word:
            t = np.arange(round(LETTER_S * RATE_HZ)) / RATE_HZ
            ramp = np.minimum(1, np.minimum(t, t[::-1]) / 0.005)
            pieces += [level * ramp * np.sin(2 * np.pi * frequency_hz(letter) * t), np.zeros(round(GAP_S * RATE_HZ))]
            at_s += LETTER_S + GAP_S
        times.append((start_s, at_s - GAP_S))
        pieces.append(np.zeros(round(pause_s * RATE_HZ)))
        at_s += pause_s
    audio = np.concatenate([*pieces, np.zeros(round(0.1 * RATE_HZ))])
    return (audio + noise * chance.standard_normal(len(audio))).astype(np.float32), times


def write_tokenizer(folder: Path, letters: Sequence[str]) -> None:
    """Tokenizer and feature extractor of the wav2vec 2.0 family."""
    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {name: number for number, name in enumerate(["<pad>", "<unk>", "|", *letters])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json"), bos_token=None, eos_token=None).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(folder)


def write_model(folder: Path) -> Path:
    """The model of the tones, with capital letters, as many published vocabularies have them."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    write_tokenizer(folder, LETTERS.upper())
    channels = 4 * len(LETTERS)
    config = Wav2Vec2Config(
        vocab_size=3 + len(LETTERS),
        hidden_size=channels,
        num_hidden_layers=0,
        num_attention_heads=1,
        intermediate_size=channels,
        conv_dim=(channels,),
        conv_kernel=(WINDOW,),
        conv_stride=(STEP,),
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=1,
        layer_norm_eps=1.0,
        pad_token_id=0,
    )
    model = Wav2Vec2ForCTC(config).eval()
    t = torch.arange(WINDOW, dtype=torch.float64) / RATE_HZ
    shape = torch.hann_window(WINDOW, periodic=False, dtype=torch.float64)
    filters = []
    for letter in LETTERS:
        phase = 2 * torch.pi * frequency_hz(letter) * t
        filters += [sign * wave * shape for wave in (phase.sin(), phase.cos()) for sign in (1, -1)]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # The positions' convolution is its direction times its gain: without a direction it would divide by 0.
            parameter.fill_(1.0 if name.endswith("weight.original1") else 0.0)
        body = model.wav2vec2
        first = body.feature_extractor.conv_layers[0]
        first.conv.weight.copy_(torch.stack(filters)[:, None].float())
        for norm in (first.layer_norm, body.feature_projection.layer_norm, body.encoder.layer_norm):
            norm.weight.fill_(1.0)
        body.feature_projection.projection.weight.copy_(torch.eye(channels))
        model.lm_head.bias[1:3] = -30.0
        model.lm_head.bias[0] = 8.0
        for number in range(len(LETTERS)):
            model.lm_head.weight[3 + number, 4 * number : 4 * number + 4] = 8.0
    model.save_pretrained(folder)
    return folder


def letters_of(audio: np.ndarray) -> str:
    """The letters of a clip, by the strongest frequency of each 10 ms frame that is loud, without a model."""
    frame = RATE_HZ // 100
    frames = audio[: len(audio) // frame * frame].reshape(-1, frame)
    power = (frames.astype(np.float64) ** 2).mean(axis=1)
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(frame), n=RATE_HZ // 50, axis=1))
    letters = []
    run = 0
    for loud, peak in zip(power > 0.05 * power.max(), spectrum.argmax(axis=1) * 50.0, strict=True):
        run = run + 1 if loud else 0
        # The third loud frame in a row lies well inside its letter.
        if run == 3:
            letters.append(min(LETTERS, key=lambda letter: abs(frequency_hz(letter) - peak)))
    return "".join(letters)
