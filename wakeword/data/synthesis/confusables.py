"""Texts that sound like a wake word without holding it, by phonemes that lie between; half of them never train."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz.distance.Levenshtein import distance as edit_distance

from wakeword.config import WordConfig
from wakeword.config.synthesis import ENGLISH
from wakeword.data.splits import draw
from wakeword.data.synthesis.espeak import phonemes
from wakeword.data.synthesis.languages import alphabet_of, is_english
from wakeword.data.synthesis.pronunciation import (
    Phonemes,
    contains,
    dictionary_words,
    sounds_of,
    split_ipa,
    word_sounds,
)
from wakeword.data.synthesis.sentences import pairs_of, says, sentences, words_of
from wakeword.data.words import spoken

DISTANCES = (1, 2, 3)
"""Classes of distance in phonemes; the last stands for itself and more."""
MAX_SHARE = 0.75
"""Texts of which more of the phrase's phonemes differ are plain speech, parts of the phrase excepted."""
TEXTS_PER_DISTANCE = 80
NEIGHBOURS = 24
"""Words near to one word of the phrase that take its place."""
DICTIONARY_WORDS = 200
"""Words of the CMU dictionary looked at for the phrase and for each of its words."""
_ENDINGS, _BEGINNINGS = ("", "er", "ing", "al", "ate", "o"), ("", "re", "a", "per", "un")


@dataclass(frozen=True)
class Confusable:
    """A text near to a word.

    Attributes:
        text: what is spoken.
        sounds: its phonemes.
        ipa: what espeak reads, with stress: an engine that takes phonemes speaks an invented spelling by it.
        distance: phonemes between it and the nearest pronunciation of the word.
        way: part, word, or spelling (invented).
        trains: True for training, False for val and test: no text, and no sequence of phonemes, is in both.
    """

    text: str
    sounds: Phonemes
    ipa: str
    phoneme_distance: int
    way: str
    trains: bool

    @property
    def near(self) -> int:
        """Its class of distance, one of `DISTANCES`."""
        return min(self.phoneme_distance, DISTANCES[-1])


def confusables(
    word: WordConfig,
    words: Sequence[WordConfig],
    source: str,
    seed: int,
    language: str = ENGLISH,
    pool: Sequence[str] | None = None,
) -> list[Confusable]:
    """Confusables of a word, at most `TEXTS_PER_DISTANCE` a class; parts first, then real words, then invented ones.

    A text is left out where any of its pronunciations holds any pronunciation of a configured word (a plural, a longer
    name, another spelling): it is a positive.

    Args:
        word: the word to be near to.
        words: all configured words.
        source: of pronunciations, `espeak` or `cmu`.
        seed: decides which texts train.
        language: of the words.
        pool: sentences in it, whose words and pairs of words are candidates; None takes the built-in English ones.
    """
    refused = [target for other in words for target in word_sounds(other, source, language)]
    targets = word_sounds(word, source, language)
    if not targets:
        return []  # Nobody knows how it sounds: a language that espeak does not speak.
    ways = _candidates(word.text, source, language, sentences() if pool is None else pool)
    texts = sorted(ways)
    found: dict[Phonemes, Confusable] = {}
    for text, variants, ipa in zip(texts, sounds_of(texts, source, language), phonemes(texts, language), strict=True):
        if any(says(text, other.text) for other in words) or not min(map(len, variants)):
            continue
        if any(contains(sounds, target) for sounds in variants for target in refused):
            continue
        distance, longest = min((edit_distance(s, target), len(target)) for s in variants for target in targets)
        if ways[text] != "part" and distance > max(DISTANCES[1], MAX_SHARE * longest):
            continue
        sounds = split_ipa(ipa, language)
        made = Confusable(text, sounds, ipa, distance, ways[text], serves_training(sounds, seed))
        if sounds not in found or _rank(made, seed) < _rank(found[sounds], seed):
            found[sounds] = made
    ordered = sorted(found.values(), key=lambda one: _rank(one, seed))
    return [one for near in DISTANCES for one in [c for c in ordered if c.near == near][:TEXTS_PER_DISTANCE]]


def serves_training(sounds: Phonemes, seed: int) -> bool:
    """True for training, False for val and test; what sounds the same falls on the same side."""
    return draw(f"confusable:{seed}:{' '.join(sounds)}") < 0.5


def _rank(one: Confusable, seed: int) -> tuple[int, float, str]:
    return ("part", "word", "spelling").index(one.way), draw(f"order:{seed}:{one.text}"), one.text


def _candidates(phrase: str, source: str, language: str, pool: Sequence[str]) -> dict[str, str]:
    """Text to the way it was found; the first way counts."""
    words = spoken(phrase)
    found = dict.fromkeys(_parts(words), "part")
    own = dict(zip(words, sounds_of(words, source, language), strict=True))
    known = set(words_of(pool))
    if source == "cmu":
        for sounds in (*own.values(), *sounds_of([phrase], source, language)):
            known.update(dictionary_words(sounds, DICTIONARY_WORDS))
    real = [*sorted(known), *pairs_of(pool)]
    heard = dict(zip(sorted(known), sounds_of(sorted(known), source, language), strict=True))
    for place, word in enumerate(words):
        real += [" ".join([*words[:place], near, *words[place + 1 :]]) for near in _neighbours(own[word], heard)]
    alphabet = alphabet_of(language, phrase)
    invented = [
        " ".join([*words[:place], changed, *words[place + 1 :]])
        for place, word in enumerate(words)
        for changed in _respelled(word, alphabet, is_english(language))
    ]
    for way, texts in (("word", real), ("spelling", invented)):
        for text in texts:
            found.setdefault(text, way)
    return found


def _parts(words: Sequence[str]) -> Iterator[str]:
    """Parts of a phrase, a word of it twice, and its words in the other order; of a single word there are none."""
    count = len(words)
    if count < 2:
        return
    for start in range(count):
        for end in range(start + 1, count + 1):
            if end - start < count:
                yield " ".join(words[start:end])
    for word in words:
        yield f"{word} {word}"
    yield " ".join(reversed(words))


def _neighbours(sounds: set[Phonemes], heard: dict[str, set[Phonemes]]) -> list[str]:
    def distance(other: str) -> tuple[int, str]:
        return min(edit_distance(a, b) for a in heard[other] for b in sounds), other

    lengths = {len(a) for a in sounds}
    close = [other for other, variants in heard.items() if any(abs(len(b) - n) <= 2 for b in variants for n in lengths)]
    return sorted(close, key=distance)[:NEIGHBOURS]


def _respelled(word: str, alphabet: str, endings: bool) -> Iterator[str]:
    """Other spellings: a letter changed, added or left out; its beginning or its end with another end or beginning.

    A Hangul syllable is taken for the letters that it is made of.
    """
    if any("가" <= letter <= "힣" for letter in word):
        letters = unicodedata.normalize("NFD", word)
        changed = _respelled(letters, alphabet, False)
        composed = (unicodedata.normalize("NFC", one) for one in changed)
        # What is left of lone letters is no syllable.
        yield from (one for one in composed if not any("\u1100" <= letter <= "\u11ff" for letter in one))
        return
    for at in range(len(word)):
        yield word[:at] + word[at + 1 :]
        for letter in alphabet:
            yield word[:at] + letter + word[at + 1 :]
            yield word[:at] + letter + word[at:]
    for cut in range(2, len(word) if endings else 0):
        yield from (word[:cut] + ending for ending in _ENDINGS)
        yield from (beginning + word[cut - 1 :] for beginning in _BEGINNINGS)
