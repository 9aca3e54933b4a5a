"""How near two sounds of the International Phonetic Alphabet are, from the place and manner of their articulation.

A sound is a point whose coordinates are in steps of the IPA chart: a consonant's place, voice and manner, a vowel's
height, backness and rounding. The distance of two sounds is the sum of the differences (city block).
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

Point = dict[str, float]

_PLACES = 11
_MANNERS: dict[str, Point] = {
    "plosive": {},
    "affricate": {"open": 0.5, "hiss": 1.0},
    "fricative": {"open": 1.0},
    "sibilant": {"open": 1.0, "hiss": 1.0},
    "approximant": {"open": 1.5, "sonorant": 2.0},
    "lateral": {"open": 1.5, "sonorant": 2.0, "lateral": 1.0},
    "tap": {"open": 0.5, "sonorant": 1.5, "trill": 0.5},
    "trill": {"open": 0.5, "sonorant": 1.5, "trill": 1.0},
    "nasal": {"sonorant": 2.0, "nasal": 1.5},
    "click": {"click": 4.0},
}
# Voiceless and voiced sounds of each place, from the lips to the glottis; a dot where the chart has none.
_CHART = {
    "plosive": "p b|. .|. .|t d|. .|ʈ ɖ|c ɟ|k ɡ|q ɢ|. .|ʔ .",
    "fricative": "ɸ β|f v|θ ð|. .|. .|. .|ç ʝ|x ɣ|χ .|ħ ʕ|h ɦ",
    "sibilant": ". .|. .|. .|s z|ʃ ʒ|ʂ ʐ|. .|. .|. .|. .|. .",
    "affricate": ". .|pf .|. .|ts dz|tʃ dʒ|tʂ dʐ|. .|. .|. .|. .|. .",
    "approximant": ". .|. ʋ|. .|. ɹ|. .|. ɻ|. j|. ɰ|. .|. .|. .",
    "lateral": ". .|. .|. .|. l|. .|. ɭ|. ʎ|. ʟ|. .|. .|. .",
    "tap": ". .|. ⱱ|. .|. ɾ|. .|. ɽ|. .|. .|. .|. .|. .",
    "trill": ". ʙ|. .|. .|. r|. .|. .|. .|. .|. ʀ|. .|. .",
    "nasal": ". m|. ɱ|. .|. n|. .|. ɳ|. ɲ|. ŋ|. ɴ|. .|. .",
    "click": "ʘ .|. .|ǀ .|ǃ .|. .|. .|ǂ .|. .|. .|. .|. .",
}
_OTHERS: dict[str, Point] = {
    "ɕ": {"place": 5.5, **_MANNERS["sibilant"]},
    "ʑ": {"place": 5.5, "voice": 1.0, **_MANNERS["sibilant"]},
    "tɕ": {"place": 5.5, **_MANNERS["affricate"]},
    "dʑ": {"place": 5.5, "voice": 1.0, **_MANNERS["affricate"]},
    "ʁ": {"place": 8.0, "voice": 1.0, "open": 1.0, "sonorant": 0.5},
    "ɬ": {"place": 3.0, "lateral": 1.0, **_MANNERS["fricative"]},
    "ɮ": {"place": 3.0, "voice": 1.0, "lateral": 1.0, **_MANNERS["fricative"]},
    "ɫ": {"place": 3.0, "voice": 1.0, "dark": 0.3, **_MANNERS["lateral"]},
    "w": {"place": 4.0, "voice": 1.0, "round": 2.0, **_MANNERS["approximant"]},
    "ʍ": {"place": 4.0, "round": 2.0, **_MANNERS["approximant"]},
    "ɥ": {"place": 6.0, "voice": 1.0, "round": 1.0, **_MANNERS["approximant"]},
    "ɓ": {"place": 0.0, "voice": 1.0, "inward": 0.5},
    "ɗ": {"place": 3.0, "voice": 1.0, "inward": 0.5},
    "ɠ": {"place": 7.0, "voice": 1.0, "inward": 0.5},
}
# Height from close (0) to open (6), front to back (0 to 4) in half steps; unrounded and rounded vowels.
_VOWELS = {
    0: "i y|. .|ɨ ʉ|. .|ɯ u",
    1: ". .|ɪ ʏ|ᵻ .|. ʊ|. .",
    2: "e ø|. .|ɘ ɵ|. .|ɤ o",
    3: ". .|. .|ə .|. .|. .",
    4: "ɛ œ|. .|ɜ ɞ|. .|ʌ ɔ",
    5: "æ .|. .|ɐ .|. .|. .",
    6: "a ɶ|. .|. .|. .|ɑ ɒ",
}
_SPELLINGS = {"g": "ɡ", "ʧ": "tʃ", "ʤ": "dʒ", "ɝ": "ɚ", "ʦ": "ts", "ʣ": "dz", "ʨ": "tɕ", "ʥ": "dʑ", "ᵊ": "ə"}
_TIES = re.compile("[\u0361\u035c\u200d‿]")
_FINE = re.compile(
    "[ʰʱʲʷˠˤˀː͈ˑ˞\u031a\u0325\u032a\u032c\u0339\u031c\u031f\u0320\u031d\u031e\u0329\u0330\u032f\u033a\u033b]"
)
_NASAL = "\u0303"
FAR = 99.0
_PLACE_WEIGHT, _VOWEL_WEIGHT = 0.6, 0.5
_GLIDES = {frozenset("ji"): 1.0, frozenset("jɪ"): 1.5, frozenset("wu"): 1.0, frozenset("wʊ"): 1.5, frozenset("ɥy"): 1.0}


@cache
def point_of(sound: str) -> Point | None:
    """Coordinates of a sound; None for what is no sound, such as a tone or a word boundary.

    A mark of fine detail (aspiration, length, dental) counts a little, a nasal vowel one step; a diphthong is the mean
    of its two vowels, and `glide` keeps it apart from a single vowel in between.
    """
    plain = unicodedata.normalize("NFD", _TIES.sub("", sound))
    fine = len(_FINE.findall(plain))
    plain = _FINE.sub("", plain)
    nasal = plain.count(_NASAL)
    plain = unicodedata.normalize("NFC", plain.replace(_NASAL, ""))
    found = _points().get(_SPELLINGS.get(plain, plain))
    if found is None and len(plain) == 2:
        found = _diphthong(*(_points().get(letter) for letter in plain))
    if found is None:
        return None
    return {**found, "fine": 0.3 * fine, "nasal": found.get("nasal", 0.0) + nasal}


def _diphthong(first: Point | None, second: Point | None) -> Point | None:
    if first is None or second is None or not (first.get("vowel") and second.get("vowel")):
        return None
    mean = {name: (2 * first.get(name, 0.0) + second.get(name, 0.0)) / 3 for name in {*first, *second}}
    glide = {"glide front": second["back"] - first["back"], "glide close": second["height"] - first["height"]}
    return {**mean, **glide}


@cache
def _points() -> dict[str, Point]:
    points = {sound: {"consonant": 6.0, **_placed(point)} for sound, point in _OTHERS.items()}
    for manner, row in _CHART.items():
        places = row.split("|")
        assert len(places) == _PLACES
        for place, pair in enumerate(places):
            for voice, sound in enumerate(pair.split()):
                point = {"place": float(place), "voice": float(voice), **_MANNERS[manner]}
                points[sound] = {"consonant": 6.0, **_placed(point)}
    for height, row in _VOWELS.items():
        for back, pair in enumerate(row.split("|")):
            for rounded, sound in enumerate(pair.split()):
                point = {"height": _VOWEL_WEIGHT * height, "back": _VOWEL_WEIGHT * back, "round": 0.5 * rounded}
                points[sound] = {"vowel": 6.0, **point}
    del points["."]
    points["ɚ"] = {**points["ə"], "rhotic": 1.5}
    return points


def _placed(point: Point) -> Point:
    return {**point, "place": _PLACE_WEIGHT * point["place"]}


@cache
def distance(first: str, second: str) -> float:
    """Distance of two sounds in steps of the chart: 0 for two spellings of one sound, `FAR` where one is no sound."""
    if first == second:
        return 0.0
    one, other = point_of(first), point_of(second)
    if one is None or other is None:
        return FAR
    glide = _GLIDES.get(frozenset({first, second}))
    return glide or sum(abs(one.get(name, 0.0) - other.get(name, 0.0)) for name in {*one, *other})
