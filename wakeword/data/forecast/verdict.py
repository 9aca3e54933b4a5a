"""One word for a phrase, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wakeword.config import WordConfig
from wakeword.data.forecast.running_speech import nearest_stretches, resemblance, running_speech
from wakeword.data.forecast.sound_alikes import SoundAlike
from wakeword.data.synthesis.languages import is_english
from wakeword.data.synthesis.pronunciation import Phonemes, word_sounds
from wakeword.data.words import spoken

Word = Literal["unusual", "usable", "risky"]

RESEMBLES = (2.0, 2.5)
"""Resemblance up to which a phrase is unusual, and up to which it is usable (docs/howto/try_phrase.md)."""
PER_HOUR = (10.0, 30.0)
"""The same for stretches an hour that sound like it by ear, without a trained detector."""
LEAST_HOURS = 0.2
"""Hours of audio from which the ear has a say."""
FEW, MANY = 5, 20
"""Phonemes below which much speech sounds like a phrase, and above which people break it up."""
MOST_WORDS = 5
CLOSE = 0.12
"""Distance per phoneme below which a sound-alike is told in the advice."""
REFERENCES = (
    *(("really", 2.63), ("water", 2.94), ("alexa", 2.37), ("jarvis", 2.26), ("hey nova", 2.18), ("computer", 1.48)),
    *(("hey siri", 1.80), ("okay google", 1.15), ("hey computer", 0.59)),
)
"""Resemblance of well-known phrases, in English."""


@dataclass(frozen=True)
class Verdict:
    """`word`, why, and advice, one sentence each."""

    word: Word
    reason: str
    advice: tuple[str, ...]


def graded(value: float, limits: tuple[float, float]) -> Word:
    """The word of a value: lower is better."""
    return "unusual" if value <= limits[0] else "usable" if value <= limits[1] else "risky"


def verdict_on(
    words: Sequence[str],
    sounds: set[Phonemes],
    resemblance: float | None,
    per_hour: float | None = None,
    hours: float = 0.0,
    alikes: Sequence[SoundAlike] = (),
    holding: int = 0,
) -> Verdict:
    """The verdict on a phrase: the worse of the text and, with enough audio, the ear.

    Args:
        words: of the phrase.
        sounds: its pronunciations.
        resemblance: as `forecast.resemblance`; None where there is no running speech of the language.
        per_hour: as `ByEar.per_hour`; None without audio.
        hours: of the audio.
        alikes: the texts that sound most like it.
        holding: sentences or recordings in which the phrase itself is said.
    """
    fewest = min((len(one) for one in sounds), default=0)
    found: list[tuple[Word, str]] = []
    if holding:
        found.append(("risky", "it is said in ordinary speech"))
    if fewest < FEW:
        found.append(("risky", f"it has {fewest} phoneme{'' if fewest == 1 else 's'}"))
    if resemblance is not None:
        found.append((graded(resemblance, RESEMBLES), "by its sounds against running speech"))
    if per_hour is not None and hours >= LEAST_HOURS:
        found.append((graded(per_hour, PER_HOUR), f"by ear on {hours:.1f} h"))
    order: tuple[Word, ...] = ("unusual", "usable", "risky")
    word, reason = max(found, key=lambda one: order.index(one[0]), default=("usable", "only its length is known"))
    return Verdict(word, reason, tuple(_advice(word, words, fewest, alikes, holding)))


def _advice(word: Word, words: Sequence[str], fewest: int, alikes: Sequence[SoundAlike], holding: int) -> list[str]:
    found = []
    if holding:
        found.append("choose words that are not said together in ordinary speech, or put a name before them")
    if fewest < FEW:
        found.append("take a longer phrase: three or more syllables, such as two words")
    elif word != "unusual" and len(words) == 1:
        found.append("put a word before it, such as hey or okay")
    elif word != "unusual":
        found.append("take longer words, or rarer sounds and clusters (ch, j, x, oy, kw)")
    if fewest > MANY or len(words) > MOST_WORDS:
        found.append("take a shorter phrase: people pause within long ones, and a detector hears about two seconds")
    close = [one.text for one in alikes if one.share <= CLOSE][:3]
    if close and word != "unusual":
        found.append(f"it will also answer to {', '.join(repr(text) for text in close)}")
    return found


def compared(resemblance: float, phrase: str) -> str:
    """Another, well-known phrase that running speech resembles about as much."""
    others = [one for one in REFERENCES if one[0] != phrase.lower()]
    return min(others, key=lambda one: abs(one[1] - resemblance))[0]


def text_forecast(word: WordConfig, language: str) -> str:
    """The verdict of the text alone, in a line.

    Raises:
        ImportError: espeakng-loader is not installed.
    """
    sounds = word_sounds(word, "espeak", language)
    value = resemblance(sounds, language)
    verdict = verdict_on(spoken(word.text), sounds, value)
    parts = [f"forecast: {verdict.word}, {verdict.reason}"]
    if value is not None and is_english(language):
        parts.append(f"running speech resembles it about as much as {compared(value, word.text)!r}")
    if nearest := nearest_stretches(sounds, running_speech(language), 1):
        parts.append(f"the nearest in ordinary sentences is {nearest[0].text!r}")
    return "; ".join([*parts, *verdict.advice[:1]])
