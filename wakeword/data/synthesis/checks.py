"""Checks of synthesised clips, each with its reason code in the quarantine table."""

from __future__ import annotations

import numpy as np

from wakeword.audio.io import level_dbfs
from wakeword.data.quality import CLIPPED
from wakeword.data.synthesis.engine import SpeechError

PHONEME_S = (0.03, 0.2)
"""Allowed mean seconds per phoneme at rate 1; four engines gave 0.058 to 0.19 s for words of at least two phonemes."""
SLACK_S = 0.5
"""Additional seconds: a single vowel lasts a third of a second, and slow voices pause between words."""
MAX_CLIPPED_SHARE = 0.01
"""Engines that normalise to the peak reach full scale in at most 0.03 % of the samples."""
MIN_LEVEL_DBFS = -55.0
"""Lowest level of the engine's loudest second; amplifying quieter output would make its quantisation noise audible."""


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
