"""Read 16-bit WAV with numpy alone; `wakeword.audio.io` reads other formats with the extra [train]."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from wakeword.errors import DataError
from wakeword.runtime.resampling import MAX_RATE_HZ, MIN_RATE_HZ
from wakeword.runtime.wav_header import HeaderError, SampleLayout, extent, read_wav_header

_LOG = logging.getLogger(__name__)


def wav_rate_hz(path: str | Path) -> int:
    """The sample rate in the header of a 16-bit WAV. Raises DataError as `wav_blocks`."""
    with _opened(Path(path)) as (_, layout):
        return layout.rate_hz


def wav_blocks(path: str | Path, block_s: float = 1.0) -> Iterator[NDArray[np.float32]]:
    """Blocks `(samples,)` float32 in [-1, 1] of `block_s` seconds at the rate of the file, channels averaged.

    The last block may be shorter. If the header has a placeholder for the size (`wakeword.runtime.wav_header.extent`),
    everything is read and a warning is logged.

    Raises DataError for a missing, empty, truncated or unsupported file.
    """
    path = Path(path)
    with _opened(path) as (stream, layout):
        there = extent(layout, stream, os.fstat(stream.fileno()).st_size)
        if there.missing:
            raise DataError(
                f"{path}: truncated: its header states {layout.stated_bytes} bytes of audio,"
                f" {there.missing} of them are missing"
            )
        if there.note:
            _LOG.warning("%s: %s", path, there.note)
        stream.seek(layout.data_start)
        left, block = there.size, max(1, round(block_s * layout.rate_hz)) * layout.frame_bytes
        while left and (data := stream.read(min(left, block))):
            left -= len(data)
            yield mono_of_pcm16(data, layout)


def mono_of_pcm16(data: bytes, layout: SampleLayout) -> NDArray[np.float32]:
    """Convert whole frames of 16-bit samples to `(samples,)` float32 in [-1, 1], channels averaged."""
    values = np.frombuffer(data, ">i2" if layout.big_endian else "<i2").astype(np.float32)
    values = values.reshape(-1, layout.channels) / np.float32(32768.0)
    return values.mean(axis=1) if layout.channels > 1 else values[:, 0]


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, SampleLayout]]:
    try:
        with path.open("rb") as stream:
            layout = read_wav_header(stream)
            if not MIN_RATE_HZ <= layout.rate_hz <= MAX_RATE_HZ:
                raise DataError(f"{path}: its sample rate of {layout.rate_hz} Hz is not plausible")
            if layout.codec != "PCM_16":
                raise DataError(
                    f"{path}: {layout.codec.removeprefix('other: ')} WAV; the runtime alone reads 16-bit (PCM_16):"
                    " convert it, or pass wakeword.audio.io.stream_blocks(path)"
                )
            yield stream, layout
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except HeaderError as error:
        raise DataError(f"{path}: not a 16-bit WAV file ({error})") from error
