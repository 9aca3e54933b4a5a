"""16-bit WAV at 16 kHz by the standard library: what a device with nothing but the runtime can read.

`wakeword.audio.io` reads every other format and rate, with the packages of the extra [train].
"""

from __future__ import annotations

import os
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wakeword.errors import DataError
from wakeword.runtime.bundle import SAMPLE_RATE_HZ


def wav_blocks(path: str | Path, block_s: float = 1.0) -> Iterator[NDArray[np.float32]]:
    """Blocks `(samples,)` float32 in [-1, 1] of `block_s` seconds, channels averaged; the last may be shorter.

    Raises DataError for a missing, empty, truncated or other file, naming it and the way out.
    """
    path = Path(path)
    try:
        size = os.stat(path).st_size
        with wave.open(str(path)) as sound:
            rate_hz, width, channels, promised = (
                sound.getframerate(),
                sound.getsampwidth(),
                sound.getnchannels(),
                sound.getnframes(),
            )
            if rate_hz != SAMPLE_RATE_HZ or width != 2:
                raise DataError(
                    f"{path}: {8 * width}-bit WAV at {rate_hz} Hz; the runtime alone reads 16-bit at"
                    f" {SAMPLE_RATE_HZ} Hz: convert it, or pass wakeword.audio.io.stream_blocks(path)"
                )
            if promised * channels * width > size:
                raise DataError(f"{path}: truncated: its header promises {promised} samples, {size} bytes are there")
            while data := sound.readframes(round(block_s * SAMPLE_RATE_HZ)):
                values = np.frombuffer(data, "<i2").astype(np.float32).reshape(-1, channels) / np.float32(32768.0)
                yield values.mean(axis=1) if channels > 1 else values[:, 0]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (wave.Error, EOFError) as error:
        raise DataError(f"{path}: not a 16-bit WAV file ({str(error) or 'it is empty'})") from error
