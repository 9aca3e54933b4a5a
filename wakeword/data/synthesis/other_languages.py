"""Speech in other languages than that of the phrases, as negatives: what guests, films and radio say near a device.

A detector that hears one language alone fires on words of others that sound like its phrase, and its threshold,
chosen on that language, does not know them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wakeword.config.data import SplitConfig
from wakeword.config.synthesis import SynthesisConfig
from wakeword.data.synthesis.languages import base_of
from wakeword.data.synthesis.roster import Cast, Deal, cast_voices, casts_without, engine_of
from wakeword.data.synthesis.sentences import built_in_languages, sentences
from wakeword.errors import ConfigError, DataError, WakewordError


@dataclass(frozen=True)
class Language:
    """One language of the negatives: the config that speaks it, its voices by split, and its sentences.

    `pool`: None for the built-in sentences of the phrase's language.
    """

    config: SynthesisConfig
    casts: Mapping[str, Cast]
    pool: tuple[str, ...] | None


def other_languages(config: SynthesisConfig, splits: SplitConfig) -> list[Language]:
    """The `other_languages` of a config that its engines speak, without its own; none where their share is 0.

    Raises ConfigError where there are no sentences in one.
    """
    return [found for _, found in _each(config, splits) if isinstance(found, Language)]


def unspoken_languages(config: SynthesisConfig, splits: SplitConfig) -> list[str]:
    """A sentence for each of the `other_languages` that is left out because the engines do not speak it."""
    return [
        f"the negatives are not spoken in {tag}: {found}"
        for tag, found in _each(config, splits)
        if not isinstance(found, Language)
    ]


def _each(config: SynthesisConfig, splits: SplitConfig) -> Iterator[tuple[str, Language | WakewordError]]:
    """Each language, or why its voices cannot be cast."""
    for tag in config.other_languages if config.other_language_share else ():
        if base_of(tag) == base_of(config.language):
            continue
        if not sentences(tag):
            known = ", ".join(built_in_languages())
            raise ConfigError(
                f"synthesis.other_languages: there are no built-in sentences in {tag!r}, only in {known}: name those, "
                "or add recordings of its speech to data.sources"
            )
        own = config.model_copy(update={"language": tag})
        try:
            yield tag, Language(own, cast_voices(own, splits), sentences(tag))
        except (ConfigError, DataError) as error:
            yield tag, error


def fast_alone(language: Language, fast: Sequence[str]) -> Language:
    """A language with the voices of the fast engines alone, or with those of all that are not slow, or with all."""
    return Language(
        language.config,
        {split: _fast(language.config, cast, fast) for split, cast in language.casts.items()},
        language.pool,
    )


def _fast(config: SynthesisConfig, cast: Cast, fast: Sequence[str]) -> Cast:
    slow = [spec for spec in cast.shares if engine_of(config, spec).slow]
    others = [spec for spec in cast.shares if spec not in fast]
    for left_out in (others, slow):
        if len(left_out) < len(cast.shares):
            return casts_without({"": cast}, left_out)[""]
    return cast


class SpeechDeal:
    """The sequence of languages and voices of clips of speech in one split.

    Exactly `other_language_share` of the clips are in other languages, which take turns.

    Args:
        languages: the phrase's own language, then the others; those without voices in the split are left out.
        split: train, val or test.
        purpose: the kind of clip.
    """

    def __init__(self, languages: Sequence[Language], split: str, purpose: str) -> None:
        own, *others = (one for one in languages if one is languages[0] or one.casts[split].shares)
        self._own, self._others = self._dealt(own, split, purpose), []
        for other in others:
            self._others.append(self._dealt(other, split, f"{purpose}:{other.config.language}"))
        self._share = own.config.other_language_share if others else 0.0
        self._number = 0

    @staticmethod
    def _dealt(language: Language, split: str, purpose: str) -> tuple[Language, Deal]:
        return language, Deal(language.config, language.casts[split], split, purpose)

    def next(self) -> tuple[dict[str, object], np.random.Generator, Language]:
        """The next clip as of `Deal.next`, and its language."""
        before, after = (math.floor((self._number + step) * self._share) for step in (0, 1))
        language, deal = self._others[before % len(self._others)] if after > before else self._own
        self._number += 1
        row, chance = deal.next()
        return row, chance, language
