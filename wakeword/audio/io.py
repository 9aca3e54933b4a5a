"""Read audio files as 16 kHz mono float32, and write them; a file that cannot be used raises an `AudioError`.

Files are read in blocks. The format is found from the content, not from the name (`audio.decoding.decoders`). Where the
container states its length exactly, a shorter file is `truncated`. Where the length is a placeholder or an estimate,
everything is read, and one warning is passed to `warn` or logged.
"""

from __future__ import annotations

import io
import logging
import math
import time
import wave
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from wakeword.audio.decoding.decoders import CODECS, decode
from wakeword.audio.decoding.faults import AudioError, Warn, logged, name_of, silent
from wakeword.audio.decoding.formats import EXTENSIONS
from wakeword.audio.decoding.guard import join_blocks
from wakeword.audio.locators import local_path, open_uri, remote_errors
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.errors import DataError, MissingExtraError
from wakeword.runtime.resampling import StreamResampler, resample
from wakeword.system.files import atomic_path

__all__ = [
    "CODECS",
    "EXTENSIONS",
    "AudioError",
    "flac_bytes",
    "length_s",
    "level_dbfs",
    "logged",
    "name_of",
    "read_audio",
    "resample",
    "silent",
    "stream_blocks",
    "to_int16",
    "write_flac",
    "write_wav",
]
_LOG = logging.getLogger(__name__)


def read_audio(
    source: str | Path | bytes, max_s: float | None = None, timeout_s: float | None = None, warn: Warn | None = None
) -> np.ndarray:
    """Decode a whole file to `(samples,)` float32 in [-1, 1], 16 kHz, channels averaged.

    Args:
        source: path, URI or place in an archive (`wakeword.audio.locators`), or the bytes of a file.
        max_s: longer audio raises `too_long` without decoding the rest.
        timeout_s: limit for decoding one block of about a million values.
        warn: called with a sentence for each problem that does not stop the decoder; None logs a warning.

    Raises:
        AudioError: a `DataError` with `.reason`: `missing_file`, `empty_file`, `undecodable`, `truncated`,
            `codec_not_allowed`, `bad_sample_rate`, `wrong_rate`, `no_samples`, `nan`, `too_long`, `decode_timeout`.
    """
    return join_blocks(stream_blocks(source, 10.0, timeout_s, warn), name_of(source), max_s)


def stream_blocks(
    source: str | Path | bytes, block_s: float, timeout_s: float | None = None, warn: Warn | None = None
) -> Generator[np.ndarray, None, None]:
    """Decode a file as blocks `(samples,)` float32 of `block_s` seconds at 16 kHz; the last one may be shorter.

    Raises:
        AudioError: as `read_audio`, possibly after some blocks were yielded.
    """
    size = max(1, round(block_s * SAMPLE_RATE_HZ))
    pending: list[np.ndarray] = []
    held, given = 0, False
    for piece in _resampled(source, timeout_s, warn or logged(name_of(source))):
        pending.append(piece)
        held += len(piece)
        if held < size:
            continue
        joined = np.concatenate(pending)
        whole = held - held % size
        for start in range(0, whole, size):
            yield joined[start : start + size].copy()
            given = True
        pending, held = [joined[whole:]], held - whole
    if held:
        yield np.concatenate(pending)
    elif not given:
        raise AudioError("no_samples", name_of(source), "the file holds no samples")


def _resampled(source: str | Path | bytes, timeout_s: float | None, warn: Warn) -> Iterator[np.ndarray]:
    resampler: StreamResampler | None = None
    resampled_hz = SAMPLE_RATE_HZ
    where = name_of(source)
    started_s = time.monotonic()
    with _opened(source) as stream:
        for rate_hz, mono in decode(stream, where, warn, local_path(source)):
            if timeout_s is not None and time.monotonic() - started_s > timeout_s:
                raise AudioError("decode_timeout", where, f"a block took longer than {timeout_s:g} s to decode")
            if not np.isfinite(mono).all():
                raise AudioError("nan", where, "the samples hold NaN or infinite values")
            if rate_hz != resampled_hz:
                # Joined files may change their rate: the rest in the old resampler comes first.
                if resampler is not None:
                    yield resampler.finish()[0]
                resampler = StreamResampler(rate_hz) if rate_hz != SAMPLE_RATE_HZ else None
                resampled_hz = rate_hz
            if resampler is not None:
                mono = resampler.push(mono[None])[0]
            yield np.clip(mono, -1.0, 1.0)
            started_s = time.monotonic()
    if resampler is not None:
        yield resampler.finish()[0]


def _opened(source: str | Path | bytes) -> BinaryIO:
    if isinstance(source, bytes):
        if not source:
            raise AudioError("empty_file", name_of(source), "the source has 0 bytes")
        return io.BytesIO(source)
    where = str(source)
    try:
        stream = open_uri(source)
        with remote_errors(where):
            first = stream.read(1)
        if not first:
            stream.close()
            raise AudioError("empty_file", where, "the file has 0 bytes")
        stream.seek(0)
        return stream
    except FileNotFoundError as error:
        raise AudioError("missing_file", where, "there is no such file") from error
    except OSError as error:
        raise AudioError("unreadable", where, error.strerror or str(error)) from error
    except AudioError:
        raise
    except DataError as error:
        raise AudioError("unreadable", where, str(error)) from error


def to_int16(audio: np.ndarray) -> np.ndarray:
    """Convert float audio in [-1, 1] to int16, rounded and clipped: the inverse of dividing by 32768."""
    return np.clip(np.rint(np.asarray(audio, np.float64) * 32768.0), -32768, 32767).astype("<i2")


def _as_int16(audio: np.ndarray) -> np.ndarray:
    audio = np.asarray(audio)
    if audio.ndim != 1:
        raise DataError(f"audio to write must be mono, (samples,), got shape {audio.shape}")
    if audio.dtype == np.int16:
        return audio
    if not np.isfinite(audio).all():
        raise DataError("audio to write holds NaN or infinite values")
    return to_int16(audio)


def write_wav(path: str | Path, audio: np.ndarray, sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
    """Write `(samples,)` float32 or int16 as 16-bit WAV, atomically."""
    data = _as_int16(audio)
    with atomic_path(Path(path)) as temporary, wave.open(str(temporary), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(sample_rate_hz)
        sound.writeframes(data.tobytes())


def write_flac(path: str | Path, audio: np.ndarray, sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
    """Write `(samples,)` float32 or int16 as 16-bit FLAC, atomically. Raises MissingExtraError without soundfile."""
    # Encoded in memory: libsndfile does not report why a write fails, for example on a full disk.
    data = flac_bytes(audio, sample_rate_hz)
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(data)


def flac_bytes(audio: np.ndarray, sample_rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """The 16-bit FLAC file of `(samples,)` float32 or int16. Raises MissingExtraError without soundfile."""
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtraError("Writing FLAC", "train", error) from error
    stream = io.BytesIO()
    soundfile.write(stream, _as_int16(audio), sample_rate_hz, format="FLAC", subtype="PCM_16")
    return stream.getvalue()


def length_s(path: Path) -> float | None:
    """Length in seconds from the header of an audio file; None if there is no readable file."""
    if not path.is_file():
        return None
    import soundfile

    try:
        return float(soundfile.info(str(path)).duration)
    except soundfile.LibsndfileError:
        return None


def level_dbfs(audio: np.ndarray, window_s: float = 1.0) -> float:
    """RMS of the loudest window in dB relative to full scale; -inf for digital silence."""
    window = min(len(audio), max(1, round(window_s * SAMPLE_RATE_HZ)))
    if window == 0:
        return -math.inf
    energy = np.concatenate([[0.0], np.cumsum(np.asarray(audio, np.float64) ** 2)])
    loudest = float((energy[window:] - energy[:-window]).max()) / window
    return 10.0 * math.log10(loudest) if loudest > 1e-20 else -math.inf
