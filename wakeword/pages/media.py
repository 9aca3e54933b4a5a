"""Audio, pictures and spectrograms of pages; sounds and pictures are embedded as data URLs."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray

DYNAMIC_RANGE_DB = 70.0
"""Range of a spectrogram below its loudest point."""
FFT_SAMPLES, WINDOW_SAMPLES, HOP_SAMPLES = 512, 400, 160
"""25 ms windows every 10 ms at 16 kHz."""
_SILENCE = 1e-3
"""Spectrograms with a maximum magnitude below this are drawn dark."""


def spectrogram_db(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Level in dB below the loudest point, `(257, frames)`, from -70 to 0, of audio `(samples,)` at 16 kHz."""
    import librosa

    padded = np.pad(audio, (0, max(0, FFT_SAMPLES - len(audio))))
    spectrum = librosa.stft(padded, n_fft=FFT_SAMPLES, win_length=WINDOW_SAMPLES, hop_length=HOP_SAMPLES)
    magnitude = np.abs(spectrum)
    level = librosa.amplitude_to_db(magnitude, ref=max(float(magnitude.max()), _SILENCE), top_db=None)
    return np.maximum(level, -DYNAMIC_RANGE_DB)


def png_address(png: bytes) -> str:
    """A picture as a data URL for `<img src>`."""
    return _address("image/png", png)


def flac_address(flac: bytes) -> str:
    """Sound as a data URL for `<audio src>`."""
    return _address("audio/flac", flac)


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
