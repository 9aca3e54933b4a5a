"""Everyday English that is not the phrase: a built-in list, pieces of it and combinations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources

import numpy as np

from wakeword.data.words import holds

SHORT_WORDS = 5
"""Texts of at most this many words count as short: slow engines speak these."""


@cache
def sentences() -> tuple[str, ...]:
    """The built-in list (more than 300 sentences and phrases)."""
    text = (resources.files("wakeword.data.synthesis") / "sentences.txt").read_text(encoding="utf-8")
    return tuple(line.strip() for line in text.splitlines() if line.strip())


@cache
def vocabulary() -> tuple[str, ...]:
    """All words of the list, sorted."""
    return tuple(sorted({word for sentence in sentences() for word in sentence.lower().split()}))


def draw_text(draw: np.random.Generator, phrases: Sequence[str], short: bool = False) -> str:
    """A text without any of the phrases: a sentence (60 %), a piece of one (20 %), or two of them joined (20 %).

    Pieces and joins put words next to each other that the list does not, so that what follows what teaches nothing.
    """
    while True:
        text = _candidate(draw, short)
        if text and not any(holds(text, phrase) for phrase in phrases):
            return text


def _candidate(draw: np.random.Generator, short: bool) -> str:
    pool = sentences()
    words = pool[int(draw.integers(len(pool)))].split()
    shape = draw.random()
    if short:
        length = int(draw.integers(1, SHORT_WORDS + 1))
        start = int(draw.integers(max(1, len(words) - length + 1)))
        return " ".join(words[start : start + length])
    if shape < 0.2 and len(words) > 2:
        cut = int(draw.integers(1, len(words)))
        return " ".join(words[:cut] if draw.random() < 0.5 else words[cut:])
    if shape < 0.4:
        other = pool[int(draw.integers(len(pool)))]
        return f"{' '.join(words)}{', ' if draw.random() < 0.5 else ' and '}{other}"
    return " ".join(words)
