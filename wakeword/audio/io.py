"""Audio files to 16 kHz mono float32 and back; a bad file is a `DataError` with a reason code, never garbage.

Reading goes by blocks, so the memory of one file is bounded by what the caller keeps. The format is taken from the
content, not from the name. Headers are checked against the bytes that are there: libsndfile itself reads a WAV whose
header promises more than the file holds without a word.
"""

from __future__ import annotations

import io
import math
import struct
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from wakeword.audio.locators import open_uri, remote_faults_told
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.errors import DataError, MissingExtraError
from wakeword.system.files import atomic_path

CODECS = {
    "WAV": {"PCM_16", "PCM_24", "PCM_32", "FLOAT"},
    "WAVEX": {"PCM_16", "PCM_24", "PCM_32", "FLOAT"},
    "FLAC": {"PCM_16", "PCM_24"},
    "OGG": {"VORBIS", "OPUS"},
    "MP3": {"MPEG_LAYER_III"},
}
"""Containers and codecs that are read; everything else libsndfile knows is refused (`codec_not_allowed`)."""

EXTENSIONS = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3")
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 384_000
_BLOCK_VALUES = 1 << 20
"""Values (frames x channels) decoded at a time: 4 MiB of float32, whatever the number of channels."""
_MP3_SLACK = 0.98
"""MP3 headers count encoder padding: a stream is called truncated only below this share of the promised length."""


_SAMPLED = {1, 3, 0xFFFE}
"""WAV codes of PCM, float and extensible: a frame has a fixed number of bytes."""
_RATE_SLACK = 0.01


class AudioError(DataError):
    """A file that cannot be used; `reason` is its code in the quarantine table, `detail` says more."""

    def __init__(self, reason: str, where: str, detail: str) -> None:
        super().__init__(f"cannot read {where}: {detail} ({reason})")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions cross process borders in Ray: the default would call __init__ with the message alone.
        return (_restore, (self.reason, self.detail, str(self)))


def _restore(reason: str, detail: str, message: str) -> AudioError:
    error = AudioError(reason, "", detail)
    error.args = (message,)
    return error


def read_audio(source: str | Path | bytes, max_s: float | None = None, timeout_s: float | None = None) -> np.ndarray:
    """Decode a whole file (or its bytes) to `(samples,)` float32 in [-1, 1], 16 kHz, channels averaged.

    Args:
        source: path, URI or place in an archive (`wakeword.audio.locators`), or the file's bytes.
        max_s: longer audio is refused before the rest of it is decoded.
        timeout_s: a file of which one block (about a million values) takes longer to decode is given up.

    Raises:
        AudioError: a `DataError` with `.reason`: `missing_file`, `empty_file`, `undecodable`, `truncated`,
            `codec_not_allowed`, `bad_sample_rate`, `wrong_rate`, `no_samples`, `nan`, `too_long`, `decode_timeout`.
    """
    kept, samples = [], 0
    for block in stream_blocks(source, 10.0, timeout_s):
        kept.append(block)
        samples += len(block)
        if max_s is not None and samples > max_s * SAMPLE_RATE_HZ:
            raise AudioError("too_long", _name(source), f"longer than the {max_s:g} s allowed here")
    return kept[0] if len(kept) == 1 else np.concatenate(kept)


def stream_blocks(source: str | Path | bytes, block_s: float, timeout_s: float | None = None) -> Iterator[np.ndarray]:
    """Decode a file as blocks of `block_s` seconds, `(samples,)` float32 at 16 kHz; the last block may be shorter.

    Raises:
        AudioError: as `read_audio`, possibly after some blocks were given out.
    """
    size = max(1, round(block_s * SAMPLE_RATE_HZ))
    pending: list[np.ndarray] = []
    held, given = 0, False
    for piece in _resampled(source, timeout_s):
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
        raise AudioError("no_samples", _name(source), "the file holds no samples")


def _resampled(source: str | Path | bytes, timeout_s: float | None) -> Iterator[np.ndarray]:
    resampler: Any = None
    started_s = time.monotonic()
    for rate_hz, mono in _decoded(source):
        if timeout_s is not None and time.monotonic() - started_s > timeout_s:
            raise AudioError("decode_timeout", _name(source), f"a block took longer than {timeout_s:g} s to decode")
        if not np.isfinite(mono).all():
            raise AudioError("nan", _name(source), "the samples hold NaN or infinite values")
        if rate_hz != SAMPLE_RATE_HZ:
            resampler = resampler or _resampler(rate_hz)
            mono = resampler.resample_chunk(mono)
        yield np.clip(mono, -1.0, 1.0)
        started_s = time.monotonic()
    if resampler is not None:
        yield np.clip(resampler.resample_chunk(np.zeros(0, np.float32), last=True), -1.0, 1.0)


def _resampler(rate_hz: int) -> Any:
    try:
        import soxr
    except ImportError as error:
        raise MissingExtraError(f"Resampling {rate_hz} Hz audio to {SAMPLE_RATE_HZ} Hz", "train", error) from error
    return soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")


def _decoded(source: str | Path | bytes) -> Iterator[tuple[int, np.ndarray]]:
    try:
        import soundfile
    except ImportError:
        return _decoded_by_wave(source)
    return _decoded_by_soundfile(source, soundfile)


def _decoded_by_soundfile(source: str | Path | bytes, soundfile: Any) -> Iterator[tuple[int, np.ndarray]]:
    where = _name(source)
    with _opened(source) as stream:
        _check_riff(stream, where)
        try:
            with soundfile.SoundFile(stream) as sound:
                _check_format(sound, where)
                frames = max(1, _BLOCK_VALUES // sound.channels)
                promised, decoded = sound.frames, 0
                while len(block := sound.read(frames, dtype="float32", always_2d=True)):
                    decoded += len(block)
                    yield sound.samplerate, block.mean(axis=1) if sound.channels > 1 else block[:, 0]
                slack = _MP3_SLACK if sound.format == "MP3" else 1.0
                if decoded < promised * slack:
                    raise AudioError("truncated", where, f"the header promises {promised} frames, {decoded} are there")
        except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError) as error:
            text = " ".join(str(error).split())
            reason = "truncated" if "lost sync" in text or "unexpected end" in text.lower() else "undecodable"
            raise AudioError(reason, where, text) from error


def _check_format(sound: Any, where: str) -> None:
    if sound.subtype not in CODECS.get(sound.format, set()):
        allowed = "WAV (16, 24, 32 bit, float), FLAC, Ogg Vorbis or Opus, MP3"
        raise AudioError(
            "codec_not_allowed", where, f"{sound.format}/{sound.subtype} is not read; convert to {allowed}"
        )
    if not MIN_RATE_HZ <= sound.samplerate <= MAX_RATE_HZ:
        raise AudioError("bad_sample_rate", where, f"a sample rate of {sound.samplerate} Hz cannot be meant")


def _check_riff(stream: BinaryIO, where: str) -> None:
    """Refuse a WAV that says two sample rates, or whose data chunk promises more bytes than there are.

    `ffffffff` marks a stream of unknown length.
    """
    start = stream.tell()
    stream.seek(0, io.SEEK_END)
    total = stream.tell()
    stream.seek(start)
    head = stream.read(12)
    if len(head) == 12 and head[:4] == b"RIFF" and head[8:] == b"WAVE":
        while len(chunk := stream.read(8)) == 8:
            name, size = struct.unpack("<4sI", chunk)
            if name == b"data":
                there = total - stream.tell()
                if there < size != 0xFFFFFFFF:
                    raise AudioError(
                        "truncated", where, f"the header promises {size} bytes of audio, {there} are there"
                    )
                break
            body = stream.tell()
            if name == b"fmt ":
                _check_rates(stream.read(16), where)
            stream.seek(body + size + size % 2)
    stream.seek(start)


def _check_rates(head: bytes, where: str) -> None:
    """The rate of a PCM or float WAV and its bytes a second must agree: an edited header changes the one alone."""
    if len(head) < 16:
        return
    codec, _, rate_hz, bytes_per_s, frame_bytes, _ = struct.unpack("<HHIIHH", head)
    if codec not in _SAMPLED or not (bytes_per_s and frame_bytes):
        return
    told_hz = bytes_per_s / frame_bytes
    if abs(told_hz - rate_hz) > _RATE_SLACK * rate_hz:
        detail = f"the header says {rate_hz} Hz, and by its bytes a second {told_hz:.0f} Hz: write the true one into it"
        raise AudioError("wrong_rate", where, detail)


def _decoded_by_wave(source: str | Path | bytes) -> Iterator[tuple[int, np.ndarray]]:
    """PCM16 WAV with the standard library alone: what a runtime without soundfile can read."""
    where = _name(source)
    with _opened(source) as stream:
        if stream.read(4) != b"RIFF":
            raise MissingExtraError(f"Reading {where} (only 16-bit WAV is read without soundfile)", "train")
        stream.seek(0)
        _check_riff(stream, where)
        try:
            with wave.open(stream) as sound:
                if sound.getsampwidth() != 2:
                    raise MissingExtraError(f"Reading {8 * sound.getsampwidth()}-bit WAV {where}", "train")
                rate_hz, channels = sound.getframerate(), sound.getnchannels()
                if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
                    raise AudioError("bad_sample_rate", where, f"a sample rate of {rate_hz} Hz cannot be meant")
                while data := sound.readframes(_BLOCK_VALUES // channels):
                    values = np.frombuffer(data, "<i2").astype(np.float32).reshape(-1, channels) / 32768.0
                    yield rate_hz, values.mean(axis=1) if channels > 1 else values[:, 0]
        except (wave.Error, EOFError, ValueError) as error:
            raise AudioError("undecodable", where, str(error) or "no WAV header") from error


def _opened(source: str | Path | bytes) -> BinaryIO:
    if isinstance(source, bytes):
        if not source:
            raise AudioError("empty_file", _name(source), "there are 0 bytes")
        return io.BytesIO(source)
    where = str(source)
    try:
        stream = open_uri(source)
        with remote_faults_told(where):
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


def _name(source: str | Path | bytes) -> str:
    return f"{len(source)} bytes of audio" if isinstance(source, bytes) else str(source)


def to_int16(audio: np.ndarray) -> np.ndarray:
    """Float audio in [-1, 1] to int16, rounded, clipped: the inverse of dividing by 32768."""
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
    """Write `(samples,)` float32 or int16 as 16-bit WAV, atomically; needs the standard library only."""
    data = _as_int16(audio)
    with atomic_path(Path(path)) as temporary, wave.open(str(temporary), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(sample_rate_hz)
        sound.writeframes(data.tobytes())


def write_flac(path: str | Path, audio: np.ndarray, sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
    """Write `(samples,)` float32 or int16 as 16-bit FLAC, atomically.

    Raises:
        MissingExtraError: soundfile is not installed.
    """
    # Encoded in memory: libsndfile does not say why a write fails, and a full disk must be told from a defect.
    data = flac_bytes(audio, sample_rate_hz)
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(data)


def flac_bytes(audio: np.ndarray, sample_rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """`(samples,)` float32 or int16 as a 16-bit FLAC file.

    Raises:
        MissingExtraError: soundfile is not installed.
    """
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtraError("Writing FLAC", "train", error) from error
    stream = io.BytesIO()
    soundfile.write(stream, _as_int16(audio), sample_rate_hz, format="FLAC", subtype="PCM_16")
    return stream.getvalue()


def length_s(path: Path) -> float | None:
    """Length of a sound file in seconds by its header; None where there is none, or one that cannot be read."""
    if not path.is_file():
        return None
    import soundfile

    try:
        return float(soundfile.info(str(path)).duration)
    except soundfile.LibsndfileError:
        return None


def resample(audio: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """`(samples,)` float32 at any rate to 16 kHz (soxr, high quality)."""
    if sample_rate_hz == SAMPLE_RATE_HZ:
        return np.asarray(audio, np.float32)
    stream = _resampler(sample_rate_hz)
    return np.asarray(stream.resample_chunk(np.asarray(audio, np.float32), last=True))


def level_dbfs(audio: np.ndarray, window_s: float = 1.0) -> float:
    """RMS of the loudest window in dB relative to full scale; -inf for digital silence."""
    window = min(len(audio), max(1, round(window_s * SAMPLE_RATE_HZ)))
    if window == 0:
        return -math.inf
    energy = np.concatenate([[0.0], np.cumsum(np.asarray(audio, np.float64) ** 2)])
    loudest = float((energy[window:] - energy[:-window]).max()) / window
    return 10.0 * math.log10(loudest) if loudest > 1e-20 else -math.inf
