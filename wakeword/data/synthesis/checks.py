"""What makes a spoken clip unfit, each with the reason code of the quarantine table."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from wakeword.audio.io import level_dbfs, to_int16
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.data.quality import CLIPPED
from wakeword.data.synthesis.engine import SpeechError
from wakeword.data.synthesis.pronunciation import Phonemes, dictionary, edit_distance
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


def check_words(audio: np.ndarray, sounds: str, least: float) -> None:
    """Check that a recogniser hears the phonemes of a phrase, near enough.

    Args:
        audio: `(samples,)` float32 at 16 kHz, the phrase and silence.
        sounds: phonemes, parted by spaces.
        least: agreement from which on the clip is kept.

    Raises:
        SpeechError: reason `wrong_words`.
        MissingExtraError: pocketsphinx is not installed.
    """
    heard, agreed = agreement(audio, tuple(sounds.split()))
    if agreed < least:
        raise SpeechError(
            f"a recogniser heard {heard!r}, which agrees with {sounds} by {agreed:.2f}: {least:g} is needed",
            "wrong_words",
        )


def agreement(audio: np.ndarray, sounds: Phonemes) -> tuple[str, float]:
    """Words that pocketsphinx hears, and 1 - (phonemes between them and `sounds`) / (phonemes of `sounds`), at least 0.

    Raises:
        MissingExtraError: pocketsphinx is not installed.
    """
    decoder = _recogniser()
    padded = np.pad(audio, round(PADDING_S * SAMPLE_RATE_HZ))
    decoder.start_utt()
    decoder.process_raw(to_int16(padded).tobytes(), full_utt=True)
    decoder.end_utt()
    words = [re.sub(r"\(\d+\)$", "", part.word) for part in decoder.seg() or () if part.word[0] not in "<["]
    known = dictionary()
    heard = [phoneme for word in words for phoneme in known.get(word, [()])[0]]
    return " ".join(words), max(0.0, 1 - edit_distance(heard, sounds) / max(1, len(sounds)))


@cache
def _recogniser() -> Any:
    try:
        package = import_module("pocketsphinx")
    except ImportError as error:
        raise MissingExtraError("synthesis.check_words", "mining", error) from error
    return package.Decoder(lm=f"{package.get_model_path()}/en-us/en-us.lm.bin", loglevel="FATAL")
