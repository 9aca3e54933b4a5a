"""Audio format of a stream: sample rate, encoding, channels; checks and decoding of its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeword.config import SAMPLE_RATE_HZ

ENCODINGS: dict[str, np.dtype[Any]] = {"pcm_s16le": np.dtype("<i2"), "pcm_f32le": np.dtype("<f4")}
"""Values of the query parameter `encoding`, named as in FFmpeg."""
MAX_CHANNELS = 2
MAX_LEVEL = 16.0
"""Largest float sample that is clipped; a larger one (24 dB above full scale) is refused."""
_MIN_FLOATS = 64
_LEAST_EXPONENT = 127 - 20
_WHOLE_SAMPLES = 16
"""With this many whole numbers in one message, some above 1, the samples are integers without scaling."""


@dataclass(frozen=True)
class AudioFormat:
    """Interleaved little-endian samples; several channels are averaged."""

    sample_rate_hz: int = SAMPLE_RATE_HZ
    encoding: str = "pcm_s16le"
    channels: int = 1

    @property
    def sample_type(self) -> str:
        """int16 or float32."""
        return ENCODINGS[self.encoding].name

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return ENCODINGS[self.encoding].itemsize * self.channels

    @property
    def bytes_per_s(self) -> int:
        """Bytes of one second."""
        return self.frame_bytes * self.sample_rate_hz

    def __str__(self) -> str:
        stereo = "" if self.channels == 1 else f" of {self.channels} channels"
        return f"{self.sample_type} little-endian samples{stereo} at {self.sample_rate_hz / 1000:g} kHz"

    def facts(self) -> dict[str, Any]:
        """The format as fields of a server message."""
        return {"sample_rate_hz": self.sample_rate_hz, "encoding": self.encoding, "channels": self.channels}

    def length_fault(self, size: int) -> str:
        """Why `size` bytes are not whole frames; empty when they are."""
        if size % self.frame_bytes == 0:
            return ""
        unit = "samples" if self.channels == 1 else f"frames of {self.channels} channels"
        return f"a message of {size} bytes is not a whole number of {self.sample_type} {unit}"

    def value_fault(self, data: bytes) -> str:
        """Why the values of whole frames cannot be audio; empty when they can, as all int16 can."""
        if self.encoding != "pcm_f32le":
            return ""
        samples = np.frombuffer(data, ENCODINGS[self.encoding])
        if not np.isfinite(samples).all():
            return "the audio holds NaN or infinite float32 samples: are they int16 (encoding=pcm_s16le)?"
        peak = float(np.abs(samples).max(initial=0.0))
        if peak > MAX_LEVEL or (peak > 1 and _whole_numbers(samples)):
            return f"a float sample of {peak:.4g}: full scale is 1; divide int16 by 32768 or use encoding=pcm_s16le"
        return ""

    def decode(self, data: bytes) -> NDArray[Any]:
        """Whole frames as mono `(samples,)`: int16 as it came, else float32 clipped to [-1, 1]."""
        samples = np.frombuffer(data, ENCODINGS[self.encoding])
        if samples.dtype.kind == "f":
            samples = np.clip(samples, np.float32(-1.0), np.float32(1.0))
        if self.channels == 1:
            return samples
        frames = samples.reshape(-1, self.channels).astype(np.float32)
        if samples.dtype.kind == "i":
            frames /= np.float32(32768.0)
        return frames.mean(axis=1)

    def encode(self, audio: NDArray[np.int16] | NDArray[np.float32]) -> NDArray[Any]:
        """Mono int16, or float in [-1, 1], in this encoding, for `.tobytes()`."""
        if self.encoding == "pcm_f32le":
            scale = np.float32(32768.0) if audio.dtype == np.int16 else np.float32(1.0)
            return (audio.astype(np.float32) / scale).astype("<f4")
        if audio.dtype == np.int16:
            return np.asarray(audio, dtype="<i2")
        return np.clip(np.rint(audio * 32768.0), -32768, 32767).astype("<i2")


def looks_like_float32(data: bytes) -> bool | None:
    """Whether bytes declared as int16 are float32 samples; None where there is too little signal to decide.

    In float32, every second int16 holds sign, exponent and first digits, which for audio in [-1, 1] lie in two narrow
    bands, while the other int16, the last digits, take all values. Audio in int16 has no such pattern.
    """
    halves = np.frombuffer(data[: len(data) - len(data) % 4], "<u2").reshape(-1, 2)
    # Zeros, -0.0 among them, carry no information.
    halves = halves[(halves & np.array([0xFFFF, 0x7FFF], "<u2")).any(axis=1)]
    if len(halves) < _MIN_FLOATS:
        return None
    # Without its sign, the upper half of a float from 1e-6 to 2.
    last, first = ((halves & 0x7FFF) // 0x80).T
    fitting, alike = (((part >= _LEAST_EXPONENT) & (part <= 127)).mean() for part in (first, last))
    return bool(fitting > 0.98 and alike < 0.5 and (halves[:, 1] & 0x8000).any() and not (halves[:, 1] & 0x8000).all())


def _whole_numbers(samples: NDArray[Any]) -> bool:
    nonzero = samples[samples != 0]
    return len(nonzero) >= _WHOLE_SAMPLES and bool((nonzero == np.rint(nonzero)).all())
