"""Texts that sound like the phrase without holding it, by edit distance of espeak's phonemes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from wakeword.data.synthesis.espeak import phonemes
from wakeword.data.synthesis.sentences import sentences, vocabulary
from wakeword.data.words import holds, spoken

MIN_DISTANCE = 2
"""One phoneme away teaches a contrast that synthetic voices keep and people do not (measured: it costs real recall)."""
MAX_SHARE = 0.75
"""Texts of which more of the phrase's phonemes differ are plain speech."""
_MARKS = "ˈˌːˑ‿ "


def phoneme_lists(texts: Sequence[str]) -> list[list[str]]:
    """Phonemes of each text without stress, length and pauses."""
    return [[symbol for symbol in heard if symbol not in _MARKS] for heard in phonemes(texts)]


def edit_distance(first: Sequence[str], second: Sequence[str]) -> int:
    """Insertions, deletions and replacements between two sequences (Levenshtein)."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def near_misses(phrase: str, count: int) -> list[str]:
    """The nearest texts first: words of the phrase alone and swapped, words and pairs of the sentences, exchanges.

    A text whose phonemes hold the whole phrase (a plural, a longer name) is a positive, and left out.
    """
    target = phoneme_lists([phrase])[0]
    words = spoken(phrase)
    texts = {*words, " ".join(reversed(words)), *vocabulary()}
    for sentence in sentences():
        parts = sentence.lower().split()
        texts |= {" ".join(pair) for pair in pairwise(parts)}
    ordered = sorted(texts)
    heard = dict(zip(ordered, phoneme_lists(ordered), strict=True))
    for place, word in enumerate(words):
        changed = [" ".join([*words[:place], other, *words[place + 1 :]]) for other in _nearest(heard[word], heard)]
        heard |= dict(zip(changed, phoneme_lists(changed), strict=True))
    ranked = []
    for text, sounds in heard.items():
        distance = edit_distance(sounds, target)
        if holds(text, phrase) or _contains(sounds, target):
            continue
        alone = text in words and len(words) > 1
        if alone or MIN_DISTANCE <= distance <= max(MIN_DISTANCE, MAX_SHARE * len(target)):
            ranked.append((not alone, distance, text))
    return [text for _, _, text in sorted(ranked)[:count]]


def _nearest(sounds: list[str], heard: dict[str, list[str]], count: int = 12) -> list[str]:
    return sorted(vocabulary(), key=lambda other: (edit_distance(heard[other], sounds), other))[:count]


def _contains(sounds: Sequence[str], target: Sequence[str]) -> bool:
    span = len(target)
    return any(list(sounds[i : i + span]) == list(target) for i in range(len(sounds) - span + 1))
