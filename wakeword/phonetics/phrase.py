"""A phrase for a phoneme recogniser: its pronunciations with alternatives, and its score in long audio."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import fields

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from wakeword.errors import ConfigError
from wakeword.phonetics import accents
from wakeword.phonetics.inventory import as_pronunciation, inventory_of
from wakeword.phonetics.recogniser import Recogniser
from wakeword.runtime.phoneme_path import Float, PathFeatures, PhraseScorer, Pronunciation

MOST_PRONUNCIATIONS = 32
"""Of one phrase, the given forms before the derived ones."""
_BATCH = 256
_log = logging.getLogger(__name__)


def phrase_pronunciations(
    sounds: Iterable[tuple[str, ...]], recogniser: Recogniser, language: str = "en"
) -> list[Pronunciation]:
    """Pronunciations of a phrase as outputs of the recogniser: the given ones, and what accents make of them.

    `sounds`: pronunciations as `wakeword.data.synthesis.pronunciation` gives them. A sound that the recogniser lacks
    is replaced by the nearest one, which a log message tells.

    Raises:
        ConfigError: no pronunciation is given, or the recogniser has no sound near one of them.
    """
    given = sorted(set(sounds) - {()}, key=lambda one: (len(one), one))
    if not given:
        raise ConfigError("the phrase has no pronunciation: give its `phonemes` in IPA")
    inventory, english = inventory_of(recogniser), is_english(language)
    replaced = stand_ins(given, recogniser)
    if replaced:
        told = ", ".join(f"{sound} by {other}" for sound, other in replaced.items())
        _log.warning("the phoneme recogniser %s lacks sounds of the phrase: replaced %s", recogniser.name, told)
    if english:
        # The full forms first, so that the limit cuts the rarest ones.
        forms = [(one, dropped) for one in given for dropped in accents.droppable(inventory.spelled(one))]
        forms.sort(key=lambda form: len(form[1]))
    else:
        forms = [(one, ()) for one in [*given, *map(accents.oral, given)]]
    made = dict.fromkeys(as_pronunciation(one, inventory, english, dropped) for one, dropped in forms)
    return list(made)[:MOST_PRONUNCIATIONS]


def stand_ins(sounds: Iterable[tuple[str, ...]], recogniser: Recogniser) -> dict[str, str]:
    """Sounds of a phrase that the recogniser lacks, and the nearest ones that stand for them.

    Raises:
        ConfigError: the recogniser has no sound near one of them.
    """
    inventory = inventory_of(recogniser)
    parts = dict.fromkeys(part for one in sounds for part in inventory.spelled(one))
    return {part: other for part in parts if (other := inventory.stand_in(part)) is not None}


def phrase_scorer(sounds: Iterable[tuple[str, ...]], recogniser: Recogniser, language: str = "en") -> PhraseScorer:
    """The scorer of a phrase.

    Raises:
        ConfigError: see `phrase_pronunciations`.
    """
    return PhraseScorer(phrase_pronunciations(sounds, recogniser, language), recogniser.blank, recogniser.boundary)


def window_scores(log_probs: Float, scorer: PhraseScorer, window_frames: int, hop_frames: int) -> PathFeatures:
    """Scores of windows of a long recording `(frames, tokens)`; `start` and `end` count from its first frame.

    The last window ends with the recording. A path that is no longer than `window_frames - hop_frames` lies in a window
    whole, so that the best of the windows is the best of the recording among such paths. A recording that is shorter
    than a window is one window.
    """
    if hop_frames < 1 or window_frames < hop_frames:
        raise ValueError(f"windows of {window_frames} frames cannot have a hop of {hop_frames}")
    frames = len(log_probs)
    window = min(window_frames, frames)
    last = frames - window
    firsts = np.unique(np.append(np.arange(0, last, hop_frames), last))
    windows = sliding_window_view(np.asarray(log_probs, dtype=np.float32), max(window, 1), axis=0) if frames else None
    parts = []
    for at in range(0, len(firsts), _BATCH):
        chosen = firsts[at : at + _BATCH]
        batch = log_probs[None] if windows is None else windows[chosen].transpose(0, 2, 1)
        found = scorer(batch)
        parts.append({field.name: getattr(found, field.name) for field in fields(found)})
        for name in ("start", "end"):
            parts[-1][name] = parts[-1][name] + chosen
    return PathFeatures(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def is_english(language: str) -> bool:
    """True for every variety of English."""
    return language.replace("_", "-").lower().partition("-")[0] == "en"
