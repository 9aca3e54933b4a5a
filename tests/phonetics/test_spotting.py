"""Spots of a phrase in long log-probabilities, and what a recogniser hears in pieces."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wakeword.phonetics import spotting
from wakeword.phonetics.listening import compact, hear, hear_blocks, restored
from wakeword.phonetics.spotting import spots, text_score
from wakeword.runtime.phoneme_path import PhraseScorer, Pronunciation

RATE_HZ, BLANK, BOUNDARY, TOKENS = 50.0, 8, 7, 9


def scorer() -> PhraseScorer:
    plain = Pronunciation(((1,), (2, 3), (4,)), ((0.0,), (0.0, 0.5), (0.0,)))
    longer = Pronunciation(((1,), (1,), (2,), (4,)), ((0.0,),) * 4)
    return PhraseScorer([plain, longer], BLANK, BOUNDARY)


def heard(frames: int, seed: int = 0) -> np.ndarray:
    """Frames in which the blank is far ahead, as between spoken sounds."""
    logits = np.random.default_rng(seed).normal(0, 3, (frames, TOKENS)).astype(np.float32)
    logits[:, BLANK] += 15
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def say(log_probs: np.ndarray, start: int, tokens: tuple[int, ...], each: int = 4) -> None:
    for number, token in enumerate(tokens):
        place = slice(start + each * number, start + each * (number + 1))
        log_probs[place] = -12.0
        log_probs[place, token] = -0.01


def test_a_phrase_that_is_said_is_the_highest_spot_at_its_place() -> None:
    log_probs = heard(6000)
    say(log_probs, 1200, (1, 3, 4))
    say(log_probs, 4000, (1, 2, 4))
    found = spots(scorer(), log_probs, RATE_HZ, 5, np.asarray([len(log_probs)]))
    # The alternative costs 0.5, so the plain form comes first.
    assert [round(spot.start_s, 2) for spot in found[:2]] == [80.0, 24.0]
    assert found[0].end_s == pytest.approx((4000 + 12) / RATE_HZ, abs=0.1)
    assert found[0].score == pytest.approx(0.0, abs=0.1)
    assert -2.0 < found[1].score < found[0].score
    assert [spot.score for spot in found] == sorted((spot.score for spot in found), reverse=True)


def test_the_first_pass_is_the_path_search_of_a_window_without_a_bound() -> None:
    log_probs = heard(900, 1)
    say(log_probs, 394, (1, 2, 4))
    curve = spotting._ending_here(scorer(), log_probs, 1000, 100)
    assert curve.max() == pytest.approx(float(scorer()(log_probs[None]).mean[0]), abs=1e-4)
    # In pieces, a path that is longer than the overlap is missed, and no other one: none scores higher.
    pieces = spotting._ending_here(scorer(), log_probs, 200, 150)
    assert (pieces <= curve + 1e-3).all()
    assert curve.argmax() in range(394, 410)
    assert pieces[curve.argmax()] == pytest.approx(curve.max(), abs=1e-4)


def test_a_spot_scores_as_its_window_alone() -> None:
    log_probs = heard(2000, 2)
    best = spots(scorer(), log_probs, RATE_HZ, 1, np.asarray([len(log_probs)]))[0]
    end = round(best.end_s * RATE_HZ)
    windows = [log_probs[max(0, at - 90) : at + 16] for at in range(end - 20, end + 20)]
    scores = [float(text_score(scorer()(window[None]))[0]) for window in windows]
    assert min(abs(score - best.score) for score in scores) < 1e-4


def test_no_path_crosses_from_one_recording_into_the_next() -> None:
    log_probs = heard(1000, 3)
    say(log_probs, 494, (1, 2, 4))
    across = spots(scorer(), log_probs, RATE_HZ, 3, np.asarray([500, 1000]))
    whole = spots(scorer(), log_probs, RATE_HZ, 3, np.asarray([1000]))
    assert whole[0].score == pytest.approx(0.0, abs=0.1)
    assert across[0].score < -1.0


def test_audio_without_frames_has_no_spots() -> None:
    assert spots(scorer(), np.zeros((0, TOKENS), np.float32), RATE_HZ, 3, np.asarray([0])) == []


class Echo:
    """A recogniser whose frame is the mean of its samples: it sees where pieces are cut."""

    rate_hz = RATE_HZ

    def log_probs(self, audio: torch.Tensor) -> torch.Tensor:
        frames = audio.shape[1] // 320
        return audio[:, : 320 * frames].reshape(len(audio), frames, 320).mean(-1, keepdim=True).repeat(1, 1, 2)


@pytest.mark.parametrize("seconds", [0.5, 8.0, 9.0, 21.3])
def test_pieces_join_to_the_whole_whatever_the_blocks(seconds: float) -> None:
    audio = np.random.default_rng(0).normal(0, 1, round(seconds * 16_000) // 320 * 320).astype(np.float32)
    whole = hear(Echo(), audio)
    np.testing.assert_allclose(whole[:, 0], audio.reshape(-1, 320).mean(1), atol=1e-6)
    for size in (700, 50_000):
        blocks = [audio[at : at + size] for at in range(0, len(audio), size)]
        np.testing.assert_array_equal(np.concatenate(list(hear_blocks(Echo(), blocks))), whole)


def test_the_compact_form_keeps_a_sixteenth_of_a_nat() -> None:
    log_probs = heard(200)
    back = restored(compact(log_probs))
    assert np.abs(back - np.maximum(log_probs, -255 / 16)).max() <= 1 / 32 + 1e-6
