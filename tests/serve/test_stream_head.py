"""The first bytes of a stream: files are recognised, raw samples are never taken for files."""

from __future__ import annotations

import io
import re
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from serve.audio_format import AudioFormat, looks_like_float32
from serve.intake import BadAudio, Intake
from serve.mpeg_frames import compressed_frames
from serve.query import StreamQuery
from serve.stream_head import MAX_WAV_HEAD_BYTES, WAV, HeadError, recognised, wav_head

RATE_HZ = 48_000
AUDIO = (0.2 * np.random.default_rng(5).standard_normal(RATE_HZ)).astype(np.float32)
GUID_END = bytes.fromhex("000000001000800000aa00389b71")
"""Bytes after a WAVE code in the GUID of a sub-format."""
PCM = np.clip(np.rint(AUDIO * 32768), -32768, 32767).astype("<i2")
MAGICS = (
    *b"RIFF RF64 BW64 RIFX riff OggS fLaC ID3\x04 FORM caff .snd #!AM wvpk NIST UklG T2dn data FLV\x01 TTA1 Crea".split(
        b" "
    ),
    *(
        b"\0\0\0\x20",
        b"0&\xb2u",
        b'{"ab',
        b"\x1aE\xdf\xa3",
        b"\xff\xfb\x90\x64",
        b"\xff\xfa\x92\0",
        b"\xff\xf3\x40\xc4",
    ),
    *(b"\xff\xf1\x4c\x80", b"\xff\xf9\x50\x80"),
)


def written(format: str, subtype: str, channels: int = 1, rate_hz: int = RATE_HZ) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, np.stack([AUDIO] * channels, axis=1), rate_hz, format=format, subtype=subtype)
    return stream.getvalue()


def silent(intake: Intake, data: bytes, size: int) -> None:
    """Push all of `data` in pieces; none of it comes out as samples."""
    for at in range(0, len(data), size):
        assert intake.push(data[at : at + size]) == b""


def wav(
    data: bytes = b"", code: int = 1, bits: int = 16, channels: int = 1, rate_hz: int = RATE_HZ, **more: object
) -> bytes:
    """A WAV file by hand: `before` the data, its `size` where it is not the true one, `behind` it."""
    width = channels * bits // 8
    chunk = struct.pack("<HHIIHH", code, channels, rate_hz, int(str(more.get("speed", rate_hz * width))), width, bits)
    chunk += bytes(more.get("extension", b""))  # type: ignore[call-overload]
    before, behind = bytes(more.get("before", b"")), bytes(more.get("behind", b""))  # type: ignore[call-overload]
    size = int(str(more.get("size", len(data))))
    body = b"WAVE" + before + b"fmt " + struct.pack("<I", len(chunk)) + chunk
    return b"RIFF\xff\xff\xff\xff" + body + b"data" + struct.pack("<I", size) + data + behind


@pytest.mark.parametrize(
    ("format", "subtype", "name"),
    [
        ("OGG", "VORBIS", "an Ogg file"),
        ("OGG", "OPUS", "an Ogg file"),
        ("FLAC", "PCM_16", "a FLAC file"),
        ("MP3", "MPEG_LAYER_III", "an MP3 file"),
        ("AIFF", "PCM_16", "an AIFF file"),
        ("CAF", "PCM_16", "a CAF file"),
        ("AU", "PCM_16", "an AU file"),
        ("W64", "PCM_16", "a Wave64 file"),
        ("RF64", "PCM_16", "an RF64 file"),
        ("NIST", "PCM_16", "a NIST SPHERE file"),
        ("VOC", "PCM_16", "a Creative Voice file"),
        ("WAV", "PCM_16", WAV),
        ("WAVEX", "FLOAT", WAV),
    ],
)
def test_files_of_libsndfile(format: str, subtype: str, name: str) -> None:
    data = written(format, subtype)
    assert recognised(data) == name
    # Whole or in pieces: undecided bytes are never taken for samples.
    sizes = [n for n in range(1, 2500) if recognised(data[:n]) is not None]
    assert all(recognised(data[:n]) == name for n in sizes[:200])
    if name != WAV:
        for size in (1, 2, 7, 640, len(data)):
            intake = Intake(StreamQuery())
            with pytest.raises(
                BadAudio, match=re.escape(f"this is {name}, not raw samples: send PCM, or POST")
            ) as refused:
                silent(intake, data, size)
            assert refused.value.code == 1003
            assert len(str(refused.value)) <= 123


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed: these containers need it")
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ("-c:a aac a.m4a", "an MPEG-4 (mp4) file"),
        pytest.param(
            "-c:a aac -movflags frag_keyframe+empty_moov a.mp4", "an MPEG-4 (mp4) file", marks=pytest.mark.slow
        ),
        pytest.param("-c:a aac a.mov", "an MPEG-4 (mp4) file", marks=pytest.mark.slow),
        ("-c:a aac -f adts a.aac", "an AAC (ADTS) file"),
        ("-c:a libopus a.webm", "a WebM file"),
        pytest.param("-c:a pcm_s16le a.mka", "a Matroska file", marks=pytest.mark.slow),
        ("-c:a libmp3lame -id3v2_version 0 -write_xing 0 a.mp3", "an MP3 file"),
        ("-c:a libmp3lame -q:a 4 -id3v2_version 0 -write_xing 0 a.mp3", "an MP3 file"),
        pytest.param(
            "-ar 16000 -c:a libmp3lame -id3v2_version 0 -write_xing 0 a.mp3", "an MP3 file", marks=pytest.mark.slow
        ),
        pytest.param("-c:a libmp3lame a.mp3", "an MP3 file", marks=pytest.mark.slow),
        ("-c:a mp2 a.mp2", "an MPEG audio file"),
        ("-c:a wmav2 a.wma", "a Windows Media (wma) file"),
        pytest.param("-c:a wavpack a.wv", "a WavPack file", marks=pytest.mark.slow),
        pytest.param("-c:a pcm_s16le a.avi", "an AVI file", marks=pytest.mark.slow),
        pytest.param("-ar 44100 -c:a aac a.flv", "a Flash video file", marks=pytest.mark.slow),
        pytest.param("-c:a tta a.tta", "a True Audio file", marks=pytest.mark.slow),
    ],
)
def test_files_of_ffmpeg(arguments: str, name: str, tmp_path: Path) -> None:
    source = f"ffmpeg -loglevel error -f s16le -ar {RATE_HZ} -ac 1 -i pipe:0 {arguments}".split()
    subprocess.run(source, input=PCM.tobytes(), cwd=tmp_path, check=True)
    data = (tmp_path / source[-1]).read_bytes()
    assert recognised(data) == name
    assert recognised(data[:7000]) == name
    assert all(recognised(data[:n]) in (None, name) for n in range(1, 1500))


def test_text_is_named() -> None:
    import base64

    assert recognised(base64.b64encode(wav(PCM.tobytes()))) == "base64 text"
    assert recognised(base64.b64encode(written("OGG", "OPUS"))) == "base64 text"
    assert recognised(b"data:audio/wav;base64,UklGRg") == "base64 text"
    for text in (b'{"type": "start", "sampleRate": 48000}', b'{\n  "audio" : "UklG"}', b'{"sampleRate":48000'):
        assert recognised(text) == "JSON text"
        assert all(recognised(text[:n]) in (None, "JSON text") for n in range(len(text)))
    assert recognised(b'{"{"{"{"{"') == ""


def samples_of_every_kind(generator: np.random.Generator, turn: int) -> bytes:
    """One draw of raw audio: noise of any level, clipped, periodic, constant, silent at first; int16 or float32."""
    count = 2048
    time = np.arange(count)
    level = 10.0 ** generator.uniform(-5, 1.5)
    period = int(generator.integers(1, 600))
    kind = turn % 7
    if kind == 0:
        return generator.bytes(2 * count)
    signal = {
        1: generator.standard_normal(count),
        2: np.sin(2 * np.pi * time / period + generator.uniform(0, 6)),
        3: np.sign(np.sin(2 * np.pi * time / period + generator.uniform(0, 6)) + 0.01),
        4: np.tile(generator.standard_normal(period), count // period + 1)[:count],
        5: np.full(count, generator.uniform(-1, 1)),
        6: generator.standard_normal(count) * (time > generator.integers(0, 200)),
    }[kind]
    clipped = np.clip(level * signal, -1, 1)
    if generator.random() < 0.3:
        return clipped.astype("<f4").tobytes()
    return np.clip(np.rint(clipped * 32768), -32768, 32767).astype("<i2").tobytes()


def test_raw_samples_are_never_taken_for_a_file() -> None:
    """Thousands of draws of any kind of audio, and draws that begin with a magic number by chance."""
    generator = np.random.default_rng(0)
    for turn in range(4000):
        data = samples_of_every_kind(generator, turn)
        assert recognised(data) == "", data[:16]
        if turn % 5 == 0:
            magic = MAGICS[int(generator.integers(len(MAGICS)))]
            assert recognised(magic + data[len(magic) :]) == "", magic


def test_every_constant_and_every_first_sample() -> None:
    for value in range(-32768, 32768, 29):
        constant = np.full(2048, value, "<i2").tobytes()
        assert recognised(constant) == ""
    noise = PCM[:4000].tobytes()
    for second in range(256):
        for third in range(0, 256, 12):
            assert recognised(bytes([255, second, third, 100]) + noise) == ""


def test_a_periodic_signal_that_looks_like_frames_is_raw() -> None:
    """128 kbit/s at 48 kHz has frames of 384 bytes: a tone of 192 samples that begins like one repeats its header."""
    frame = b"\xff\xfb\x94\xc4" + PCM.tobytes()[:380]
    assert compressed_frames(frame * 10) == ""
    # Almost periodic, and of so short a period that the header is everywhere.
    changing = frame + frame[:200] + bytes(184) + frame + frame[:300] + bytes(84) + frame
    assert compressed_frames(changing) == ""
    nyquist = b"\xff\xf2\xc5\xb9" * 200 + b"\xc5\xb9\xff\xf2" * 30 + b"\xff\xf2\xc5\xb9" * 200
    assert compressed_frames(nyquist) == ""
    others = b"".join(b"\xff\xfb\x94\xc4" + bytes([n]) * 380 for n in range(10))
    assert compressed_frames(others) == "an MP3 file"
    assert compressed_frames(others[:1151]) is None
    assert compressed_frames(others[:384] + b"\xff\xfb\x94\xc5" + bytes(1000)) == ""
    assert compressed_frames(b"\xff") is None
    assert compressed_frames(b"") is None


def test_undecided_samples_are_not_lost() -> None:
    """Bytes are held back until they are recognised, at most until the end, and keep their order."""
    for head in (b"\xff\xfb\x94\xc4", b"Og", b"\0\0\0\x20", b"RIFFabcd", b"\x1a\x45\xdf\xa3", b"ID3\x04\0\0"):
        data = head + PCM.tobytes()[:3000]
        for size in (14, 320, len(data)):
            intake = Intake(StreamQuery())
            out = [intake.push(data[at : at + size]) for at in range(0, len(data), size)]
            assert b"".join([*out, intake.finish()]) == data
        intake = Intake(StreamQuery())
        assert intake.push(head) == b""
        assert intake.finish() == head
        # The second message is of odd length: its fault is reported once the stream is recognised as samples.
        intake = Intake(StreamQuery())
        intake.push(head[:2])
        with pytest.raises(BadAudio, match="101 bytes is not a whole number of int16 samples"):
            intake.push(bytes(101))


@pytest.mark.parametrize("pieces", [1, 3, 44, 640, 10**6])
@pytest.mark.parametrize("encoding", ["pcm_s16le", "pcm_f32le"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_header_declares_the_samples(pieces: int, encoding: str, channels: int) -> None:
    """Split anywhere; text after the samples is no audio."""
    format, subtype = ("WAV", "PCM_16") if encoding == "pcm_s16le" else ("WAVEX", "FLOAT")
    samples = AUDIO[:1500]
    stream = io.BytesIO()
    soundfile.write(stream, np.stack([samples] * channels, axis=1), 44_100, format=format, subtype=subtype)
    data = stream.getvalue() + b"LIST\x04\0\0\0text"
    intake = Intake(StreamQuery())
    out = b"".join([*(intake.push(data[at : at + pieces]) for at in range(0, len(data), pieces)), intake.finish()])
    assert intake.format == AudioFormat(44_100, encoding, channels)
    decoded = intake.format.decode(out)
    scale = 32768 if decoded.dtype == np.int16 else 1
    assert len(decoded) == 1500
    assert np.allclose(decoded / scale, samples, atol=1e-4)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x80000000])
def test_sizes_that_nobody_could_have_meant(size: int) -> None:
    intake = Intake(StreamQuery())
    assert intake.push(wav(PCM.tobytes(), size=size)) == PCM.tobytes()
    assert intake.push(b"LIST") == b"LIST", "without a size every byte is audio"


def test_a_promise_that_is_too_short_ends_nothing() -> None:
    intake = Intake(StreamQuery())
    data = wav(PCM.tobytes(), size=1000)
    assert (
        b"".join(intake.push(data[at : at + 501]) for at in range(0, len(data), 501)) == PCM.tobytes()[: len(PCM) * 2]
    )
    for behind in (b"LIST\x04\0\0\0text", b"\0id3 \x02\0\0\0ab", b"bext\0\0\0\0"):
        for size in (1, 2, 999, 10**6):
            intake = Intake(StreamQuery())
            file = wav(PCM.tobytes()[:999], size=999, behind=behind) + PCM.tobytes()
            out = b"".join(intake.push(file[at : at + size]) for at in range(0, len(file), size))
            assert out == PCM.tobytes()[:998], (behind, size)


def test_chunks_before_the_samples() -> None:
    before = b"JUNK\x03\0\0\0abc\0" + b"bext" + struct.pack("<I", 602) + bytes(602)
    head = wav_head(wav(PCM.tobytes(), before=before))
    assert head is not None
    assert head.format == AudioFormat(RATE_HZ)
    file = wav(PCM.tobytes(), before=before)
    assert file[head.size :] == PCM.tobytes()
    assert wav_head(file[: head.size - 1]) is None
    intake = Intake(StreamQuery())
    intake.push(file[: head.size - 1])
    with pytest.raises(BadAudio, match="ended inside its WAV header"):
        intake.finish()
    for endless in (b"JUNK" + struct.pack("<I", MAX_WAV_HEAD_BYTES), b"JUNK\x01\0\0\0a\0" * 7000):
        with pytest.raises(HeadError, match="without samples"):
            wav_head(wav(PCM.tobytes(), before=endless)[: MAX_WAV_HEAD_BYTES + 100])


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ({"bits": 24}, "PCM_24 samples"),
        ({"bits": 8}, "PCM_U8 samples"),
        ({"bits": 32}, "PCM_32 samples"),
        ({"code": 3, "bits": 64}, "DOUBLE samples"),
        ({"code": 7, "bits": 8}, "ULAW samples"),
        ({"code": 0xFFFE, "bits": 8, "extension": struct.pack("<HHIH", 22, 8, 4, 6) + GUID_END}, "ALAW samples"),
        ({"channels": 6}, "6 channels: send one or two"),
        ({"channels": 0}, "0 channels"),
        ({"rate_hz": 100, "speed": 200}, "100 Hz, which is impossible"),
        ({"speed": 32_000}, "states 48000 Hz and bytes per second for 16000 Hz"),
    ],
)
def test_headers_that_cannot_be_used(header: dict[str, int], says: str) -> None:
    with pytest.raises(BadAudio, match=says) as refused:
        Intake(StreamQuery()).push(wav(PCM.tobytes(), **header))  # type: ignore[arg-type]
    assert refused.value.code == 1007
    assert len(str(refused.value)) <= 123
    with pytest.raises(HeadError, match="the format chunk has 4 bytes"):
        wav_head(b"RIFF\0\0\0\0WAVEfmt \x04\0\0\0abcddata\0\0\0\0")
    with pytest.raises(HeadError, match="does not state the format"):
        wav_head(b"RIFF\0\0\0\0WAVEdata\0\0\0\0")


def test_a_header_may_not_contradict_the_query() -> None:
    query = StreamQuery(format=AudioFormat(44_100), declared=frozenset({"sample_rate"}))
    with pytest.raises(BadAudio, match="header says sample_rate=48000, the query sample_rate=44100"):
        Intake(query).push(wav(PCM.tobytes()))
    agreeing = Intake(StreamQuery(format=AudioFormat(RATE_HZ), declared=frozenset({"sample_rate"})))
    assert agreeing.push(wav(PCM.tobytes())) == PCM.tobytes()


def test_a_second_header_is_refused() -> None:
    """Clients that send every chunk as a separate WAV, or a header after samples."""
    for first in (wav(PCM.tobytes()), wav(PCM.tobytes(), size=0), PCM.tobytes()):
        intake = Intake(StreamQuery())
        intake.push(first)
        with pytest.raises(BadAudio, match="a WAV header inside the stream"):
            intake.push(wav(PCM.tobytes()))


def test_values_that_cannot_be_meant() -> None:
    floats = AudioFormat(encoding="pcm_f32le")

    def fault(samples: np.ndarray) -> str:
        return floats.value_fault(samples.astype("<f4").tobytes())

    assert "NaN or infinite" in fault(np.array([0, np.nan, 0]))
    assert "NaN or infinite" in fault(np.array([-np.inf]))
    assert "a float sample of 1.2e+04" in fault(np.array([0.5, -12_000.25]))
    # int16 without scaling: loud, or so quiet that only its whole numbers reveal it.
    assert "divide int16 by 32768" in fault(PCM.astype(np.float32))
    assert "divide int16 by 32768" in fault(np.random.default_rng(0).integers(-3, 4, 640))
    # int16 bytes declared as float32.
    for level in (1, 20, 3000):
        noise = np.random.default_rng(level).standard_normal(2560) * level
        assert floats.value_fault(np.rint(noise).astype("<i2").tobytes())
    # Audio is never refused: overshoot, clipped squares, silence, tiny values.
    for good in (AUDIO * 5, np.sign(AUDIO), np.zeros(640), AUDIO * 1e-30, np.array([2.0]), np.zeros(0)):
        assert fault(good) == ""
    assert AudioFormat().value_fault(np.random.default_rng(0).bytes(1000)) == ""
    assert floats.decode(np.array([1.5, -3, 0.25], "<f4").tobytes()).tolist() == [1.0, -1.0, 0.25]
    stereo = AudioFormat(channels=2).decode(np.array([32767, -32768, 16384, 16384], "<i2").tobytes())
    assert np.allclose(stereo, [-0.5 / 32768, 0.5])
    assert stereo.dtype == np.float32


@pytest.mark.parametrize("level", [1e-3, 0.03, 0.3, 2.0])
@pytest.mark.parametrize("kind", ["noise", "of int16", "tone", "with silence"])
def test_undeclared_float32_is_distinguished_from_int16(level: float, kind: str) -> None:
    generator = np.random.default_rng(1)
    noise = np.clip(level * generator.standard_normal(1280), -1, 1)
    samples = {
        "noise": noise,
        "of int16": np.rint(noise * 32768) / 32768,
        "tone": min(level, 1) * np.sin(2 * np.pi * 440 * np.arange(1280) / RATE_HZ),
        "with silence": noise * (np.arange(1280) > 900),
    }[kind].astype("<f4")
    assert looks_like_float32(samples.tobytes()) is True
    with pytest.raises(BadAudio, match="float32 samples, not int16: add encoding=pcm_f32le") as refused:
        Intake(StreamQuery()).push(samples.tobytes())
    assert refused.value.code == 1007
    # Silence first: the check waits for signal.
    intake = Intake(StreamQuery())
    for _ in range(50):
        intake.push(bytes(2560))
    with pytest.raises(BadAudio, match="float32"):
        intake.push(samples.tobytes())


def test_int16_is_never_taken_for_float32() -> None:
    """Any level, clipped, periodic, constant, stereo, full-scale square: thousands of draws."""
    generator = np.random.default_rng(7)
    for turn in range(3000):
        period = int(generator.integers(1, 400))
        level = 10.0 ** generator.uniform(-4.5, 1.5)
        time = np.arange(640)
        signal = [
            generator.standard_normal(640),
            np.sin(2 * np.pi * time / period),
            np.sign(np.sin(2 * np.pi * time / period) + 0.01),
            np.full(640, generator.uniform(-1, 1)),
            np.tile(generator.standard_normal(period), 640 // period + 1)[:640],
            np.where(time % 2, generator.uniform(-1, 1), 0.5 * generator.standard_normal(640)),
        ][turn % 6]
        data = np.clip(np.rint(level * signal * 32768), -32768, 32767).astype("<i2").tobytes()
        assert not looks_like_float32(data), turn
    assert looks_like_float32(bytes(5000)) is None
    assert looks_like_float32(b"") is None
    for value in range(-32768, 32768, 11):
        assert not looks_like_float32(np.full(200, value, "<i2").tobytes())
