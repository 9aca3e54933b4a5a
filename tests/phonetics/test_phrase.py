"""A phrase's pronunciations, and its score in real recordings and in long audio."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from wakeword.errors import ConfigError
from wakeword.phonetics import accents
from wakeword.phonetics.phrase import MOST_PRONUNCIATIONS, phrase_pronunciations, phrase_scorer, window_scores
from wakeword.phonetics.recogniser import Recogniser, long_log_probs
from wakeword.runtime.phoneme_path import PhraseScorer

JARVIS = ("dʒ", "ɑ", "ɹ", "v", "ɪ", "s")
COMPUTER = ("k", "ə", "m", "p", "j", "u", "t", "ɚ")


def test_an_accent_leaves_sounds_out() -> None:
    assert accents.droppable(JARVIS) == [(), (2,)]
    assert accents.droppable(("ə", "l", "ɛ", "k", "s", "ə")) == [(), (0,)]
    assert accents.droppable(("ɹ", "ɛ", "ɹ", "i")) == [()]
    assert accents.droppable(("ɡ", "ɑ", "ɹ", "d", "ə", "n")) == [(), (2,), (4,), (2, 4)]


def test_sounds_depend_on_their_neighbours() -> None:
    assert accents.in_context(("s", "i", "oʊ"), 1, english=True) == ("j",)
    assert accents.in_context(("s", "i", "t"), 1, english=True) == ()
    assert accents.in_context(("ɑ", "t", "ə"), 1, english=True) == ("ɾ", "d")
    assert accents.in_context(("ɑ", "t", "ə"), 1, english=False) == ()


def test_a_phrase_has_its_forms_once_and_not_too_many(recogniser: Recogniser) -> None:
    found = phrase_pronunciations({JARVIS, ("dʒ", "ɑ", "ɹ", "v", "ə", "s")}, recogniser)
    assert len(found) == len(set(found)) == 4
    assert [len(one) for one in found] == [6, 6, 5, 5]
    many = [("ə", *("ɑ", "ɹ", "k") * count) for count in range(3, 9)]
    assert len(phrase_pronunciations(many, recogniser)) == MOST_PRONUNCIATIONS


def test_nasal_vowels_may_be_a_vowel_and_n(recogniser: Recogniser, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        found = phrase_pronunciations([("b", "ɔ̃", "ʒ", "u", "ʁ")], recogniser, "fr")
    assert [len(one) for one in found] == [5, 6]
    assert "replaced ɔ̃ by õ" in caplog.text


def test_a_phrase_without_pronunciation_or_with_a_foreign_sound_is_refused(recogniser: Recogniser) -> None:
    with pytest.raises(ConfigError, match="no pronunciation"):
        phrase_pronunciations([()], recogniser)
    with pytest.raises(ConfigError, match="no sound near 'ǃ'"):
        phrase_pronunciations([("k", "ǃ", "a")], recogniser)


def test_people_who_say_the_word_score_above_people_who_say_others(recogniser: Recogniser, recordings: Path) -> None:
    rows = pd.read_csv(recordings / "manifest.csv", low_memory=False)
    scorers = {"jarvis": phrase_scorer([JARVIS], recogniser), "computer": phrase_scorer([COMPUTER], recogniser)}
    scores = {}
    for said in scorers:
        paths = rows[(rows.label == said) & (rows.split == "test")].path[:12]
        heard = [_heard(recogniser, recordings / path) for path in paths]
        for word, scorer in scorers.items():
            found = [window_scores(log_probs, scorer, 105, 52) for log_probs in heard]
            scores[said, word] = np.array([(2 * one.mean + one.weakest).max() for one in found])
    for word, other in (("jarvis", "computer"), ("computer", "jarvis")):
        assert np.median(scores[word, word]) > scores[other, word].max()
        assert np.median(scores[word, word]) > -4


def _heard(recogniser: Recogniser, path: Path) -> np.ndarray:
    return long_log_probs(recogniser, torch.from_numpy(soundfile.read(path, dtype="float32")[0])).numpy()


def test_windows_of_long_audio_find_the_best_path(recogniser: Recogniser, speech: list[torch.Tensor]) -> None:
    log_probs = long_log_probs(recogniser, torch.cat(speech[:3])).numpy()
    scorer = phrase_scorer([("k", "æ", "t")], recogniser)
    found = window_scores(log_probs, scorer, 60, 20)
    everywhere = scorer(log_probs[None])
    assert everywhere.end[0] - everywhere.start[0] < 40
    best = found.mean.argmax()
    assert found.mean[best] == pytest.approx(everywhere.mean[0], abs=1e-5)
    assert (found.start[best], found.end[best]) == (everywhere.start[0], everywhere.end[0])
    assert found.end.max() < len(log_probs)
    with pytest.raises(ValueError, match="hop"):
        window_scores(log_probs, scorer, 10, 20)


def test_audio_shorter_than_a_window_is_one_window(recogniser: Recogniser) -> None:
    scorer = PhraseScorer(phrase_pronunciations([JARVIS], recogniser), recogniser.blank, recogniser.boundary)
    log_probs = np.log(np.full((9, len(recogniser.tokens)), 1 / len(recogniser.tokens), dtype=np.float32))
    for frames in (0, 3, 9):
        assert window_scores(log_probs[:frames], scorer, 105, 52).mean.shape == (1,)
