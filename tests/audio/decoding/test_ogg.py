"""Ogg: every link of a chain, FLAC in it, and an end that is not one; FLAC that does not know its length."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile

from tests.audio.decoding.test_mpeg import APE_TAG
from wakeword.audio.decoding import ogg
from wakeword.audio.io import AudioError, read_audio

RATE_HZ = 16_000


def written(form: str, subtype: str, rate_hz: int = RATE_HZ, seconds: int = 3) -> bytes:
    sound = np.random.default_rng(seconds).uniform(-0.5, 0.5, seconds * rate_hz)
    sink = io.BytesIO()
    soundfile.write(sink, sound, rate_hz, format=form, subtype=subtype)
    return sink.getvalue()


VORBIS, OPUS, FLAC = written("OGG", "VORBIS"), written("OGG", "OPUS", 48_000), written("FLAC", "PCM_16")


def decode(data: bytes) -> tuple[float, list[str]]:
    notes: list[str] = []
    return len(read_audio(data, warn=notes.append)) / RATE_HZ, notes


def page(body: bytes, flags: int, number: int, serial: int = 7) -> bytes:
    """A page of Ogg whose body is one packet; the checksum is not set."""
    lengths = bytes([255] * (len(body) // 255) + [len(body) % 255])
    return struct.pack("<4sBBqIIIB", b"OggS", 0, flags, 0, serial, number, 0, len(lengths)) + lengths + body


def ogg_flac(data: bytes) -> bytes:
    """A FLAC file as it lies in Ogg, by the mapping of FLAC 1.1.1."""
    pages = [page(b"\x7fFLAC\1\0\0\1" + data[:42], 2, 0)]
    pages += [
        page(data[start : start + 60_000], 0, number) for number, start in enumerate(range(42, len(data), 60_000))
    ]
    return b"".join(pages) + page(b"", 4, 99)


@pytest.mark.parametrize("second", [VORBIS, OPUS, written("OGG", "VORBIS", 44_100, 5)])
def test_every_link_of_a_chain_is_heard(second: bytes) -> None:
    for first in (VORBIS, OPUS):
        whole, more = read_audio(first), read_audio(second)
        notes: list[str] = []
        both = read_audio(first + second, warn=notes.append)
        assert len(both) == pytest.approx(len(whole) + len(more), abs=4)
        np.testing.assert_allclose(both[: len(whole) - 150], whole[:-150], atol=1e-6)
        assert notes == []
    assert len(ogg.links(io.BytesIO(VORBIS + OPUS + VORBIS))) == 3


def test_an_end_without_its_mark_is_told() -> None:
    seconds, notes = decode(VORBIS[: len(VORBIS) // 2])
    assert 0.5 < seconds < 2.5
    assert len(notes) == 1
    assert "may have been cut" in notes[0]


def test_flac_in_ogg_is_the_same_flac() -> None:
    np.testing.assert_array_equal(read_audio(ogg_flac(FLAC)), read_audio(FLAC))


def test_flac_that_does_not_know_its_length() -> None:
    number = int.from_bytes(FLAC[18:26], "big")
    streamed = FLAC[:18] + (number >> 36 << 36).to_bytes(8, "big") + FLAC[26:]
    np.testing.assert_array_equal(read_audio(streamed), read_audio(FLAC))
    np.testing.assert_array_equal(read_audio(ogg_flac(streamed)), read_audio(FLAC))
    # An ID3 tag before it, as some players write.
    np.testing.assert_array_equal(read_audio(b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + streamed), read_audio(FLAC))


def stating(data: bytes, more: int) -> bytes:
    return data[:18] + (int.from_bytes(data[18:26], "big") + more).to_bytes(8, "big") + data[26:]


def test_flac_is_read_past_its_stated_length_and_its_joins() -> None:
    whole, second = read_audio(FLAC), written("FLAC", "PCM_16", seconds=2)
    number = int.from_bytes(FLAC[18:26], "big")
    streamed = FLAC[:18] + (number >> 36 << 36).to_bytes(8, "big") + FLAC[26:]
    for data, expected, warnings in [
        (stating(FLAC, -RATE_HZ), whole, 1),
        (FLAC + second, np.concatenate([whole, read_audio(second)]), 0),
        (streamed + second, np.concatenate([whole, read_audio(second)]), 0),
        (FLAC + b"TAG" + bytes(125), whole, 0),
        (FLAC + bytes(5000), whole, 0),
        (FLAC + np.random.default_rng(0).bytes(5000), whole, 0),
        (streamed + APE_TAG + b"TAG" + bytes(125), whole, 0),
    ]:
        notes: list[str] = []
        np.testing.assert_array_equal(read_audio(data, warn=notes.append), expected)
        assert len(notes) == warnings


def test_a_recorder_that_was_cut_keeps_its_flac() -> None:
    number = int.from_bytes(FLAC[18:26], "big")
    streamed = FLAC[:18] + (number >> 36 << 36).to_bytes(8, "big") + FLAC[26:]
    seconds, notes = decode(streamed[: len(streamed) // 2 + 1000])
    assert 1.2 < seconds < 1.8
    assert len(notes) == 1
    assert "not complete" in notes[0]
    # Damage within is another thing.
    with pytest.raises(AudioError):
        read_audio(streamed[:20_000] + streamed[25_000:])


def test_flac_that_states_more_is_truncated() -> None:
    for more in (1, RATE_HZ):
        with pytest.raises(AudioError) as caught:
            read_audio(stating(FLAC, more))
        assert caught.value.reason in ("truncated", "undecodable")


def test_other_codecs_in_ogg_are_named() -> None:
    for packet, name in ((b"Speex   1.2", "Speex"), (b"\x80theora", "Theora"), (b"something else", "unknown codec")):
        with pytest.raises(AudioError, match=name) as caught:
            read_audio(page(packet, 2, 0) + page(b"x" * 300, 4, 1))
        assert caught.value.reason == "codec_not_allowed"
    with pytest.raises(AudioError, match="no complete page"):
        read_audio(b"OggS" + bytes(10))
