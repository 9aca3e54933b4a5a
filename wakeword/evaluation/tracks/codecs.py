"""Codec conditions: audio encoded and decoded with libsndfile, with the delay of the codec removed."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy import signal

from wakeword.audio.telephone import RATE_HZ, band_gain
from wakeword.config import SAMPLE_RATE_HZ

Audio = NDArray[np.float32]

FORMATS = {"mp3": ("MP3", "MPEG_LAYER_III"), "opus": ("OGG", "OPUS"), "vorbis": ("OGG", "VORBIS")}
"""Container and codec at libsndfile's default quality."""
_LONGEST_DELAY = 4096


def through_codec(audio: Audio, codec: str) -> Audio:
    """Encode and decode `(samples,)` float32 at 16 kHz; the result has the same length and timing.

    `codec`: `mp3`, `opus`, `vorbis`, or `telephone` (300 to 3400 Hz, A-law at 8 kHz).
    """
    delay = _delay(codec)
    # Silence of the delay's length is appended, so that the end of the audio leaves the decoder.
    decoded = _round_trip(np.pad(audio, (0, delay)), codec)[delay : delay + len(audio)]
    return np.clip(np.pad(decoded, (0, len(audio) - len(decoded))), -1.0, 1.0)


def codec_version() -> str:
    """Version of libsndfile, on which the samples may depend."""
    return str(soundfile.__libsndfile_version__)


@lru_cache
def _delay(codec: str) -> int:
    """Delay of the codec in samples: the peak of the correlation for a second of noise between 500 and 3000 Hz."""
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(SAMPLE_RATE_HZ))
    frequency = np.fft.rfftfreq(SAMPLE_RATE_HZ, 1 / SAMPLE_RATE_HZ)
    spectrum[(frequency < 500.0) | (frequency > 3000.0)] = 0.0
    wide = np.fft.irfft(spectrum, SAMPLE_RATE_HZ)
    probe: Audio = (wide * 0.1 / np.std(wide)).astype(np.float32)
    correlation = signal.correlate(_round_trip(probe, codec), probe, method="fft")
    return int(np.argmax(correlation[len(probe) - 1 :][:_LONGEST_DELAY]))


def _round_trip(audio: Audio, codec: str) -> Audio:
    if codec != "telephone":
        return _coded(audio, SAMPLE_RATE_HZ, *FORMATS[codec])
    size = len(audio) + SAMPLE_RATE_HZ // 10
    spectrum = np.fft.rfft(audio, size)
    spectrum *= band_gain(np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ))
    band = np.fft.irfft(spectrum, size)[: len(audio)].astype(np.float32)
    coded = _coded(soxr.resample(band, SAMPLE_RATE_HZ, RATE_HZ), RATE_HZ, "WAV", "ALAW")
    return np.asarray(soxr.resample(coded, RATE_HZ, SAMPLE_RATE_HZ), dtype=np.float32)


def _coded(audio: Audio, rate_hz: int, container: str, subtype: str) -> Audio:
    file = io.BytesIO()
    soundfile.write(file, audio, rate_hz, format=container, subtype=subtype)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return np.asarray(decoded, dtype=np.float32)
