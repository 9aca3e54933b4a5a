"""MP3 is decoded to its last frame, whatever its tags, joins and headers say."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile

from wakeword.audio.decoding import mpeg
from wakeword.audio.io import AudioError, read_audio

RATE_HZ = 16_000
FRAME_S = 0.036
"""576 samples."""


def mp3(rate_hz: int = RATE_HZ, channels: int = 1, mode: str = "VARIABLE", loud_first: bool = True) -> bytes:
    """20 s, of which 6 are loud: their frames are large, and a length that is estimated from them is short."""
    rng = np.random.default_rng(3)
    loud, quiet = rng.uniform(-0.8, 0.8, (6 * rate_hz, channels)), rng.uniform(-0.001, 0.001, (14 * rate_hz, channels))
    sink = io.BytesIO()
    sound = np.concatenate([loud, quiet] if loud_first else [quiet, loud])
    soundfile.write(
        sink, sound, rate_hz, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode=mode, compression_level=0.2
    )
    return sink.getvalue()


VARIABLE, CONSTANT = mp3(), mp3(mode="CONSTANT")


def bare(data: bytes) -> bytes:
    """Without the frame with the number of frames."""
    place = mpeg.walk(io.BytesIO(data)).stretches[0].xing
    assert place
    return data[place[1] :]


def id3(size: int, picture: bool = False) -> bytes:
    """An ID3v2 tag; a picture in it holds what looks like frames."""
    body = (b"\xff\xfb\x90\x00" * (size // 4 + 1) if picture else bytes(size))[:size]
    digits = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x04\0\0" + digits + body


APE = b"APETAGEX" + struct.pack("<IIII", 2000, 2000, 1, 0xA0000000) + bytes(8)
APE_TAG = APE + bytes(2000 - 32) + b"APETAGEX" + struct.pack("<IIII", 2000, 2000, 1, 0x80000000) + bytes(8)
ID3V1 = b"TAG" + bytes(125)


def decoded_s(data: bytes) -> tuple[float, list[str]]:
    notes: list[str] = []
    return len(read_audio(data, warn=notes.append)) / RATE_HZ, notes


def reason(data: bytes) -> str:
    with pytest.raises(AudioError) as caught:
        read_audio(data)
    return caught.value.reason


def test_without_a_length_all_frames_are_decoded() -> None:
    for data in (VARIABLE, mp3(loud_first=False), CONSTANT, mp3(44_100, 2), mp3(8_000)):
        assert decoded_s(data) == (pytest.approx(20.0, abs=0.001), [])
        assert decoded_s(bare(data)) == (pytest.approx(20.0, abs=0.2), [])
    # What the library alone would make of it.
    assert soundfile.info(io.BytesIO(bare(VARIABLE))).duration < 12


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        (id3(300), b""),
        (id3(200_000, picture=True), ID3V1),
        (id3(300) + id3(4000), APE_TAG + ID3V1),
        (b"", ID3V1),
        (np.random.default_rng(0).bytes(3000), np.random.default_rng(1).bytes(3000)),
        (bytes(5000), bytes(60_000)),
    ],
)
def test_tags_and_junk_around_it_change_nothing(before: bytes, behind: bytes) -> None:
    for data in (VARIABLE, CONSTANT, bare(VARIABLE), bare(CONSTANT)):
        plain = read_audio(data)
        notes: list[str] = []
        np.testing.assert_array_equal(read_audio(before + data + behind, warn=notes.append), plain)
        assert notes == []


def test_joined_files_are_heard_to_the_end() -> None:
    slow, stereo = mp3(8_000), mp3(16_000, 2)
    for second in (VARIABLE, CONSTANT, slow, stereo):
        assert decoded_s(VARIABLE + second) == (pytest.approx(40.0, abs=0.01), [])
        assert decoded_s(VARIABLE + ID3V1 + id3(500) + second) == (pytest.approx(40.0, abs=0.01), [])
        assert decoded_s(bare(VARIABLE) + bare(second)) == (pytest.approx(40.0, abs=0.3), [])
        # The first file's header counts its own frames alone.
        assert decoded_s(VARIABLE + bare(second)) == (pytest.approx(40.0, abs=0.3), [])


def test_fewer_frames_than_stated_are_a_fault() -> None:
    for share in (0.3, 0.6, 0.97):
        assert reason(CONSTANT[: int(share * len(CONSTANT))]) == "truncated"
    cut = bare(CONSTANT)[: len(CONSTANT) // 2]
    assert decoded_s(cut) == (pytest.approx(10.0, abs=0.2), []), "no header states more frames"


def test_a_count_of_too_few_frames_does_not_end_it() -> None:
    frames = mpeg.walk(io.BytesIO(CONSTANT)).stretches[0].frames
    at = CONSTANT.index(struct.pack(">I", frames))
    wrong = CONSTANT[:at] + struct.pack(">I", frames // 2) + CONSTANT[at + 4 :]
    assert decoded_s(wrong) == (pytest.approx(20.0, abs=0.1), [])


def test_damage_between_frames_costs_these_frames_and_gives_a_warning() -> None:
    data = bare(CONSTANT)
    noise = np.random.default_rng(5).bytes(30_000)
    seconds, notes = decoded_s(data[:100_000] + noise + data[130_000:])
    assert seconds == pytest.approx(20 - 20 * 30_000 / len(data), abs=0.3)
    assert len(notes) == 1
    assert "not MP3 frames" in notes[0]
    # With a stated number of frames the file is truncated.
    assert reason(CONSTANT[:100_000] + noise + CONSTANT[130_000:]) == "truncated"


def test_the_header_of_a_frame() -> None:
    frame = mpeg.frame_of(bytes.fromhex("fffb9064"))
    assert frame
    assert (frame.size, frame.rate_hz, frame.layer, frame.mono, frame.samples) == (417, 44_100, 3, False, 1152)
    for head in ("fff15080", "ffff9064"[:6], "fffbf064", "fffb0064", "fffb9c64", "fffb9066", "fe", "00000000"):
        assert mpeg.frame_of(bytes.fromhex(head)) is None, head


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_rate_has_a_frame_for_the_count(rate_hz: int, channels: int) -> None:
    sound = np.random.default_rng(rate_hz).uniform(-0.5, 0.5, (rate_hz, channels))
    sink = io.BytesIO()
    soundfile.write(sink, sound, rate_hz, format="MP3", subtype="MPEG_LAYER_III")
    stretch = mpeg.walk(io.BytesIO(sink.getvalue())).stretches[0]
    made = mpeg.info_frame(stretch.header, stretch.first, 1234)
    frame = mpeg.frame_of(made[:4])
    assert frame
    assert len(made) == frame.size
    assert frame.key == stretch.first.key
    assert mpeg._stated_frames(made, frame) == 1234
    assert decoded_s(bare(sink.getvalue()))[0] == pytest.approx(1.0, abs=0.2)
