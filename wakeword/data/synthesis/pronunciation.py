"""Pronunciations in one phoneme inventory, from espeak, from the CMU dictionary, or from IPA of the user."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from heapq import nsmallest
from importlib import import_module
from itertools import islice, product
from pathlib import Path

from rapidfuzz.distance.Levenshtein import distance as edit_distance

from wakeword.config import WordConfig
from wakeword.config.synthesis import ENGLISH
from wakeword.data.synthesis.espeak import phonemes
from wakeword.data.synthesis.languages import base_of, is_english
from wakeword.data.words import spoken
from wakeword.errors import ConfigError

Phonemes = tuple[str, ...]

_MARKS = re.compile(r"[ˈˌːˑ‿.ʲ\s\u0303\u0329\u032f]")
_PAIRS = ("tʃ", "dʒ", "eɪ", "aɪ", "aʊ", "ɔɪ", "oʊ", "əʊ")
"""Diphthongs and affricates: two letters of one phoneme."""
_SAME = {"ɐ": "ə", "ʌ": "ə", "ᵻ": "ɪ", "ɜ": "ɚ", "ɾ": "t", "əʊ": "oʊ", "o": "ɔ", "r": "ɹ", "g": "ɡ", "e": "ɛ", "ɒ": "ɑ"}
"""Sounds that accents, stress and sources of pronunciations use interchangeably."""
_ARPABET_PAIRS = (
    "AA:ɑ AE:æ AH:ə AO:ɔ AW:aʊ AY:aɪ EH:ɛ ER:ɚ EY:eɪ IH:ɪ IY:i OW:oʊ OY:ɔɪ UH:ʊ UW:u "
    "B:b CH:tʃ D:d DH:ð F:f G:ɡ HH:h JH:dʒ K:k L:l M:m N:n NG:ŋ P:p R:ɹ S:s SH:ʃ T:t TH:θ V:v W:w Y:j Z:z ZH:ʒ"
)
_ARPABET = dict(pair.split(":") for pair in _ARPABET_PAIRS.split())
_MOST_VARIANTS = 8
_VOWELS = frozenset("aeiouyæøœɐɑɒɔəɘɚɛɜɝɞɤɨɪɯɵɶʉʊʌʏᵻ")
_NASAL, _SYLLABIC = "\u0303", "\u0329"
_GLIDES = frozenset("ɪʊɐ")
"""Second halves of diphthongs: after another vowel, these unstressed vowels start no syllable."""
_TONAL = {"cmn", "yue", "hak", "vi", "th", "my", "shn"}
"""Languages with tones, one of which espeak writes as a lone ɜ; adjacent vowels are one phoneme there."""
_AFFRICATES = ("tʃ", "dʒ", "ts", "dz", "tɕ", "dʑ", "tʂ", "dʐ", "pf")


def split_ipa(ipa: str, language: str = ENGLISH) -> Phonemes:
    """Split IPA into phonemes without stress, length, tones and pauses; diphthongs and affricates are one phoneme."""
    if not is_english(language):
        return tuple(phoneme for phoneme, _ in _parts(ipa, language))
    found: list[str] = []
    for part in ipa.split():
        plain, at = _MARKS.sub("", part), 0
        while at < len(plain):
            symbol = plain[at : at + 2] if plain[at : at + 2] in _PAIRS else plain[at]
            found.append(_SAME.get(symbol, symbol))
            at += len(symbol)
    return tuple(found)


def _parts(ipa: str, language: str) -> Iterator[tuple[str, bool]]:
    """Phonemes of any language, and whether each is the nucleus of a syllable.

    A phoneme is a letter with its nasal mark, an affricate, or a vowel with an unstressed glide after it.
    """
    tonal = base_of(language) in _TONAL
    ipa = re.sub("(?<=[^\\W\\d_])ɜ", "", ipa) if tonal else ipa
    for word in ipa.split():
        marks = rf"([ˈˌ]*)([^\W\d_](?:[{_NASAL}{_SYLLABIC}])*)"
        letters = [*re.findall(marks, re.sub("[ʲʰʷːˑ\\d]", "", word)), ("", "")]
        at = 0
        while at < len(letters) - 1:
            letter, (stress, after) = letters[at][1], letters[at + 1]
            vowel = letter[0] in _VOWELS
            glide = bool(after) and (after[0] in _VOWELS if tonal else letter + after == "ɔø" or after in _GLIDES)
            tied = not stress and (glide if vowel else letter + after in _AFFRICATES)
            yield (letter + after if tied else letter).replace(_SYLLABIC, ""), vowel or _SYLLABIC in letter
            at += 1 + tied


def syllables_of(ipa: str, language: str = ENGLISH) -> int:
    """Number of syllables: vowels, diphthongs and syllabic consonants."""
    return sum(nucleus for _, nucleus in _parts(ipa, language))


def sounds_of(texts: Sequence[str], source: str = "espeak", language: str = ENGLISH) -> list[set[Phonemes]]:
    """Pronunciations of texts: espeak's, and with `cmu` those of the CMU dictionary where it has all words.

    Raises:
        ImportError: espeakng-loader is not installed.
        ConfigError: `cmu` without pocketsphinx, which contains the dictionary.
    """
    pronunciations = [{split_ipa(ipa, language)} for ipa in phonemes(texts, language)]
    if source == "cmu":
        for text, found in zip(texts, pronunciations, strict=True):
            found.update(_from_dictionary(text))
    return pronunciations


def word_sounds(word: WordConfig, source: str = "espeak", language: str = ENGLISH) -> set[Phonemes]:
    """All pronunciations of a wake word: of its text, its respellings and its phonemes."""
    found = set().union(*sounds_of([word.text, *word.say], source, language))
    if word.phonemes:
        found.add(split_ipa(word.phonemes, language))
    return found - {()}


def contains(sounds: Phonemes, target: Phonemes) -> bool:
    """True if `sounds` contains `target` as a contiguous sequence."""
    span = len(target)
    return any(sounds[i : i + span] == target for i in range(len(sounds) - span + 1))


def dictionary_words(sounds: Iterable[Phonemes], count: int) -> list[str]:
    """The `count` words of the CMU dictionary that are nearest to any of some pronunciations.

    Raises:
        ConfigError: pocketsphinx is not installed.
    """
    targets = sorted(sounds)
    near = [
        (min(edit_distance(variant, target) for target in targets), word)
        for word, variants in dictionary().items()
        for variant in variants[:1]
        # The difference in length is a lower bound of the distance and excludes most words.
        if any(abs(len(variant) - len(target)) <= 2 and set(variant) & set(target) for target in targets)
    ]
    return [word for _, word in nsmallest(count, near)]


def as_arpabet(sounds: Phonemes) -> list[str]:
    """Phonemes in the CMU dictionary's notation; phonemes without a symbol there are left out."""
    names = {symbol: name for name, symbol in _ARPABET.items()}
    return [names[sound] for sound in sounds if sound in names]


def _from_dictionary(text: str) -> Iterator[Phonemes]:
    known = dictionary()
    variants = [known.get(word, []) for word in spoken(text)]
    for chosen in islice(product(*variants), _MOST_VARIANTS) if variants else ():
        yield tuple(phoneme for word in chosen for phoneme in word)


@cache
def dictionary() -> dict[str, list[Phonemes]]:
    """Plain words of the CMU dictionary in the wheel of pocketsphinx, and their pronunciations.

    Raises:
        ConfigError: pocketsphinx is not installed.
    """
    try:
        package = import_module("pocketsphinx")
    except ImportError as error:
        raise ConfigError(
            "synthesis.pronunciations: cmu is the dictionary inside pocketsphinx, which is not installed: run "
            "`pip install 'wakeword[mining]'`, or choose espeak"
        ) from error
    path = Path(package.get_model_path()) / "en-us" / "cmudict-en-us.dict"
    found: dict[str, list[Phonemes]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, *symbols = line.split()
        word = name.partition("(")[0]
        if re.fullmatch(r"[a-z]+(?:'[a-z]+)?", word) and all(symbol in _ARPABET for symbol in symbols):
            found.setdefault(word, []).append(tuple(_ARPABET[symbol] for symbol in symbols))
    return found
