"""Sound and pictures in pages."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from wakeword.pages.media import DYNAMIC_RANGE_DB, flac_address, png_address, spectrogram_db


def test_a_tone_is_loudest_at_its_frequency() -> None:
    level = spectrogram_db(np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32))
    assert level.shape == (257, 101)
    assert level.max() == pytest.approx(0, abs=1e-3)
    assert level.min() == -DYNAMIC_RANGE_DB
    assert set(level[:, 5:-5].argmax(axis=0)) == {32}  # bins are 31.25 Hz wide


@pytest.mark.parametrize("samples", [0, 1, 399, 16_000])
def test_silence_is_dark_at_any_length(samples) -> None:
    assert np.all(spectrogram_db(np.zeros(samples, dtype=np.float32)) <= -40)


def test_addresses_carry_the_bytes() -> None:
    for make, kind in ((png_address, "image/png"), (flac_address, "audio/flac")):
        start, _, content = make(b"\x00\xff").partition(",")
        assert start == f"data:{kind};base64"
        assert base64.b64decode(content) == b"\x00\xff"
