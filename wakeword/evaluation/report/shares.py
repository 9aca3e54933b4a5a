"""Near misses in words: their distance, and the share that fires."""

from __future__ import annotations

from wakeword.evaluation.results import FiredShare
from wakeword.evaluation.statistics.numbers import percent


def away(distance: str) -> str:
    """`1 phoneme away`, `4 or more phonemes away`, `at an unknown distance`."""
    if distance == "unknown":
        return "at an unknown distance"
    return f"{distance} phoneme{'' if distance == '1' else 's'} away"


def fired_share(part: FiredShare) -> str:
    """`12 % of 60 (5.8-22.6)`."""
    low, high = (f"{100 * bound:.1f}" for bound in part.wilson)
    return f"{percent(part.share)} of {part.clips} ({low}-{high})"
