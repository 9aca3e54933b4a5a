"""Texts of other speech: sentences from built-in lists or the user's file, pieces and combinations of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np

from wakeword.config.synthesis import ENGLISH, SynthesisConfig
from wakeword.data.synthesis.languages import base_of, common_code, is_english, without_spaces
from wakeword.data.words import holds, spoken
from wakeword.errors import ConfigError

SHORT_WORDS = 5
"""Largest number of words of a short text; slow engines get short texts only."""
_LISTS = "wakeword.data.synthesis"


@cache
def sentences(language: str = ENGLISH) -> tuple[str, ...]:
    """The built-in sentences of a language (English: more than 300); empty where there are none."""
    name = "sentences.txt" if is_english(language) else f"sentences_{base_of(language)}.txt"
    path = resources.files(_LISTS) / name
    return _lines(path.read_text(encoding="utf-8")) if path.is_file() else ()


def built_in_languages() -> list[str]:
    """Codes of the languages with built-in sentences."""
    names = [path.name for path in resources.files(_LISTS).iterdir()]
    own = [name.removeprefix("sentences_").removesuffix(".txt") for name in names if name.startswith("sentences_")]
    return sorted([ENGLISH, *map(common_code, own)])


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


@cache
def vocabulary() -> tuple[str, ...]:
    """All words of the English list, sorted."""
    return words_of(sentences())


def words_of(pool: Sequence[str]) -> tuple[str, ...]:
    """All words of a list, sorted."""
    return tuple(sorted({word for sentence in pool for word in sentence.lower().split()}))


def pairs_of(pool: Sequence[str]) -> list[str]:
    """Pairs of adjacent words in sentences; none for scripts without spaces."""
    return [" ".join(pair) for sentence in pool for pair in pairwise(spoken(sentence))]


def texts_of(config: SynthesisConfig) -> tuple[str, ...]:
    """The sentences of a config: from its file, else the built-in ones of its language, else the English ones.

    Raises:
        ConfigError: the file cannot be read or is empty.
    """
    if config.sentences:
        return _read(config.sentences)
    return sentences(config.language) or sentences()


def pool_of(config: SynthesisConfig) -> tuple[str, ...] | None:
    """The sentences for `draw_text`: None for the built-in English ones."""
    return None if not config.sentences and is_english(config.language) else texts_of(config)


def own_texts_of(config: SynthesisConfig) -> tuple[str, ...]:
    """As `texts_of`, but empty where only English ones are left for another language."""
    return texts_of(config) if config.sentences or sentences(config.language) else ()


def texts_identity(config: SynthesisConfig) -> str:
    """Hash of the file of sentences; empty for built-in ones."""
    if not config.sentences:
        return ""
    return hashlib.sha256("\n".join(_read(config.sentences)).encode()).hexdigest()[:16]


def texts_warning(config: SynthesisConfig) -> str:
    """A warning if voices of another language would speak English texts; else empty."""
    if own_texts_of(config) or not config.speech_clips:
        return ""
    return (
        f"synthesis.sentences is empty and there are no built-in sentences in {config.language} (only in "
        f"{', '.join(built_in_languages())}): its voices read English ones, which makes poor negatives: "
        "name a text file with one sentence per line"
    )


def _read(path: str) -> tuple[str, ...]:
    try:
        found = _lines(Path(path).expanduser().read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        why = "is no UTF-8 text" if isinstance(error, UnicodeDecodeError) else f"cannot be read ({error.strerror})"
        raise ConfigError(f"synthesis.sentences: {path} {why}: name a text file with one sentence per line") from error
    if not found:
        raise ConfigError(f"synthesis.sentences: {path} is empty: write a sentence a line")
    return found


def says(text: str, phrase: str) -> bool:
    """True if a text contains a phrase: its words in order, or its characters in scripts without spaces."""
    if holds(text, phrase):
        return True
    wanted = "".join(spoken(phrase))
    return bool(wanted) and without_spaces(wanted) and wanted in "".join(spoken(text))


def draw_text(
    draw: np.random.Generator, phrases: Sequence[str], short: bool = False, pool: Sequence[str] | None = None
) -> str:
    """Draw a text without any of the phrases: a sentence (60 %), a piece of one (20 %), or two joined (20 %).

    Pieces and joins vary which words follow each other, so that a model cannot learn the word order of the list.

    Args:
        draw: source of randomness.
        phrases: texts that must not occur in it.
        short: at most `SHORT_WORDS` words.
        pool: sentences; None for the built-in English ones.
    """
    while True:
        text = _candidate(draw, short, sentences() if pool is None else pool, " and " if pool is None else ", ")
        if text and not any(says(text, phrase) for phrase in phrases):
            return text


def require_free(pool: Sequence[str], phrases: Sequence[str], where: str) -> None:
    """Check that at least one sentence contains no phrase.

    Raises:
        ConfigError: every sentence contains a phrase.
    """
    if all(any(says(sentence, phrase) for phrase in phrases) for sentence in pool):
        raise ConfigError(f"synthesis.sentences: every line of {where} holds a wake word: add sentences without it")


def _candidate(draw: np.random.Generator, short: bool, pool: Sequence[str], conjunction: str) -> str:
    sentence = pool[int(draw.integers(len(pool)))]
    words, space = sentence.split(), " "
    if len(words) == 1 and without_spaces(sentence):
        words, space = list(sentence), ""
    shape = draw.random()
    if short:
        length = int(draw.integers(1, SHORT_WORDS + 1))
        start = int(draw.integers(max(1, len(words) - length + 1)))
        return space.join(words[start : start + length])
    if shape < 0.2 and len(words) > 2:
        cut = int(draw.integers(1, len(words)))
        return space.join(words[:cut] if draw.random() < 0.5 else words[cut:])
    if shape < 0.4:
        other = pool[int(draw.integers(len(pool)))]
        return f"{space.join(words)}{', ' if draw.random() < 0.5 else conjunction}{other}"
    return space.join(words)
