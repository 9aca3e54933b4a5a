"""Codecs as a condition: real encoders and decoders (libsndfile's), with the delay that they add taken out again."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeword.audio.telephone import RATE_HZ, band_gain
from wakeword.config import SAMPLE_RATE_HZ
from wakeword.errors import MissingExtraError

Audio = NDArray[np.float32]

FORMATS = {"mp3": ("MP3", "MPEG_LAYER_III"), "opus": ("OGG", "OPUS"), "vorbis": ("OGG", "VORBIS")}
"""Container and codec at libsndfile's default quality."""
_LONGEST_DELAY = 4096


def through_codec(audio: Audio, codec: str) -> Audio:
    """`(samples,)` float32 at 16 kHz after encoding and decoding, of the same length and in the same place.

    `codec`: `mp3`, `opus`, `vorbis` (what the encoder's frames add in front is measured once and cut off), or
    `telephone` (300 to 3400 Hz, A-law at 8 kHz).

    Raises MissingExtraError without soundfile.
    """
    delay = _delay(codec)
    # Behind a delay the end of the audio comes late: quiet after it keeps the decoder running until it is out.
    fed = np.concatenate([audio, np.zeros(delay, dtype=np.float32)]) if delay else audio
    decoded = _round_trip(fed, codec)[delay : delay + len(audio)]
    if len(decoded) < len(audio):
        decoded = np.concatenate([decoded, np.zeros(len(audio) - len(decoded), dtype=np.float32)])
    return np.clip(decoded, -1.0, 1.0)


def codec_version() -> str:
    """What encodes: another version may give other samples."""
    return str(_soundfile().__libsndfile_version__)


@lru_cache
def _delay(codec: str) -> int:
    """Samples by which the codec delays a second of noise between 500 and 3000 Hz: the peak of their correlation."""
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(SAMPLE_RATE_HZ))
    frequency = np.fft.rfftfreq(SAMPLE_RATE_HZ, 1 / SAMPLE_RATE_HZ)
    spectrum[(frequency < 500.0) | (frequency > 3000.0)] = 0.0
    wide = np.fft.irfft(spectrum, SAMPLE_RATE_HZ)
    probe: Audio = (wide * 0.1 / np.std(wide)).astype(np.float32)
    heard = _round_trip(probe, codec)
    size = 2 * SAMPLE_RATE_HZ + _LONGEST_DELAY
    both = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(probe, size)), size)
    return int(np.argmax(both[:_LONGEST_DELAY]))


def _round_trip(audio: Audio, codec: str) -> Audio:
    if codec == "telephone":
        return _telephone(audio)
    container, subtype = FORMATS[codec]
    return _coded(audio, SAMPLE_RATE_HZ, container, subtype)


def _telephone(audio: Audio) -> Audio:
    import soxr

    size = len(audio) + SAMPLE_RATE_HZ // 10
    spectrum = np.fft.rfft(audio, size)
    spectrum *= band_gain(np.fft.rfftfreq(size, 1 / SAMPLE_RATE_HZ))
    band = np.fft.irfft(spectrum, size)[: len(audio)].astype(np.float32)
    coded = _coded(soxr.resample(band, SAMPLE_RATE_HZ, RATE_HZ), RATE_HZ, "WAV", "ALAW")
    return np.asarray(soxr.resample(coded, RATE_HZ, SAMPLE_RATE_HZ), dtype=np.float32)


def _coded(audio: Audio, rate_hz: int, container: str, subtype: str) -> Audio:
    soundfile = _soundfile()
    file = io.BytesIO()
    soundfile.write(file, audio, rate_hz, format=container, subtype=subtype)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return np.asarray(decoded, dtype=np.float32)


def _soundfile() -> Any:
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtraError("Evaluating through codecs", "train", error) from error
    return soundfile
