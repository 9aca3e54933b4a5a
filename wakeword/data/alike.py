"""Labels that may be misspellings of a configured word."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
from rapidfuzz.distance import OSA

from wakeword.config import Config, WordConfig
from wakeword.config.labels import fold, word_of
from wakeword.errors import ConfigError, DataError

LEAST_LETTERS, LONG_LETTERS = 6, 10
"""Least letters of a name in which one error, or two errors, are a misspelling. In shorter names one letter makes
another word (`tree`, `three`)."""
MOST_NAMED = 3
SIDE_WORDS = frozenset(
    (
        *("audio", "clip", "clips", "data", "dataset", "file", "files", "folder", "mp3", "flac", "ogg", "wav", "wavs"),
        *("rec", "record", "recorded", "recording", "recordings", "sample", "samples", "take", "takes", "set"),
        *("raw", "new", "old", "own", "my", "mine", "our", "all", "more", "extra", "best", "good", "clean", "clear"),
        *("final", "copy", "backup", "part", "batch", "session", "version", "ver", "v", "trimmed", "cut", "fixed"),
        *("wakeword", "wakewords", "wake", "word", "words", "hotword", "keyword", "phrase", "trigger", "ww", "kw"),
        *("positive", "positives", "pos", "train", "training", "val", "valid", "validation", "dev", "test", "testing"),
        *("eval", "evaluation", "real", "generated", "synthetic", "tts", "piper", "personal", "user", "custom"),
    )
)
"""Words of folder names that are not part of the phrase."""
_SPELLINGS = (
    *(("okay", "ok"), ("ph", "f"), ("ck", "k"), ("qu", "kw"), ("q", "k"), ("x", "ks"), ("c", "k"), ("z", "s")),
    *(("y", "i"), ("ae", "a"), ("oe", "o"), ("ue", "u"), ("oo", "u"), ("ee", "i")),
)
"""Spellings of one sound, among them umlauts (`ä` folds to `a` and is typed as `ae`)."""


@dataclass(frozen=True)
class Like:
    """A label that is like a word: how many clips have it, and one of them."""

    word: str
    clips: int
    where: str
    uri: str


def like_words(clips: pa.Table, config: Config, where: str) -> dict[str, Like]:
    """Labels of a source's wake word clips that are like a configured word and are not in `data.negative_labels`.

    Args:
        clips: of the source (`MANIFEST_SCHEMA`).
        config: `words` and `data.negative_labels`.
        where: name of the source in messages.

    Raises:
        ConfigError: `data.negative_labels` holds a configured word.
    """
    negative = {fold(label) for label in config.data.negative_labels}
    for label in config.data.negative_labels:
        if word := word_of(label, config.words):
            raise ConfigError(f"data.negative_labels: {label!r} is the configured word {word}: leave one of them out")
    kinds, labels, uris = (clips.column(name).to_pylist() for name in ("kind", "label", "uri"))
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for kind, label, uri in zip(kinds, labels, uris, strict=True):
        if kind == "wakeword" and label not in negative:
            counts[label] += 1
            first.setdefault(label, uri)
    own = {word.label for word in config.words}
    found = {label: alike(label, config.words) for label in sorted(counts) if label not in own}
    return {label: Like(word, counts[label], where, first[label]) for label, word in found.items() if word}


def refuse_alike(found: Mapping[str, Like]) -> None:
    """Raise an error that names the findings of `like_words`; only the user can decide whether a label is the word.

    Raises:
        DataError: there are findings.
    """
    if not found:
        return
    named = [
        f"{label} is like the wake word {like.word} ({like.clips} clips of {like.where}, such as {like.uri})"
        for label, like in found.items()
    ]
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    label, like = next(iter(found.items()))
    raise DataError(
        f"the label {'; the label '.join(named[:MOST_NAMED])}{more}: if it is that word, name the folder (or the label "
        f"in its row) {like.word}; if it is another word, whose clips shall be negatives, set data.negative_labels to "
        f"[{label}], or put it into a folder `negative`, or give its rows the kind speech"
    )


def alike(label: str, words: Iterable[WordConfig]) -> str:
    """The configured word that a label is like without being its name, or an empty text.

    Alike are: the same words in another order, or beside words that only name a folder (`hey_nova_samples`,
    `nova_hey_2`); the same letters without or with other spaces, with doubled letters, or in another usual spelling
    (`heynova`, `hey_novva`, `komputer` for `computer`); one letter in `LEAST_LETTERS`, two in `LONG_LETTERS`, that are
    wrong, left out, too many or swapped.
    """
    folded = fold(label)
    for word in words:
        if folded and any(_like(folded, fold(form)) for form in (word.label, word.text)):
            return word.label
    return ""


def _like(label: str, word: str) -> bool:
    if not word or label == word:
        return False
    parts, wanted = Counter(label.split("_")), Counter(word.split("_"))
    beside = parts - wanted
    if not wanted - parts and all(part.isdigit() or len(part) == 1 or _side_word(part) for part in beside):
        return True
    parts -= beside & Counter({part: parts[part] for part in beside if part.isdigit() or _side_word(part)})
    rest = "".join(part for part in label.split("_") if part in parts) or label.replace("_", "")
    first, second = rest, word.replace("_", "")
    if _spelling(first) == _spelling(second) or _spelling(first.rstrip("0123456789")) == _spelling(second):
        return True
    if re.sub(r"\D", "", first) != re.sub(r"\D", "", second):
        # `zone_1` and `zone_2` are two names.
        return False
    longest = max(len(first), len(second))
    allowed = 0 if longest < LEAST_LETTERS else 1 if longest < LONG_LETTERS else 2
    wrong = OSA.distance(first, second)
    # A swap of two letters, not of the first, is one error, also in a short name.
    swapped = longest >= 4 and first[0] == second[0] and Counter(first) == Counter(second)
    return wrong <= allowed or (swapped and wrong == 1)


def _side_word(part: str) -> bool:
    return part in SIDE_WORDS or part.rstrip("0123456789") in SIDE_WORDS


def _spelling(letters: str) -> str:
    for one, other in _SPELLINGS:
        letters = letters.replace(one, other)
    return re.sub(r"(.)\1+", r"\1", letters)
