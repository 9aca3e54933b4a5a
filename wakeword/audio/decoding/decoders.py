"""Decode the bytes of a file to blocks of samples at the file's own rate.

Headers of containers with uncompressed samples are parsed in `sampled`, MPEG frames in `mpeg`, Ogg pages in `ogg` and
FLAC headers in `flac`; libsndfile decodes the parts that these find. PyAV decodes other containers if it is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from wakeword.audio.decoding import containers, flac, guard, mpeg, ogg
from wakeword.audio.decoding.faults import AudioError, Warn
from wakeword.audio.decoding.formats import (
    ALLOWED,
    HEAD_BYTES,
    Format,
    containers_installed,
    format_of,
    refusal,
    way_out,
)
from wakeword.audio.decoding.sampled import MAX_CHANNELS, SAMPLE_CODECS, reader_of
from wakeword.audio.views import Part, View, size_of_stream
from wakeword.errors import MissingExtraError
from wakeword.runtime.resampling import MAX_RATE_HZ, MIN_RATE_HZ
from wakeword.runtime.wav import mono_of_pcm16
from wakeword.runtime.wav_header import HeaderError, SampleLayout, extent

CODECS = {
    **{container: set(SAMPLE_CODECS) for container in ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF")},
    "FLAC": {"PCM_S8", "PCM_16", "PCM_24"},
    "OGG": {"VORBIS", "OPUS"},
    "MP3": {"MPEG_LAYER_III"},
}
"""Allowed codecs by container, with libsndfile's names; others raise `codec_not_allowed`."""
_BLOCK_VALUES = 1 << 20
"""Values (frames x channels) decoded at a time: 4 MiB of float32."""
_STEP_FRAMES = 512
_MPEG_SLACK = 2_400
"""Samples that a decoder may remove from an MPEG stream: two frames of delay and padding."""

Blocks = Iterator[tuple[int, np.ndarray]]


def decode(stream: BinaryIO, where: str, warn: Warn, path: str | None = None) -> Blocks:
    """Blocks of the file: rate in Hz, which may change, and `(samples,)` float32, channels averaged.

    Args:
        stream: the whole file, seekable.
        where: name of the file in messages.
        warn: called with a sentence for each problem that does not stop the decoder.
        path: of a local file.

    Raises:
        AudioError: as `wakeword.audio.io.read_audio`.
        MissingExtraError: soundfile is needed and not installed.
    """
    head = stream.read(HEAD_BYTES)
    if read_header := reader_of(head):
        try:
            layout = read_header(stream)
        except HeaderError as error:
            raise AudioError(error.reason, where, str(error)) from error
        return _sampled(stream, layout, where, warn)
    form = format_of(head)
    if form is None and (tag := mpeg.id3_bytes(head)):
        stream.seek(tag)
        form = format_of(stream.read(HEAD_BYTES))
        if form and form.name == "FLAC":
            return _flac(stream, tag, where, warn)
    if form and form.name == "FLAC":
        return _flac(stream, 0, where, warn)
    if form and form.name == "Ogg":
        return _ogg(stream, where, warn)
    if form is None:
        if first := mpeg.first_frame(stream):
            if first.layer == 3:
                return _mpeg(stream, where, warn)
            form = Format(f"MPEG audio, layer {'I' * first.layer} (mp{first.layer})", ".mp2", "mp3")
        else:
            return _unknown(stream, head, where)
    return _contained(stream, form, where, path)


def _contained(stream: BinaryIO, form: Format, where: str, path: str | None) -> Blocks:
    """Blocks of a file that only FFmpeg reads."""
    if not (form.demuxer and containers_installed()):
        raise AudioError("codec_not_allowed", where, refusal(where, form))
    stream.seek(0)
    if guard.is_child():
        return _checked(containers.decode(stream, form, where), where)
    return guard.decoded_by_a_child(path if path is not None else stream.read(), where)


def _checked(blocks: Blocks, where: str) -> Blocks:
    for rate_hz, mono in blocks:
        _check_rate(rate_hz, where)
        yield rate_hz, mono


def _check_rate(rate_hz: int, where: str) -> None:
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise AudioError("bad_sample_rate", where, f"its sample rate of {rate_hz} Hz is not plausible")


def _unknown(stream: BinaryIO, head: bytes, where: str) -> Blocks:
    """Blocks of a file without a known container: MPEG of a free bit rate, or no audio."""
    if mpeg.id3_bytes(head) or (len(head) > 2 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2):
        return _library([(0, size_of_stream(stream))], stream, where)
    detail = f"the first bytes match no known audio format (known are {ALLOWED})"
    raise AudioError("undecodable", where, f"{detail}; if it is audio, {way_out(where, None)}")


def _sampled(stream: BinaryIO, layout: SampleLayout, where: str, warn: Warn) -> Blocks:
    """Blocks of a container with uncompressed samples."""
    if layout.codec.startswith("other: "):
        detail = (
            f"{layout.container} with {layout.codec.removeprefix('other: ')} is not supported; {way_out(where, None)}"
        )
        raise AudioError("codec_not_allowed", where, detail)
    _check_rate(layout.rate_hz, where)
    if layout.channels > MAX_CHANNELS:
        raise AudioError("undecodable", where, f"{layout.channels} channels are not plausible")
    there = extent(layout, stream, size_of_stream(stream))
    if there.missing:
        detail = f"the header states {layout.stated_bytes} bytes of audio, {there.missing} of them are missing"
        raise AudioError("truncated", where, detail)
    if there.note:
        warn(there.note)
    view = View(stream, [(layout.data_start, layout.data_start + there.size)])
    try:
        import soundfile
    except ImportError as error:
        if layout.codec != "PCM_16":
            raise MissingExtraError(f"Reading {layout.codec} in {where}", "train", error) from error
        return _pcm16(view, layout)
    options = {
        "samplerate": layout.rate_hz,
        "channels": layout.channels,
        "subtype": layout.codec,
        "endian": "BIG" if layout.big_endian else "LITTLE",
        "format": "RAW",
    }
    return _sounds(soundfile, view, where, options) if there.size else iter(())


def _pcm16(view: View, layout: SampleLayout) -> Blocks:
    """Blocks of 16-bit samples, without soundfile."""
    while data := view.read(max(1, _BLOCK_VALUES // layout.channels) * layout.frame_bytes):
        yield layout.rate_hz, mono_of_pcm16(data, layout)


def _flac(stream: BinaryIO, start: int, where: str, warn: Warn) -> Blocks:
    """Blocks of a FLAC file and of the FLAC files that are appended to it."""
    for place in flac.joined_files(stream, start):
        yield from _flac_sounds(flac.with_largest_count(stream, [place]), stream, where, warn)


def _flac_sounds(file: flac.FlacFile, stream: BinaryIO, where: str, warn: Warn) -> Blocks:
    """Blocks of the samples that the header states, which must exist, and of valid FLAC frames behind them."""
    soundfile = _soundfile(where)
    view = View(stream, file.parts)
    decoded, whole = 0, True
    with _decoder_errors(soundfile, where), _forwards(soundfile)(view) as sound:
        _check_format(sound, where)
        while decoded < file.stated:
            block = sound.read(min(_frames(sound), file.stated - decoded), dtype="float32", always_2d=True)
            if not len(block):
                detail = f"the header states {file.stated} samples, the file holds {decoded}"
                raise AudioError("truncated", where, detail)
            decoded += len(block)
            yield sound.samplerate, _mono(block)
        while True:
            try:
                # Small steps: a step with a damaged frame returns no samples.
                block = sound.read(_STEP_FRAMES, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError:
                # The bytes behind the stated samples are not FLAC. Without a stated number the end may be cut.
                if not file.stated and view.tell() < view.size:
                    raise
                whole = False
                break
            if not len(block):
                break
            decoded += len(block)
            yield sound.samplerate, _mono(block)
    if file.stated and decoded > file.stated:
        warn(f"the header states {file.stated} samples, the file holds {decoded}: all are read")
    elif not (file.stated or whole):
        warn("the last frame is not complete: the recording was cut")


def _ogg(stream: BinaryIO, where: str, warn: Warn) -> Blocks:
    found = ogg.links(stream)
    if not found:
        raise AudioError("undecodable", where, "it begins like Ogg, but holds no complete page")
    for link in found:
        names = set(link.codecs.values())
        if not names & {"Vorbis", "Opus", "FLAC"}:
            detail = f"this is Ogg with {' and '.join(sorted(names))}, which is not supported; {way_out(where, None)}"
            raise AudioError("codec_not_allowed", where, detail)
        if "FLAC" in names:
            yield from _flac_sounds(flac.with_largest_count(stream, ogg.flac_parts(stream, link)), stream, where, warn)
        else:
            yield from _library([(link.start, link.end)], stream, where)
    if not found[-1].ended:
        warn("the last page is not marked as the last: the recording may have been cut")


def _mpeg(stream: BinaryIO, where: str, warn: Warn) -> Blocks:
    """Blocks of all MP3 frames; raises `truncated` if a Xing frame states more frames."""
    found = mpeg.walk(stream)
    if not found.stretches:
        raise AudioError("undecodable", where, "it begins like MP3, but holds no complete frame")
    for stretch in found.stretches:
        if stretch.missing:
            detail = f"the header states {stretch.stated} frames, the file holds {stretch.frames}"
            raise AudioError("truncated", where, detail)
    if found.skipped_bytes:
        warn(f"{found.skipped_bytes} bytes from byte {found.skipped_at} on are not MP3 frames: they are skipped")
    for stretch in found.stretches:
        least = max(0, stretch.frames * stretch.first.samples - _MPEG_SLACK)
        yield from _library(stretch.view(), stream, where, least)


def _library(parts: Sequence[Part], stream: BinaryIO, where: str, least: int = 0) -> Blocks:
    """Blocks of a file made of `parts`; raises `truncated` for fewer than `least` samples."""
    decoded = 0
    for rate_hz, mono in _sounds(_soundfile(where), View(stream, parts), where, {}):
        decoded += len(mono)
        yield rate_hz, mono
    if decoded < least:
        raise AudioError("truncated", where, f"the header states {least} samples, the file holds {decoded}")


def _soundfile(where: str) -> Any:
    try:
        import soundfile
    except ImportError as error:
        feature = f"Reading {where} (without soundfile, only 16-bit PCM is supported)"
        raise MissingExtraError(feature, "train", error) from error
    return soundfile


def _sounds(soundfile: Any, view: View, where: str, options: dict[str, Any]) -> Blocks:
    with _decoder_errors(soundfile, where), _forwards(soundfile)(view, **options) as sound:
        if not options:
            _check_format(sound, where)
        while len(block := sound.read(_frames(sound), dtype="float32", always_2d=True)):
            yield sound.samplerate, _mono(block)


def _frames(sound: Any) -> int:
    return max(1, _BLOCK_VALUES // sound.channels)


def _mono(block: np.ndarray) -> np.ndarray:
    return block.mean(axis=1) if block.shape[1] > 1 else block[:, 0]


@contextmanager
def _decoder_errors(soundfile: Any, where: str) -> Iterator[None]:
    try:
        yield
    except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError) as error:
        text = _without_objects(error)
        reason = "truncated" if "lost sync" in text or "unexpected end" in text.lower() else "undecodable"
        raise AudioError(reason, where, text) from error


def _forwards(soundfile: Any) -> Any:
    """A `SoundFile` class that does not seek: it reads past an estimated length, and FLAC of unknown length."""

    class Forwards(soundfile.SoundFile):  # type: ignore[misc, name-defined]
        def seekable(self) -> bool:
            return False

    return Forwards


def _without_objects(error: BaseException) -> str:
    """The message of a library without the address of the file object."""
    text = " ".join(str(error).split())
    text = re.sub(r"^Error opening <[^>]*>: (?:Error : )?", "the decoder reports: ", text)
    return re.sub(r"<[\w.]+ object at 0x[0-9a-f]+>", "the file", text)


def _check_format(sound: Any, where: str) -> None:
    if sound.subtype not in CODECS.get(sound.format, set()):
        detail = f"{sound.format}/{sound.subtype} is not supported; convert to {ALLOWED}"
        raise AudioError("codec_not_allowed", where, detail)
    _check_rate(sound.samplerate, where)
