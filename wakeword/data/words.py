"""Assignment of clips: wake words, negatives, and clips that hold a word without being one."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa

from wakeword.config import WordConfig
from wakeword.config.labels import fold, word_of
from wakeword.data.manifest import Row, quarantine_row, set_column
from wakeword.errors import ConfigError

_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")
"""Letters of scripts that write no spaces between words: Thai, Lao, Burmese, Khmer, Kana, Han."""


def spoken(text: str) -> tuple[str, ...]:
    """Words of a text or label as they are compared: lower case, letters, digits and apostrophes only."""
    return tuple(re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace("\u2019", "'")))


def holds(text: str, phrase: str) -> bool:
    """True if the words of `phrase` follow one another in `text`, compared as labels are (`fold`)."""
    wanted, folded = fold(phrase), fold(text)
    if _UNSPACED.search(wanted):
        return wanted.replace("_", "") in folded.replace("_", "")
    return bool(wanted) and f"_{wanted}_" in f"_{folded}_"


def with_named_words(table: pa.Table, words: Sequence[WordConfig]) -> pa.Table:
    """Labels in the form of `fold`; those that name a configured word, by label or phrase, become its label."""
    given = table.column("label").to_pylist()
    named = {label: word_of(label, words) or fold(label) for label in set(given)}
    return set_column(table, "label", [named[label] for label in given])


def check_phrases(words: Sequence[WordConfig]) -> None:
    """Refuse phrases without letters.

    Raises:
        ConfigError: a phrase without letters.
    """
    for word in words:
        if not any(character.isalpha() for character in word.text):
            raise ConfigError(
                f"words: the phrase {word.text!r} of {word.label} has no letters: write it out as it is spoken"
            )


def assign_words(table: pa.Table, words: Sequence[WordConfig]) -> tuple[pa.Table, list[Row]]:
    """Keep configured labels as wake words, turn other labels into negatives, leave out clips that hold a word.

    A wake word with a label that is not configured becomes `speech` and keeps its label. A clip is left out with the
    reason `contains_word` when its `contains`, label or text names a configured word (`hey_computer` for `computer`):
    it is neither a positive nor a negative.

    Returns:
        the table with `kind` and `contains` set, and the rows left out.
    """
    labels = {word.label for word in words}
    kinds, contains, keep, left_out = [], [], [], []
    columns = ("kind", "label", "text", "contains", "uri", "source")
    for kind, label, text, given, uri, source in zip(
        *(table.column(name).to_pylist() for name in columns), strict=True
    ):
        own = kind == "wakeword" and label in labels
        held = "" if own or kind in ("noise", "music", "rir") else _held(words, label, text, given)
        kinds.append("speech" if kind == "wakeword" and not own else kind)
        contains.append(held)
        keep.append(not held)
        if held:
            detail = f"holds {held!r} without being a clip of it"
            left_out.append(quarantine_row(uri, source, "words", "contains_word", detail))
    table = set_column(set_column(table, "kind", kinds), "contains", contains)
    return table.filter(pa.array(keep, pa.bool_())), left_out


def _held(words: Sequence[WordConfig], label: str, text: str, given: str) -> str:
    named = {fold(part) for part in re.split(r"[\s,;|]+", given)}
    for word in words:
        if fold(word.label) in named or holds(given, word.text) or holds(label, word.text) or holds(text, word.text):
            return word.label
    return ""
