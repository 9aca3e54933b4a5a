"""Everyday speech that is not the phrase: built-in lists or a file of the user's, pieces of sentences, combinations."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np

from wakeword.config.synthesis import ENGLISH, SynthesisConfig
from wakeword.data.synthesis.languages import base_of, is_english, shown, without_spaces
from wakeword.data.words import holds, spoken
from wakeword.errors import ConfigError

SHORT_WORDS = 5
"""Texts of at most this many words count as short: slow engines speak these."""
_LISTS = "wakeword.data.synthesis"


@cache
def sentences(language: str = ENGLISH) -> tuple[str, ...]:
    """The built-in list of a language (of English more than 300 sentences and phrases); empty where there is none."""
    name = "sentences.txt" if is_english(language) else f"sentences_{base_of(language)}.txt"
    path = resources.files(_LISTS) / name
    return _lines(path.read_text(encoding="utf-8")) if path.is_file() else ()


def built_in_languages() -> list[str]:
    """Codes of the languages with a built-in list."""
    names = [path.name for path in resources.files(_LISTS).iterdir()]
    own = [name.removeprefix("sentences_").removesuffix(".txt") for name in names if name.startswith("sentences_")]
    return sorted([ENGLISH, *map(shown, own)])


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
    """Neighbouring words of a list's sentences, as texts of two words; of scripts without spaces none."""
    return [" ".join(pair) for sentence in pool for pair in pairwise(spoken(sentence))]


def texts_of(config: SynthesisConfig) -> tuple[str, ...]:
    """The sentences that a config speaks: its file's, or the built-in ones of its language, or English ones.

    Raises:
        ConfigError: the file cannot be read or has no line.
    """
    if config.sentences:
        return _read(config.sentences)
    return sentences(config.language) or sentences()


def own_texts_of(config: SynthesisConfig) -> tuple[str, ...]:
    """As `texts_of`, but none where they are of another language."""
    return texts_of(config) if config.sentences or sentences(config.language) else ()


def texts_identity(config: SynthesisConfig) -> str:
    """Names what the file of sentences holds; empty for the built-in ones."""
    if not config.sentences:
        return ""
    return hashlib.sha256("\n".join(_read(config.sentences)).encode()).hexdigest()[:16]


def texts_warning(config: SynthesisConfig) -> str:
    """A sentence where voices of another language speak English texts; else empty."""
    if own_texts_of(config) or not config.speech_clips:
        return ""
    return (
        f"synthesis.sentences is empty and there are no built-in sentences in {config.language} (only in "
        f"{', '.join(built_in_languages())}): its voices read English ones as other speech, which is poor training: "
        "name a text file with a sentence a line"
    )


def _read(path: str) -> tuple[str, ...]:
    try:
        found = _lines(Path(path).expanduser().read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        why = "is no UTF-8 text" if isinstance(error, UnicodeDecodeError) else f"cannot be read ({error.strerror})"
        raise ConfigError(f"synthesis.sentences: {path} {why}: name a text file with a sentence a line") from error
    if not found:
        raise ConfigError(f"synthesis.sentences: {path} is empty: write a sentence a line")
    return found


def says(text: str, phrase: str) -> bool:
    """True if a text holds a phrase: its words in order, or its characters where a script leaves no spaces."""
    if holds(text, phrase):
        return True
    wanted = "".join(spoken(phrase))
    return bool(wanted) and without_spaces(wanted) and wanted in "".join(spoken(text))


def draw_text(
    draw: np.random.Generator, phrases: Sequence[str], short: bool = False, pool: Sequence[str] | None = None
) -> str:
    """A text without any of the phrases: a sentence (60 %), a piece of one (20 %), or two of them joined (20 %).

    Pieces and joins put words next to each other that the list does not, so that what follows what teaches nothing.

    Args:
        draw: decides.
        phrases: what must not be in it.
        short: of at most `SHORT_WORDS` words.
        pool: sentences; None takes the built-in English ones.
    """
    while True:
        text = _candidate(draw, short, sentences() if pool is None else pool, " and " if pool is None else ", ")
        if text and not any(says(text, phrase) for phrase in phrases):
            return text


def require_free(pool: Sequence[str], phrases: Sequence[str], where: str) -> None:
    """Refuse a list of which no sentence can be spoken.

    Raises:
        ConfigError: every sentence holds a phrase.
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
