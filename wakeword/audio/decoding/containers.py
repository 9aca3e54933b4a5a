"""Decode phone and browser recordings (m4a, webm, amr, …) with PyAV, the extra [containers].

FFmpeg's demuxers are large and the files are untrusted, so they run only in the guarded child process
(`audio.decoding.guard`), with the demuxer that the first bytes name and the codecs below.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from wakeword.audio.decoding.faults import AudioError
from wakeword.audio.decoding.formats import Format

CODECS = frozenset(
    [
        "aac", "alac", "opus", "vorbis", "flac", "mp3", "mp3float", "mp2", "mp2float", "mp1", "mp1float",
        "amrnb", "amrwb", "amr_nb", "amr_wb", "libopencore_amrnb", "libopencore_amrwb", "wmav1", "wmav2", "pcm_s16le",
        "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_f32le", "pcm_u8", "pcm_alaw", "pcm_mulaw",
    ]
)  # fmt: skip
"""Allowed codecs, by FFmpeg's names."""
SLACK_S = 0.25
"""Accepted difference to the stated length: encoders count their delay and padding."""
_SCALES = {"u8": 128.0, "s16": 32_768.0, "s32": 2_147_483_648.0}


def decode(stream: BinaryIO, form: Format, where: str) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks of the first audio stream: rate in Hz and `(samples,)` float32, channels averaged.

    Raises:
        AudioError: `no_samples` (no audio stream), `codec_not_allowed`, `undecodable`, `truncated`.
    """
    import av

    failed, decoded_s = 0, 0.0
    try:
        with av.open(stream, mode="r", format=form.demuxer, metadata_errors="replace") as container:
            if not container.streams.audio:
                raise AudioError("no_samples", where, f"the {form.name} file has no audio stream")
            track = container.streams.audio[0]
            name = track.codec_context.name if track.codec_context else "an unknown codec"
            if name not in CODECS:
                raise AudioError("codec_not_allowed", where, f"{form.name} with {name} is not supported")
            stated_s = _stated_s(container, track, form)
            for packet in container.demux(track):
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    failed += 1
                    continue
                for frame in frames:
                    decoded_s += frame.samples / max(1, frame.sample_rate)
                    yield frame.sample_rate, _mono(frame)
    except av.error.FFmpegError as error:
        text = error.strerror or type(error).__name__
        raise AudioError("truncated" if isinstance(error, av.error.EOFError) else "undecodable", where, text) from error
    except OSError as error:
        # In a damaged file the demuxer may seek to a negative position.
        damaged = error.errno == errno.EINVAL
        text = error.strerror or str(error)
        raise AudioError("undecodable" if damaged else "unreadable", where, text) from error
    if stated_s and decoded_s < stated_s - SLACK_S:
        detail = f"the header states {stated_s:.2f} s, the file holds {decoded_s:.2f} s"
        raise AudioError("truncated", where, detail)
    if failed:
        raise AudioError("undecodable", where, f"{failed} packets of audio are damaged")


def _stated_s(container: Any, track: Any, form: Format) -> float | None:
    """Stated length of an MPEG-4 track, or of a Matroska file with a single track; None for others."""
    if form.demuxer == "mov" and track.duration:
        return float(track.duration * track.time_base)
    if form.demuxer == "matroska" and container.duration and len(container.streams) == 1:
        return float(container.duration) / 1e6
    return None


def _mono(frame: Any) -> np.ndarray:
    """Convert a planar or interleaved frame of any sample type to `(samples,)` float32, channels averaged."""
    values = frame.to_ndarray()
    kind = frame.format.name.removesuffix("p")
    channels = len(frame.layout.channels)
    if not frame.format.is_planar:
        values = values.reshape(-1, channels).T
    audio = values.astype(np.float32)
    if kind == "u8":
        audio -= 128.0
    audio /= _SCALES.get(kind, 1.0)
    return audio.mean(axis=0) if channels > 1 else audio[0]
