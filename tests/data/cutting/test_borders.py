"""Borders go to quiet places, and what cannot be cut out cleanly is refused with its reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from wakeword.config.cutting import CuttingConfig
from wakeword.data.cutting.aligner import AlignedWord
from wakeword.data.cutting.borders import CutWord, cut_words, fault_of

RATE_HZ = 16_000


def sounding(*spans: tuple[float, float, float], length_s: float = 2.0) -> np.ndarray:
    """White noise at an amplitude within each span (start, end, amplitude), faint noise elsewhere."""
    chance = np.random.default_rng(0)
    level = np.full(round(length_s * RATE_HZ), 1e-4)
    for start_s, end_s, amplitude in spans:
        level[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)] = amplitude
    return (level * chance.standard_normal(len(level))).astype(np.float32)


def word(text: str = "seven", start_s: float = 0.5, end_s: float = 1.0, **changes: Any) -> CutWord:
    values = {"place": 0, "level_db": -20.0, "before_db": -50.0, "after_db": -50.0, "confidence": None}
    return CutWord(**{**values, "text": text, "start_s": start_s, "end_s": end_s, **changes})


def test_borders_move_to_the_dip_between_two_words() -> None:
    audio = sounding((0.4, 0.8, 0.1), (0.83, 1.2, 0.1))
    times = [AlignedWord(0.42, 0.79), AlignedWord(0.79, 1.18)]
    first, second = cut_words(audio, ["a", "b"], times)
    assert first.end_s == second.start_s
    assert 0.8 <= first.end_s <= 0.83
    assert first.start_s == pytest.approx(0.4, abs=0.011)
    assert second.end_s == pytest.approx(1.2, abs=0.011)
    assert first.after_db < first.level_db - 30
    assert [w.place for w in (first, second)] == [0, 1]


def test_borders_widen_what_peaks_of_a_ctc_model_tell_too_narrowly() -> None:
    audio = sounding((0.4, 0.8, 0.1), (1.0, 1.4, 0.1))
    first, second = cut_words(audio, ["a", "b"], [AlignedWord(0.46, 0.74), AlignedWord(1.08, 1.34)])
    assert (first.start_s, first.end_s) == pytest.approx((0.4, 0.8), abs=0.011)
    assert (second.start_s, second.end_s) == pytest.approx((1.0, 1.4), abs=0.011)


def test_a_cut_through_sound_is_loud_and_at_an_end_of_the_clip_it_is_not() -> None:
    audio = sounding((0.0, 2.0, 0.1))
    first, second = cut_words(audio, ["a", "b"], [AlignedWord(0.0, 1.0), AlignedWord(1.0, 2.0)])
    assert first.after_db == pytest.approx(first.level_db, abs=3)
    assert (first.before_db, second.after_db) == (-100.0, -100.0)
    # Times beyond the clip, and a word without length, still give a frame each.
    odd = cut_words(audio, ["a", "b"], [AlignedWord(1.99, 1.99), AlignedWord(2.4, 2.5)])
    assert all(w.end_s > w.start_s for w in odd)


def test_a_clean_cut_is_taken() -> None:
    assert fault_of([word()], CuttingConfig()) is None
    assert fault_of([word(end_s=0.8), word("nine", 0.9, 1.3, place=1)], CuttingConfig()) is None


def test_length_is_checked_of_the_cut_and_of_each_word() -> None:
    brief = [word("the", 0.5, 0.6)]
    assert fault_of(brief, CuttingConfig()) == ("wrong_length", "'the' would last 0.10 s, 0.12 s are needed")
    assert fault_of(brief, CuttingConfig(min_cut_s=0.1)) is None
    # Within a phrase the same word may be brief.
    assert fault_of([*brief, word("time", 0.6, 0.9, place=1)], CuttingConfig()) is None
    long = [word("i", 0.5, 0.9)]
    assert fault_of(long, CuttingConfig()) == ("wrong_length", "'i' would last 0.40 s, 0.03 to 0.25 s are plausible")
    assert fault_of(long, CuttingConfig(letter_s=(0.025, 0.5))) is None
    assert fault_of([word()], CuttingConfig(letter_s=(0.2, 0.5)))[0] == "wrong_length"  # type: ignore[index]


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_loud_border_is_refused(side: str) -> None:
    loud = [word(**{f"{side}_db": -24.0})]
    message = f"the sound {side} 'seven' is only 4.0 dB quieter than the word, 6 dB are needed"
    assert fault_of(loud, CuttingConfig(border_db=6)) == ("loud_border", message)
    assert fault_of(loud, CuttingConfig(border_db=3)) is None
    # Only the outer borders of a row of words are cut.
    inner = [word(end_s=0.8, after_db=-20.0), word("nine", 0.8, 1.2, place=1, before_db=-20.0)]
    assert fault_of(inner, CuttingConfig(border_db=6)) is None


def test_a_word_of_low_confidence_is_refused() -> None:
    assert fault_of([word(confidence=0.1)], CuttingConfig()) is None
    assert fault_of([word(confidence=0.1)], CuttingConfig(min_confidence=0.3)) == (
        "low_confidence",
        "'seven' has 0.10, 0.3 is needed",
    )
    assert fault_of([word(confidence=None)], CuttingConfig(min_confidence=0.3)) is None


def test_a_long_pause_within_a_phrase_is_refused() -> None:
    phrase = [word(), word("nine", 1.4, 1.8, place=1)]
    assert fault_of(phrase, CuttingConfig()) == ("long_pause", "0.40 s between 'seven' and 'nine'")
    assert fault_of(phrase, CuttingConfig(gap_s=(0.0, 0.5))) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gap_s": (0.3, 0.1)}, "gap_s is a range"),
        ({"letter_s": (-0.1, 0.1)}, "letter_s is a range"),
        ({"aligner": "ctc"}, "write pocketsphinx, or ctc:PATH_OR_ID"),
        ({"aligner": "pocketsphinx:x"}, "write pocketsphinx, or ctc:PATH_OR_ID"),
    ],
)
def test_settings_that_cannot_be_meant(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CuttingConfig(**changes)
