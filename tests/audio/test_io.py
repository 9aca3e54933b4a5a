"""Files of every allowed kind decode to the same sound; broken ones are refused with a reason."""

from __future__ import annotations

import builtins
import io
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from wakeword.audio import io as audio_io
from wakeword.audio.io import AudioError, read_audio, resample, stream_blocks, write_flac, write_wav
from wakeword.config import SAMPLE_RATE_HZ
from wakeword.errors import DataError, MissingExtraError


def tone(seconds: float = 1.0, rate_hz: int = SAMPLE_RATE_HZ, frequency_hz: float = 440.0) -> np.ndarray:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def reason_of(source: str | Path | bytes, **options: Any) -> str:
    with pytest.raises(AudioError) as caught:
        read_audio(source, **options)
    assert isinstance(caught.value, DataError)
    assert "\n" not in str(caught.value)
    return caught.value.reason


def pitch_hz(audio: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    return float(spectrum.argmax() * SAMPLE_RATE_HZ / len(audio))


@pytest.mark.parametrize(
    ("form", "subtype", "error"),
    [
        ("WAV", "PCM_16", 1e-4),
        ("WAV", "PCM_24", 1e-6),
        ("WAV", "PCM_32", 1e-6),
        ("WAV", "FLOAT", 1e-6),
        ("WAVEX", "PCM_16", 1e-4),
        ("FLAC", "PCM_16", 1e-4),
        ("FLAC", "PCM_24", 1e-6),
    ],
)
def test_lossless_formats_keep_every_sample(tmp_path: Path, form: str, subtype: str, error: float) -> None:
    path = tmp_path / "clip.any"
    soundfile.write(str(path), tone(), SAMPLE_RATE_HZ, format=form, subtype=subtype)
    audio = read_audio(path)
    assert audio.dtype == np.float32
    assert audio.shape == (SAMPLE_RATE_HZ,)
    np.testing.assert_allclose(audio, tone(), atol=error)
    np.testing.assert_array_equal(read_audio(path.read_bytes()), audio)


@pytest.mark.parametrize(
    ("form", "subtype", "rate_hz"),
    [("OGG", "VORBIS", 44_100), ("OGG", "OPUS", 48_000), ("MP3", "MPEG_LAYER_III", 22_050)],
)
def test_lossy_formats_keep_the_sound(tmp_path: Path, form: str, subtype: str, rate_hz: int) -> None:
    path = tmp_path / "clip.any"
    soundfile.write(str(path), tone(1.0, rate_hz), rate_hz, format=form, subtype=subtype)
    audio = read_audio(path)
    assert abs(len(audio) - SAMPLE_RATE_HZ) < 0.1 * SAMPLE_RATE_HZ
    assert abs(pitch_hz(audio) - 440) < 5


def test_eight_channels_at_96_khz_are_averaged_and_resampled(tmp_path: Path) -> None:
    path = tmp_path / "array.wav"
    shares = np.linspace(0.2, 0.9, 8)
    soundfile.write(str(path), tone(2.0, 96_000)[:, None] * shares, 96_000, subtype="PCM_24")
    audio = read_audio(path)
    assert abs(len(audio) - 2 * SAMPLE_RATE_HZ) <= 2
    assert abs(pitch_hz(audio) - 440) < 1
    np.testing.assert_allclose(np.abs(audio[4000:-4000]).max(), 0.5 * shares.mean(), rtol=0.01)


def test_above_half_the_sample_rate_nothing_folds_back(tmp_path: Path) -> None:
    path = tmp_path / "high.wav"
    soundfile.write(str(path), tone(1.0, 48_000, 12_000.0), 48_000)
    assert np.abs(read_audio(path)[800:-800]).max() < 1e-3


def test_blocks_join_to_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    noise = np.random.default_rng(0).uniform(-0.9, 0.9, 44_100 * 7).astype(np.float32)
    soundfile.write(str(path), noise, 44_100)
    blocks = list(stream_blocks(path, 1.5))
    assert [len(block) for block in blocks[:-1]] == [24_000] * 4
    np.testing.assert_array_equal(np.concatenate(blocks), read_audio(path))


def test_a_truncated_flac_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.flac"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 48_000).astype(np.float32)
    soundfile.write(str(path), noise, SAMPLE_RATE_HZ)
    whole = path.read_bytes()
    for share in (0.3, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        assert reason_of(path) in ("truncated", "undecodable")


def test_a_wav_whose_header_lies_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lie.wav"
    write_wav(path, tone())
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    data[place : place + 4] = struct.pack("<I", 10 * SAMPLE_RATE_HZ * 2)
    path.write_bytes(data)
    assert reason_of(path) == "truncated"
    # A recorder that streams does not know the length: that is no lie.
    data[place : place + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert len(read_audio(path)) == SAMPLE_RATE_HZ


def test_a_truncated_mp3_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp3"
    soundfile.write(str(path), tone(10.0), SAMPLE_RATE_HZ, format="MP3", subtype="MPEG_LAYER_III")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    try:
        assert len(read_audio(path)) < 6 * SAMPLE_RATE_HZ, "without a length in the header the half is all there is"
    except AudioError as error:
        assert error.reason in ("truncated", "undecodable")  # noqa: PT017


def test_what_is_no_audio_is_refused(tmp_path: Path) -> None:
    empty, text = tmp_path / "empty.wav", tmp_path / "text.flac"
    empty.touch()
    text.write_text("not audio at all, despite the name " * 20)
    assert reason_of(empty) == "empty_file"
    assert reason_of(b"") == "empty_file"
    assert reason_of(text) == "undecodable"
    assert reason_of(tmp_path / "absent.wav") == "missing_file"
    assert reason_of(tmp_path) == "unreadable"


def test_a_header_without_samples_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.wav"
    write_wav(path, np.zeros(0, np.int16))
    assert reason_of(path) == "no_samples"


def test_other_codecs_are_refused(tmp_path: Path) -> None:
    for form, subtype in (("WAV", "IMA_ADPCM"), ("WAV", "GSM610"), ("AIFF", "IMA_ADPCM"), ("CAF", "ALAC_16")):
        path = tmp_path / f"{form}{subtype}.wav"
        soundfile.write(str(path), tone(), SAMPLE_RATE_HZ, format=form, subtype=subtype)
        assert reason_of(path) == "codec_not_allowed"


def test_impossible_numbers_are_refused(tmp_path: Path) -> None:
    for value in (np.nan, np.inf):
        path = tmp_path / "bad.wav"
        audio = tone()
        audio[500] = value
        soundfile.write(str(path), audio, SAMPLE_RATE_HZ, subtype="FLOAT")
        assert reason_of(path) == "nan"
    slow = tmp_path / "slow.wav"
    write_wav(slow, tone(), sample_rate_hz=100)
    assert reason_of(slow) == "bad_sample_rate"


def test_float_files_beyond_full_scale_are_clipped(tmp_path: Path) -> None:
    path = tmp_path / "hot.wav"
    soundfile.write(str(path), tone() * 4, SAMPLE_RATE_HZ, subtype="FLOAT")
    assert np.abs(read_audio(path)).max() == 1.0


def test_limits_of_length_and_time(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    write_wav(path, tone(3.0))
    assert reason_of(path, max_s=2.0) == "too_long"
    assert reason_of(path, timeout_s=0.0) == "decode_timeout"
    assert len(read_audio(path, max_s=3.0, timeout_s=20.0)) == 48_000


def test_an_error_survives_the_way_between_processes(tmp_path: Path) -> None:
    with pytest.raises(AudioError) as caught:
        read_audio(tmp_path / "absent.wav")
    # Ray moves exceptions like this; the product itself never unpickles anything.
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.reason, copy.detail, str(copy)) == (caught.value.reason, caught.value.detail, str(caught.value))


def test_without_soundfile_16_bit_wav_is_read_and_the_rest_named(tmp_path: Path, monkeypatch: Any) -> None:
    wav, flac, wide = tmp_path / "a.wav", tmp_path / "a.flac", tmp_path / "wide.wav"
    write_wav(wav, tone())
    write_flac(flac, tone())
    soundfile.write(str(wide), tone(), SAMPLE_RATE_HZ, subtype="PCM_24")
    expected = read_audio(wav)
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "soundfile":
            raise ImportError("No module named 'soundfile'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    np.testing.assert_array_equal(read_audio(wav), expected)
    for path in (flac, wide):
        with pytest.raises(MissingExtraError):
            read_audio(path)
    data = wav.read_bytes()
    assert reason_of(data[:-1000]) == "truncated"
    with pytest.raises(MissingExtraError):
        write_flac(tmp_path / "b.flac", tone())


def test_writing_is_the_inverse_of_reading(tmp_path: Path) -> None:
    pcm = np.random.default_rng(1).integers(-32768, 32768, 5000).astype(np.int16)
    for write in (write_wav, write_flac):
        path = tmp_path / write.__name__
        write(path, pcm)
        np.testing.assert_array_equal(np.rint(read_audio(path) * 32768).astype(np.int16), pcm)
    assert soundfile.info(io.BytesIO((tmp_path / "write_flac").read_bytes())).format == "FLAC"
    for bad in (np.zeros((2, 2), np.float32), np.full(4, np.nan, np.float32)):
        with pytest.raises(DataError):
            write_wav(tmp_path / "bad.wav", bad)
    assert not (tmp_path / "bad.wav").exists()


def test_resampling_keeps_length_and_level() -> None:
    audio = resample(tone(1.0, 24_000), 24_000)
    assert abs(len(audio) - SAMPLE_RATE_HZ) <= 2
    assert abs(audio_io.level_dbfs(audio) - audio_io.level_dbfs(tone())) < 0.1


def test_all_recordings_of_one_word_decode(recordings: Path) -> None:
    for path in sorted((recordings / "positive" / "jarvis").glob("*.flac"))[:20]:
        audio = read_audio(path)
        assert len(audio) == soundfile.info(str(path)).frames
        assert np.abs(audio).max() <= 1.0
