"""Checks of synthesised clips, each with its reason code in the quarantine table."""

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
"""Allowed mean seconds per phoneme at rate 1; four engines gave 0.058 to 0.19 s for words of at least two phonemes."""
SLACK_S = 0.5
"""Additional seconds: a single vowel lasts a third of a second, and slow voices pause between words."""
MAX_CLIPPED_SHARE = 0.01
"""Engines that normalise to the peak reach full scale in at most 0.03 % of the samples."""
MIN_LEVEL_DBFS = -55.0
"""Lowest level of the engine's loudest second; amplifying quieter output would make its quantisation noise audible."""
PADDING_S = 0.25
"""Silence around the phrase, which the recogniser needs."""
NOISE_DBFS = -55.0
OTHERS = 20
"""Number of other texts that the recogniser compares the phrase with."""


def check_sound(audio: np.ndarray) -> None:
    """Check an engine's output, `(samples,)` at 16 kHz, before its level is changed.

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
    """Check that the length of speech fits its phonemes.

    Args:
        spoken_s: length of the speech.
        rate: requested speaking rate, times normal.
        sounds: phonemes, separated by spaces; empty where they are unknown, which passes.

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
    """Check that a recogniser prefers the phrase to `OTHERS` texts of its length.

    Free recognition does not work for names and single words: with its language model pocketsphinx recognised a tenth
    of the phonemes that espeak spoke. A choice among given pronunciations needs no language model.

    Args:
        audio: `(samples,)` float32 at 16 kHz, the phrase and silence.
        sounds: its phonemes, separated by spaces; empty where they are unknown, which passes.

    Raises:
        SpeechError: reason `wrong_words`.
        MissingExtraError: pocketsphinx is not installed.
    """
    if not sounds:
        return
    texts, decoder = _chooser(sounds)
    padded = np.pad(audio, round(PADDING_S * SAMPLE_RATE_HZ))
    # The recogniser fails on digital silence; with noise it recognises nearly twice as many words.
    noise = np.random.default_rng(0).normal(0, 10 ** (NOISE_DBFS / 20), len(padded))
    decoder.start_utt()
    decoder.process_raw(to_int16(padded + noise).tobytes(), full_utt=True)
    decoder.end_utt()
    best = decoder.hyp()
    if best is None or best.hypstr != texts[0]:
        instead = texts[int(best.hypstr[1:])] if best is not None and best.hypstr else "nothing"
        raise SpeechError(f"a recogniser found {instead!r} rather than {sounds}", "wrong_words")


@cache
def _chooser(sounds: str) -> tuple[list[str], Any]:
    """The phrase's name and the other texts, and a decoder with a grammar that chooses among them."""
    try:
        package = import_module("pocketsphinx")
    except ImportError as error:
        raise MissingExtraError("synthesis.check_words", "mining", error) from error
    others = _others(tuple(sounds.split()))
    decoder = package.Decoder(lm=None, loglevel="FATAL")
    spoken = [tuple(sounds.split()), *others.values()]
    for number, phonemes in enumerate(spoken):
        # Rebuild the dictionary once, with the last word.
        decoder.add_word(f"w{number}", " ".join(as_arpabet(phonemes)), number == len(spoken) - 1)
    names = " | ".join(f"w{number}" for number in range(len(spoken)))
    decoder.add_jsgf_string("choice", f"#JSGF V1.0; grammar choice; public <one> = {names};")
    decoder.activate_search("choice")
    return ["w0", *others], decoder


def _others(sounds: Phonemes) -> dict[str, Phonemes]:
    """Texts of CMU dictionary words, about as long as the phrase and at least half of its phonemes away."""
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
