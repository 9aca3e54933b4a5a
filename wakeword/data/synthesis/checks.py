"""What makes a spoken clip unfit, each with the reason code of the quarantine table."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from rapidfuzz.distance.Levenshtein import distance as edit_distance

from wakeword.audio.io import level_dbfs, to_int16
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.data.quality import CLIPPED
from wakeword.data.splits import draw
from wakeword.data.synthesis.engine import SpeechError
from wakeword.data.synthesis.pronunciation import Phonemes, as_arpabet, dictionary
from wakeword.errors import MissingExtraError

PHONEME_S = (0.03, 0.2)
"""Shortest and longest mean length of a phoneme at rate 1; four engines gave 0.058 to 0.19 s for words of two phonemes
and more."""
SLACK_S = 0.5
"""Beside that: a lone vowel lasts a third of a second, slow voices pause between words."""
MAX_CLIPPED_SHARE = 0.01
"""Engines that scale to the peak reach full scale in 0.03 % of the samples at most."""
MIN_LEVEL_DBFS = -55.0
"""Loudest second as the engine gave it: below, turning it up brings up its rounding noise."""
PADDING_S = 0.25
"""The recogniser wants to hear a beginning and an end."""
NOISE_DBFS = -55.0
OTHERS = 20
"""Texts that a phrase must be told from."""


def check_sound(audio: np.ndarray) -> None:
    """Check what an engine gave, `(samples,)` at 16 kHz, before its level is changed.

    Raises:
        SpeechError: reason `clipped` or `too_quiet`.
    """
    clipped = float((np.abs(audio) >= CLIPPED).mean()) if len(audio) else 0.0
    if clipped > MAX_CLIPPED_SHARE:
        raise SpeechError(f"the engine's sound is clipped: {clipped:.1%} of the samples are at full scale", "clipped")
    level = level_dbfs(audio)
    if np.isfinite(level) and level < MIN_LEVEL_DBFS:
        raise SpeechError(f"the engine spoke at {level:.0f} dBFS: at least {MIN_LEVEL_DBFS:g} is needed", "too_quiet")


def check_length(spoken_s: float, rate: float, sounds: str) -> None:
    """Check that speech can be what it shall be.

    Args:
        spoken_s: from its beginning to its end.
        rate: asked of the engine, times normal.
        sounds: phonemes, parted by spaces; empty where nobody knows them.

    Raises:
        SpeechError: reason `wrong_length`.
    """
    count = len(sounds.split())
    low, high = PHONEME_S[0] * count / rate, (PHONEME_S[1] * count + SLACK_S) / rate
    if count and not low <= spoken_s <= high:
        raise SpeechError(
            f"{spoken_s:.2f} s cannot be {count} phonemes at the rate {rate:.2f}: {low:.2f} to {high:.2f} s can",
            "wrong_length",
        )


def check_words(audio: np.ndarray, sounds: str) -> None:
    """Check that a recogniser hears a phrase rather than any of `OTHERS` texts of its length.

    A recogniser of free speech is no judge of names and lone words: pocketsphinx's language model heard a tenth of the
    phonemes of what espeak said rightly. A choice among sounds needs no language model.

    Args:
        audio: `(samples,)` float32 at 16 kHz, the phrase and silence.
        sounds: its phonemes, parted by spaces; empty where nobody knows them, which passes.

    Raises:
        SpeechError: reason `wrong_words`.
        MissingExtraError: pocketsphinx is not installed.
    """
    if not sounds:
        return
    texts, decoder = _chooser(sounds)
    padded = np.pad(audio, round(PADDING_S * SAMPLE_RATE_HZ))
    # Digital silence, which no microphone gives, throws the recogniser off: noise nearly doubles what it hears.
    noise = np.random.default_rng(0).normal(0, 10 ** (NOISE_DBFS / 20), len(padded))
    decoder.start_utt()
    decoder.process_raw(to_int16(padded + noise).tobytes(), full_utt=True)
    decoder.end_utt()
    heard = decoder.hyp()
    if heard is None or heard.hypstr != texts[0]:
        instead = texts[int(heard.hypstr[1:])] if heard is not None and heard.hypstr else "nothing"
        raise SpeechError(f"a recogniser heard {instead!r} rather than {sounds}", "wrong_words")


@cache
def _chooser(sounds: str) -> tuple[list[str], Any]:
    """The name of the phrase and the others' texts, and a decoder with a grammar of their names."""
    try:
        package = import_module("pocketsphinx")
    except ImportError as error:
        raise MissingExtraError("synthesis.check_words", "mining", error) from error
    others = _others(tuple(sounds.split()))
    decoder = package.Decoder(lm=None, loglevel="FATAL")
    spoken = [tuple(sounds.split()), *others.values()]
    for number, phonemes in enumerate(spoken):
        # The dictionary is built anew with the last word: once, not a word at a time.
        decoder.add_word(f"w{number}", " ".join(as_arpabet(phonemes)), number == len(spoken) - 1)
    names = " | ".join(f"w{number}" for number in range(len(spoken)))
    decoder.add_jsgf_string("choice", f"#JSGF V1.0; grammar choice; public <one> = {names};")
    decoder.activate_search("choice")
    return ["w0", *others], decoder


def _others(sounds: Phonemes) -> dict[str, Phonemes]:
    """Texts of words from the CMU dictionary, as long as the phrase and at least half of its phonemes away."""
    known = dictionary()
    found: dict[str, Phonemes] = {}
    words: list[str] = []
    for word in sorted(known, key=lambda word: draw(f"other:{word}")):
        words.append(word)
        phonemes = tuple(phoneme for one in words for phoneme in known[one][0])
        if len(phonemes) < len(sounds) - 1:
            continue
        if len(phonemes) <= len(sounds) + 2 and 2 * edit_distance(phonemes, sounds) >= len(sounds):
            found[" ".join(words)] = phonemes
        words = []
        if len(found) == OTHERS:
            break
    return found
