"""A part of a known clip is found inside another recording, and what is not there is not found."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.test_duplicates import voice
from wakeword.audio.fingerprint import HOP, LEAST_FRAMES, MAX_BER, FingerprintIndex, fingerprint


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    return [voice(seed, 4.0) for seed in range(12)]


@pytest.fixture(scope="module")
def index(clips) -> FingerprintIndex:
    return FingerprintIndex([fingerprint(audio) for audio in clips])


def test_a_second_of_a_clip_is_found_at_any_place_and_level(index, clips) -> None:
    for number, first in ((3, 0), (7, 20_000), (11, 47_000)):
        inside = np.concatenate([voice(100, 1.37), 0.4 * clips[number][first : first + 17_000], voice(101, 2.0)])
        found = index.match(fingerprint(inside))
        assert found is not None
        assert found[0] == number
        assert found[1] <= MAX_BER


def test_noise_under_it_does_not_hide_it(index, clips) -> None:
    noise = np.random.default_rng(0).standard_normal(len(clips[5])).astype(np.float32)
    found = index.match(fingerprint(clips[5] + 0.003 * noise))
    assert found is not None
    assert found[0] == 5


def test_other_sounds_are_not_taken_for_it(index) -> None:
    assert [index.match(fingerprint(voice(seed, 7.0))) for seed in range(200, 230)] == [None] * 30
    assert index.match(fingerprint(np.zeros(32_000, np.float32))) is None
    assert index.match(np.zeros(0, np.uint32)) is None
    assert FingerprintIndex([]).match(fingerprint(voice(1))) is None


def test_only_the_asked_frames_count(index, clips) -> None:
    inside = fingerprint(np.concatenate([clips[2], voice(102, 5.0)]))
    edge = 4 * 16_000 // HOP
    assert index.match(inside, 0, edge) is not None
    assert index.match(inside, edge - LEAST_FRAMES - 8) is not None
    assert index.match(inside, edge) is None
