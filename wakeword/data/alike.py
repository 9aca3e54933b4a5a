"""Labels that may be meant for a configured word: close enough to be the same name, spelled another way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from wakeword.config import Config, WordConfig
from wakeword.config.labels import fold, word_of
from wakeword.errors import ConfigError, DataError

LEAST_LETTERS, LONG_LETTERS = 6, 10
"""From so many letters on one error is a misspelling, from so many on two. In shorter names one letter makes another
word (`tree`, `three`)."""
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
"""Words that name a folder beside what is said in it."""
_SPELLINGS = (
    *(("okay", "ok"), ("ph", "f"), ("ck", "k"), ("qu", "kw"), ("q", "k"), ("x", "ks"), ("c", "k"), ("z", "s")),
    *(("y", "i"), ("ae", "a"), ("oe", "o"), ("ue", "u"), ("oo", "u"), ("ee", "i")),
)
"""Ways to write one sound, among them umlauts (`ä` folds to `a` and is typed as `ae`)."""


@dataclass(frozen=True)
class Like:
    """A label that is like a word: how many clips have it, and one of them."""

    word: str
    clips: int
    where: str
    uri: str


def like_words(clips: pa.Table, config: Config, where: str) -> dict[str, Like]:
    """Labels of a source's clips that are like a configured word and are not said to be anything else.

    Args:
        clips: as the source gives them (`MANIFEST_SCHEMA`): with a label that is no configured word's, clips of kind
            `wakeword` are of another word, or of a misspelled one.
        config: `words` and `data.negative_labels`.
        where: names the source in messages.

    Raises:
        ConfigError: `data.negative_labels` holds a configured word.
    """
    said = {fold(label) for label in config.data.negative_labels}
    for label in config.data.negative_labels:
        if word := word_of(label, config.words):
            raise ConfigError(f"data.negative_labels: {label!r} is the configured word {word}: leave one of them out")
    kinds, labels, uris = (clips.column(name).to_pylist() for name in ("kind", "label", "uri"))
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for kind, label, uri in zip(kinds, labels, uris, strict=True):
        if kind == "wakeword" and label not in said:
            counts[label] += 1
            first.setdefault(label, uri)
    own = {word.label for word in config.words}
    found = {label: alike(label, config.words) for label in sorted(counts) if label not in own}
    return {label: Like(word, counts[label], where, first[label]) for label, word in found.items() if word}


def refuse_alike(found: Mapping[str, Like]) -> None:
    """Raise what `like_words` found.

    Raises:
        DataError: a label is like a configured word: nobody but the user can say whether it is that word.
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
    """The configured word that a label is like without naming it, or an empty text.

    Like are: the same words in another order, or beside words that only name a folder (`hey_nova_samples`,
    `nova_hey_2`); the same letters without or with other spaces, with doubled letters, or in another usual spelling
    (`heynova`, `hey_novva`, `komputer` for `computer`); from `LEAST_LETTERS` letters on one, from `LONG_LETTERS`
    on two letters that are wrong, left out, too many or swapped.
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
    return misspellings(first, second) <= allowed or (longest >= 4 and _swapped(first, second))


def _side_word(part: str) -> bool:
    return part in SIDE_WORDS or part.rstrip("0123456789") in SIDE_WORDS


def _spelling(letters: str) -> str:
    for one, other in _SPELLINGS:
        letters = letters.replace(one, other)
    return re.sub(r"(.)\1+", r"\1", letters)


def _swapped(first: str, second: str) -> bool:
    """Two neighbouring letters, not the first, have changed places."""
    wrong = [i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b]
    if len(first) != len(second) or len(wrong) != 2 or wrong[1] != wrong[0] + 1 or not wrong[0]:
        return False
    return first[wrong[0]] == second[wrong[1]] and first[wrong[1]] == second[wrong[0]]


def misspellings(first: Sequence[str], second: Sequence[str]) -> int:
    """Letters that are wrong, left out, too many or swapped (Damerau 1964, optimal string alignment)."""
    rows = [list(range(len(second) + 1))]
    for i, a in enumerate(first, 1):
        row = [i]
        for j, b in enumerate(second, 1):
            best = min(rows[-1][j] + 1, row[j - 1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == second[j - 2] and b == first[i - 2]:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]
