"""16-bit WAV by the standard library: what a device with nothing but the runtime can read.

`wakeword.audio.io` reads every other format, with the packages of the extra [train].
"""

from __future__ import annotations

import os
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wakeword.errors import DataError
from wakeword.runtime.resampling import MAX_RATE_HZ, MIN_RATE_HZ


def wav_rate_hz(path: str | Path) -> int:
    """The sample rate that the header of a 16-bit WAV says. Raises DataError as `wav_blocks`."""
    with _opened(Path(path)) as sound:
        return sound.getframerate()


def wav_blocks(path: str | Path, block_s: float = 1.0) -> Iterator[NDArray[np.float32]]:
    """Blocks `(samples,)` float32 in [-1, 1] of `block_s` seconds at the file's rate, channels averaged.

    The last may be shorter. Raises DataError for a missing, empty, truncated or other file, naming it and the way out.
    """
    with _opened(Path(path)) as sound:
        channels = sound.getnchannels()
        while data := sound.readframes(round(block_s * sound.getframerate())):
            values = np.frombuffer(data, "<i2").astype(np.float32).reshape(-1, channels) / np.float32(32768.0)
            yield values.mean(axis=1) if channels > 1 else values[:, 0]


@contextmanager
def _opened(path: Path) -> Iterator[wave.Wave_read]:
    try:
        size = os.stat(path).st_size
        with wave.open(str(path)) as sound:
            width, channels, promised = sound.getsampwidth(), sound.getnchannels(), sound.getnframes()
            if not MIN_RATE_HZ <= sound.getframerate() <= MAX_RATE_HZ:
                raise DataError(f"{path}: a sample rate of {sound.getframerate()} Hz cannot be meant")
            if width != 2:
                raise DataError(
                    f"{path}: {8 * width}-bit WAV; the runtime alone reads 16-bit: convert it, or pass"
                    " wakeword.audio.io.stream_blocks(path)"
                )
            if promised * channels * width > size:
                raise DataError(f"{path}: truncated: its header promises {promised} samples, {size} bytes are there")
            yield sound
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (wave.Error, EOFError) as error:
        raise DataError(f"{path}: not a 16-bit WAV file ({str(error) or 'it is empty'})") from error
