"""Aligners compute when each word of a known text is spoken; `load_aligner("pocketsphinx")` finds one by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

import numpy as np

from wakeword.errors import ConfigError

ALIGNERS: dict[str, str] = {"pocketsphinx": "wakeword.data.cutting.sphinx", "ctc": "wakeword.data.cutting.ctc"}
"""Module of each aligner, which defines `make(argument, device) -> Aligner`."""


@dataclass(frozen=True)
class AlignedWord:
    """Times of a word, seconds from the start of the clip, and the geometric mean of its frames' probabilities."""

    start_s: float
    end_s: float
    confidence: float | None = None


class AlignmentError(Exception):
    """A text that could not be aligned to its clip; `reason` is its code in the quarantine table."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Aligner(Protocol):
    """An aligner with its model in memory, used by one worker."""

    identity: str
    """Name and version or weights: changes when the times would change."""

    def align(self, audio: np.ndarray, words: Sequence[str]) -> list[AlignedWord]:
        """Times of each of `words` (lower case) in `audio (samples,)`, float32 at 16 kHz.

        Raises:
            AlignmentError: the text cannot be aligned: `unknown_words`, `not_aligned`, `too_short`.
        """


def load_aligner(spec: str, device: str = "cpu") -> Aligner:
    """Load an aligner from `cutting.aligner`.

    Raises:
        ConfigError: an unknown aligner, or a model that cannot be used.
        MissingExtraError: its packages are not installed.
    """
    name, _, argument = spec.partition(":")
    if name not in ALIGNERS:
        raise ConfigError(f"cutting.aligner: no aligner {name!r}; there are: {', '.join(sorted(ALIGNERS))}")
    make: Callable[[str, str], Aligner] = import_module(ALIGNERS[name]).make
    return make(argument, device)
