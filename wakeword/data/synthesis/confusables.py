"""Confusables: texts that sound like a wake word without containing it, by distance in phonemes; half are held out."""

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
from wakeword.phonetics.accents import forms

DISTANCES = (1, 2, 3)
"""Classes of distance in phonemes; the last includes all larger distances."""
MAX_SHARE = 0.75
"""Largest distance relative to the phrase's phonemes, except for parts of the phrase; other texts are plain speech."""
TEXTS_PER_DISTANCE = 80
NEIGHBOURS = 24
"""Number of similar words that replace a word of the phrase."""
DICTIONARY_WORDS = 200
"""Words of the CMU dictionary to consider for the phrase and for each of its words."""
_MERGED = {"ɔ": "ɑ", "ɪ": "ə", "ɚ": "ə", "a": "æ"}
"""Vowels that are one in some accent of English: cot and caught, roses and Rosa's, panda and pander, bath."""
_ENDINGS, _BEGINNINGS = ("", "er", "ing", "al", "ate", "o"), ("", "re", "a", "per", "un")


@dataclass(frozen=True)
class Confusable:
    """A text that sounds like a word.

    Attributes:
        text: the text to speak.
        sounds: its phonemes.
        ipa: espeak's reading with stress; engines that take phonemes use it for invented spellings.
        phoneme_distance: distance to the nearest pronunciation of the word.
        way: origin of the text: part (of the phrase), word, or spelling (invented).
        trains: True for train, False for val and test; no text and no phoneme sequence is in both.
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
    """Confusables of a word, at most `TEXTS_PER_DISTANCE` per class: parts first, then real words, then invented ones.

    A text is left out if one of its pronunciations contains a pronunciation of a configured word (a plural, a longer
    name, another spelling), or if an accent makes it equal to one ("jawvis" and "jarvis" without r), since it would be
    a positive.

    Args:
        word: the word to resemble.
        words: all configured words.
        source: of pronunciations, `espeak` or `cmu`.
        seed: of the choice of texts for train.
        language: of the words.
        pool: sentences whose words and pairs of words are candidates; None for the built-in English ones.
    """
    refused = [target for other in words for target in word_sounds(other, source, language)]
    heard = {form for target in refused for form in _as_heard(target, language)}
    targets = word_sounds(word, source, language)
    if not targets:
        return []  # espeak does not speak the language, so the pronunciation is unknown.
    ways = _candidates(word.text, source, language, sentences() if pool is None else pool)
    texts = sorted(ways)
    found: dict[Phonemes, Confusable] = {}
    for text, variants, ipa in zip(texts, sounds_of(texts, source, language), phonemes(texts, language), strict=True):
        if any(says(text, other.text) for other in words) or not min(map(len, variants)):
            continue
        if any(contains(sounds, target) for sounds in variants for target in refused):
            continue
        if any(form in heard for sounds in variants for form in _as_heard(sounds, language)):
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


def _as_heard(sounds: Phonemes, language: str) -> set[Phonemes]:
    """What accents make of a pronunciation, with one symbol for vowels that English accents merge."""
    english = is_english(language)
    merged = _MERGED if english else {}
    return {tuple(merged.get(sound, sound) for sound in form) for form in forms(sounds, english)}


def serves_training(sounds: Phonemes, seed: int) -> bool:
    """True for train, False for val and test; texts with equal phonemes are on the same side."""
    return draw(f"confusable:{seed}:{' '.join(sounds)}") < 0.5


def _rank(one: Confusable, seed: int) -> tuple[int, float, str]:
    return ("part", "word", "spelling").index(one.way), draw(f"order:{seed}:{one.text}"), one.text


def _candidates(phrase: str, source: str, language: str, pool: Sequence[str]) -> dict[str, str]:
    """Candidate texts and their origin; the first origin counts."""
    words = spoken(phrase)
    found = dict.fromkeys(_parts(words), "part")
    own = dict(zip(words, sounds_of(words, source, language), strict=True))
    known = set(words_of(pool))
    if source == "cmu":
        for sounds in (*own.values(), *sounds_of([phrase], source, language)):
            known.update(dictionary_words(sounds, DICTIONARY_WORDS))
    real = [*sorted(known), *pairs_of(pool)]
    pronunciations = dict(zip(sorted(known), sounds_of(sorted(known), source, language), strict=True))
    for place, word in enumerate(words):
        real += [
            " ".join([*words[:place], near, *words[place + 1 :]]) for near in _neighbours(own[word], pronunciations)
        ]
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
    """Parts of a phrase, each of its words twice, and its words in reverse order; none for a single word."""
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


def _neighbours(sounds: set[Phonemes], known: dict[str, set[Phonemes]]) -> list[str]:
    """The `NEIGHBOURS` words whose pronunciations are nearest to any of some."""

    def distance(other: str) -> tuple[int, str]:
        return min(edit_distance(a, b) for a in known[other] for b in sounds), other

    lengths = {len(a) for a in sounds}
    close = [other for other, variants in known.items() if any(abs(len(b) - n) <= 2 for b in variants for n in lengths)]
    return sorted(close, key=distance)[:NEIGHBOURS]


def _respelled(word: str, alphabet: str, endings: bool) -> Iterator[str]:
    """Invented spellings: a letter changed, added or removed; with `endings`, another beginning or end.

    Hangul syllables are decomposed into letters.
    """
    if any("가" <= letter <= "힣" for letter in word):
        letters = unicodedata.normalize("NFD", word)
        changed = _respelled(letters, alphabet, False)
        composed = (unicodedata.normalize("NFC", one) for one in changed)
        # Skip results with letters outside a syllable.
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
