"""Decoded seconds are those that a second decoder (ffmpeg) finds: containers, rates, channels, tags, joins, damage."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.audio.decoding.test_mpeg import APE_TAG, ID3V1, id3
from wakeword.audio.decoding.formats import containers_installed
from wakeword.audio.io import AudioError, read_audio

FILES = 200
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed: apt-get install ffmpeg"),
]


@dataclass(frozen=True)
class Kind:
    """How ffmpeg writes it; `exact`: its header states the exact length."""

    name: str
    options: tuple[str, ...]
    exact: bool
    rates_hz: tuple[int, ...] = (8_000, 16_000, 22_050, 44_100, 48_000)
    pipe: bool = False
    frame: int = 0
    """Samples that two decoders may differ by at each end: the encoder's delay."""
    extra: bool = False


LAME_HZ = (8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000)
BARE = ("-write_xing", "0", "-f", "mp3")
"""Without the frame with the number of frames."""
KINDS = (
    Kind("wav", ("-c:a", "pcm_s16le", "-f", "wav"), True),
    Kind("wav 24", ("-c:a", "pcm_s24le", "-f", "wav"), True),
    Kind("wav u8", ("-c:a", "pcm_u8", "-f", "wav"), True),
    Kind("wav alaw", ("-c:a", "pcm_alaw", "-f", "wav"), True),
    Kind("wav mulaw", ("-c:a", "pcm_mulaw", "-f", "wav"), True),
    Kind("wav f64", ("-c:a", "pcm_f64le", "-f", "wav"), True),
    Kind("wav pipe", ("-c:a", "pcm_s16le", "-f", "wav"), False, pipe=True),
    Kind("rf64", ("-c:a", "pcm_s16le", "-rf64", "always", "-f", "wav"), True),
    Kind("w64", ("-c:a", "pcm_s16le", "-f", "w64"), True),
    Kind("aiff", ("-c:a", "pcm_s16be", "-f", "aiff"), True),
    Kind("aiff sowt", ("-c:a", "pcm_s16le", "-f", "aiff"), True),
    Kind("au pipe", ("-c:a", "pcm_s16be", "-f", "au"), False, pipe=True),
    Kind("caf", ("-c:a", "pcm_s16le", "-f", "caf"), True),
    Kind("caf pipe", ("-c:a", "pcm_f32be", "-f", "caf"), False, pipe=True),
    Kind("flac", ("-c:a", "flac", "-f", "flac"), True),
    Kind("flac pipe", ("-c:a", "flac", "-f", "flac"), False, pipe=True),
    Kind("ogg flac", ("-c:a", "flac", "-f", "ogg"), False),
    Kind("vorbis", ("-c:a", "libvorbis", "-f", "ogg"), False, frame=256),
    Kind("opus", ("-c:a", "libopus", "-f", "ogg"), False, (8_000, 16_000, 48_000), frame=960),
    Kind("mp3", ("-c:a", "libmp3lame", "-b:a", "64k", "-f", "mp3"), True, LAME_HZ, frame=1152),
    Kind("mp3 vbr", ("-c:a", "libmp3lame", "-q:a", "3", "-f", "mp3"), True, LAME_HZ, frame=1152),
    Kind("mp3 vbr bare", ("-c:a", "libmp3lame", "-q:a", "3", *BARE), False, LAME_HZ, frame=1152),
    Kind("mp3 cbr bare", ("-c:a", "libmp3lame", "-b:a", "64k", *BARE), False, LAME_HZ, frame=1152),
    Kind("m4a", ("-c:a", "aac", "-f", "ipod"), True, (16_000, 44_100, 48_000), frame=1024, extra=True),
    Kind("webm", ("-c:a", "libopus", "-f", "webm"), True, (16_000, 48_000), frame=960, extra=True),
    Kind("adts", ("-c:a", "aac", "-f", "adts"), False, (16_000, 44_100), frame=1024, extra=True),
    Kind("wma", ("-c:a", "wmav2", "-f", "asf"), False, (22_050, 44_100), frame=2048, extra=True),
    Kind("mp2", ("-c:a", "mp2", "-f", "mp2"), False, (44_100, 48_000), frame=1152, extra=True),
)  # fmt: skip
JOINED = ("mp3", "vorbis", "opus")
TAGGED = ("mp3",)


def sound(rng: np.random.Generator, rate_hz: int, channels: int, seconds: float) -> np.ndarray:
    """Loud noise, then quiet noise, or the other way round: bit rates change within the file."""
    samples = round(seconds * rate_hz)
    level = np.where((np.arange(samples) < samples / 3) == (rng.random() < 0.5), 0.7, 0.002)
    return (rng.uniform(-1, 1, (samples, channels)) * level[:, None]).astype(np.float32)


def written(folder: Path, kind: Kind, audio: np.ndarray, rate_hz: int) -> bytes:
    source, target = folder / "source.wav", folder / "target"
    soundfile.write(str(source), audio, rate_hz, subtype="PCM_24")
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(source), *kind.options, "-" if kind.pipe else str(target)]
    done = subprocess.run(command, capture_output=True, check=True)
    return done.stdout if kind.pipe else target.read_bytes()


def second_decoder_s(path: Path) -> float:
    command = ["ffmpeg", "-v", "quiet", "-i", str(path), "-map", "0:a", "-f", "s16le", "-ac", "1", "-ar", "16000", "-"]
    return len(subprocess.run(command, capture_output=True, check=False).stdout) / 32_000


def changed(rng: np.random.Generator, kind: Kind, data: bytes, second: bytes) -> tuple[str, bytes]:
    """A tag, a join or damage, and what it is called."""
    ways = ["nothing", "nothing", "cut"]
    if kind.name.startswith(TAGGED):
        ways += ["id3", "tags", "junk", "joined", "damaged"]
    elif kind.name in JOINED:
        ways += ["joined"]
    elif kind.name in ("wav", "wav alaw"):
        ways += ["odd", "more"]
    way = str(rng.choice(ways))
    if way == "cut":
        return way, data[: round(len(data) * rng.uniform(0.4, 0.9))]
    if way == "id3":
        return way, id3(int(rng.integers(10, 300_000)), picture=True) + data
    if way == "tags":
        return way, id3(500) + data + APE_TAG + ID3V1
    if way == "junk":
        return way, rng.bytes(2000) + data + bytes(2000)
    if way == "joined":
        return way, data + second
    if way == "damaged":
        place = len(data) // 2
        return way, data[:place] + rng.bytes(2500) + data[place + 2500 :]
    if way in ("odd", "more"):
        at = data.index(b"data") + 4
        stated = struct.unpack("<I", data[at : at + 4])[0] + (1 if way == "odd" else 36)
        return way, data[:at] + struct.pack("<I", stated) + data[at + 4 :]
    return way, data


def test_seconds_are_those_of_a_second_decoder(tmp_path: Path) -> None:
    kinds = [kind for kind in KINDS if containers_installed() or not kind.extra]
    refused, compared, faults = 0, 0, []
    for number in range(FILES):
        rng = np.random.default_rng([number, 13])
        kind = kinds[number % len(kinds)]
        rate_hz, channels = int(rng.choice(kind.rates_hz)), int(rng.integers(1, 3))
        seconds, more_s = float(rng.uniform(1.0, 5.0)), float(rng.uniform(1.0, 3.0))
        data = written(tmp_path, kind, sound(rng, rate_hz, channels, seconds), rate_hz)
        second = written(tmp_path, kind, sound(rng, rate_hz, channels, more_s), rate_hz)
        way, data = changed(rng, kind, data, second)
        path = tmp_path / "case"
        path.write_bytes(data)
        case = f"{number}: {kind.name}, {rate_hz} Hz, {channels} channels, {seconds:.2f} s, {way}"
        theirs = second_decoder_s(path)
        # Two frames of delay and padding for each file in it; resampling rounds.
        slack = 0.003 + (2 + 2 * (way == "joined")) * kind.frame / rate_hz
        try:
            ours = len(read_audio(path, warn=lambda text: None)) / 16_000
        except AudioError as error:
            refused += 1
            if way not in ("cut", "damaged") or error.reason not in ("truncated", "undecodable", "no_samples"):
                faults.append(f"{case}: {error}")
            continue
        compared += 1
        if abs(ours - theirs) > slack + (0.1 if way in ("cut", "damaged") else 0):
            faults.append(f"{case}: {ours:.3f} s here, {theirs:.3f} s there")
        if way == "cut" and kind.exact:
            faults.append(f"{case}: {ours:.3f} s were read of a file that states more")
        if way not in ("cut", "damaged", "joined") and abs(ours - seconds) > slack:
            faults.append(f"{case}: {ours:.3f} s of {seconds:.3f} s")
    print(f"{compared} compared, {refused} refused for damage")
    assert not faults, "\n".join(faults)
    assert compared > 0.75 * FILES


def test_a_file_read_short_by_the_library_is_read_whole(tmp_path: Path) -> None:
    """The case that started this: 20 s, loud first, variable rate, no Xing frame."""
    kind = next(kind for kind in KINDS if kind.name == "mp3 vbr bare")
    rng = np.random.default_rng(0)
    audio = np.concatenate([rng.uniform(-0.9, 0.9, 5 * 44_100), rng.uniform(-0.001, 0.001, 15 * 44_100)])
    data = written(tmp_path, kind, audio[:, None].astype(np.float32), 44_100)
    assert soundfile.info(io.BytesIO(data)).duration < 15
    (tmp_path / "case").write_bytes(data)
    assert len(read_audio(data)) / 16_000 == pytest.approx(second_decoder_s(tmp_path / "case"), abs=0.06)
    assert len(read_audio(data)) / 16_000 == pytest.approx(20, abs=0.06)
