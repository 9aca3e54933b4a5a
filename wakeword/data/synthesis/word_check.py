"""Whether a synthesised clip says its phrase, by a phoneme recogniser."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np
import torch

from wakeword.config import Config
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.data.synthesis.engine import SpeechError
from wakeword.data.synthesis.pronunciation import Phonemes, word_sounds
from wakeword.errors import ConfigError
from wakeword.phonetics.phrase import is_english, phrase_scorer
from wakeword.phonetics.recogniser import open_recogniser

PADDING_S = 0.2
"""Silence around the phrase for the recogniser."""
MIN_MEAN, MIN_WEAKEST = -2.0, -8.0
"""Lowest scores of a clip that says its phrase: of the path per phoneme, and of its weakest phoneme."""
MIN_MEAN_ELSEWHERE = -3.0
"""The same for other languages than English, whose accents have no learnt costs: substitutes cost more there."""
MOST_BESIDE = 3
"""Sounds beside the phrase that a clip may have: noises of some voices at the end are heard as one or two sounds."""


class WordCheck:
    """Whether a clip says its phrase, by the phoneme recogniser: the score of the phrase's best path.

    A score is relative to what the recogniser would rather hear. The limits are wide: they refuse clips of something
    else, not voices that the recogniser finds hard (docs/explanation/voices.md has their errors).

    Args:
        sounds: pronunciations of each word, by its label.
        language: of the words.
    """

    def __init__(self, sounds: Mapping[str, Collection[Phonemes]], language: str) -> None:
        self._recogniser = open_recogniser()
        self._min_mean = MIN_MEAN if is_english(language) else MIN_MEAN_ELSEWHERE
        self._scorers = {
            label: phrase_scorer(found, self._recogniser, language) for label, found in sounds.items() if found
        }

    def __call__(self, audio: np.ndarray, label: str) -> None:
        """Check one clip, `(samples,)` float32 at 16 kHz; a word without pronunciation passes.

        Raises:
            SpeechError: reason `wrong_words`.
        """
        if label not in self._scorers:
            return
        padded = np.pad(audio, round(PADDING_S * SAMPLE_RATE_HZ)).astype(np.float32)
        log_probs = self._recogniser.log_probs(torch.from_numpy(padded)[None]).numpy()
        found = self._scorers[label](log_probs)
        mean, weakest = float(found.mean[0]), float(found.weakest[0])
        heard = list(self._heard(log_probs[0]))
        start, end = int(found.start[0]), int(found.end[0])
        beside = sum(not start <= frame <= end for frame, _ in heard)
        if mean < self._min_mean or weakest < MIN_WEAKEST or beside > MOST_BESIDE:
            raise SpeechError(
                f"a recogniser heard /{''.join(token for _, token in heard)}/, of which {beside} sounds lie beside the "
                f"phrase (at most {MOST_BESIDE}); its score for the phrase is {mean:.1f} a phoneme and {weakest:.1f} "
                f"for the weakest one ({self._min_mean:g} and {MIN_WEAKEST:g} are needed)",
                "wrong_words",
            )

    def _heard(self, log_probs: np.ndarray) -> Iterator[tuple[int, str]]:
        """First frame and symbol of what the recogniser hears: its best outputs without repetitions and blanks."""
        before = None
        for frame, token in enumerate(log_probs.argmax(axis=-1).tolist()):
            if token not in (before, self._recogniser.blank, self._recogniser.boundary):
                yield frame, self._recogniser.tokens[token]
            before = token


def checked_words(config: Config) -> tuple[dict[str, set[Phonemes]], list[str]]:
    """Pronunciations of the words that `WordCheck` can check, and a sentence for each word that it cannot.

    Raises:
        MissingExtraError: the recogniser is not installed.
    """
    synthesis = config.synthesis
    recogniser = open_recogniser()
    found, notes = {}, []
    for word in config.words:
        sounds = word_sounds(word, synthesis.pronunciations, synthesis.language)
        try:
            phrase_scorer(sounds, recogniser, synthesis.language)
        except ConfigError as error:
            notes.append(f"synthesis.check_words: clips of {word.label} are not checked: {error}")
            continue
        found[word.label] = sounds
    return found, notes
