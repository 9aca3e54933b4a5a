"""Simulated rooms: physics and reproducibility."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from wakeword.audio.rirs import simulate_rirs
from wakeword.errors import MissingExtraError


@pytest.fixture(scope="module")
def responses() -> list[np.ndarray]:
    return simulate_rirs(8, seed=3)


def test_reverberation_time_is_that_of_the_drawn_room(responses: list[np.ndarray]) -> None:
    """A response lasts RT60; its own decay from -5 to -25 dB must say the same."""
    for response in responses:
        drawn_s = len(response) / 16000
        assert 0.1 <= drawn_s <= 0.9
        energy = np.cumsum(response[::-1].astype(float) ** 2)[::-1]
        decay_db = 10 * np.log10(energy / energy[0] + 1e-12)
        measured_s = 3 * (np.argmax(decay_db < -25) - np.argmax(decay_db < -5)) / 16000
        assert 0.5 * drawn_s < measured_s < 1.4 * drawn_s


def test_direct_sound_comes_first(responses: list[np.ndarray]) -> None:
    for response in responses:
        assert response.dtype == np.float32
        assert abs(float(np.abs(response).max()) - 0.9) < 1e-6
        assert abs(response[0]) > 0.15
        assert abs(response[0]) >= np.abs(response[1:8]).max()


def test_near_and_far_rooms_are_there(responses: list[np.ndarray]) -> None:
    ratio_db = [10 * np.log10((r[:40] ** 2).sum() / (r[40:] ** 2).sum()) for r in responses]
    assert max(ratio_db) > 0
    assert min(ratio_db) < -5


def test_a_room_depends_on_seed_and_number_alone(responses: list[np.ndarray]) -> None:
    again = simulate_rirs(2, seed=3)
    assert all(np.array_equal(first, second) for first, second in zip(again, responses, strict=False))
    assert not np.array_equal(simulate_rirs(1, seed=4)[0], responses[0])


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyroomacoustics", None)
    with pytest.raises(MissingExtraError, match=r"\[train\]"):
        simulate_rirs(1, seed=0)
