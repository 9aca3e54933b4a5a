"""What makes a clip unfit, each with the reason code of the quarantine table."""

from __future__ import annotations

import math

import numpy as np

from wakeword.audio.io import AudioError, level_dbfs
from wakeword.config.data import QualityConfig
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.data.manifest import VOICED

CLIPPED = 0.999
"""Samples at or above this magnitude count as clipped."""


def check_clip(audio: np.ndarray, kind: str, config: QualityConfig, where: str) -> float:
    """Return the level of the loudest second in dBFS.

    Args:
        audio: `(samples,)` float32 at 16 kHz.
        kind: voices are checked for level and clipping, wake words and confusables for length too;
            of noise, music and room responses only that there is something in them.

    Raises:
        AudioError: with reason `silent`, `too_short`, `too_long`, `too_quiet` or `clipped`.
    """
    duration_s = len(audio) / SAMPLE_RATE_HZ
    level = level_dbfs(audio)
    if math.isinf(level):
        raise AudioError("silent", where, "digital silence from start to end")
    if kind == "rir":
        return level
    if duration_s < config.min_clip_s:
        raise AudioError("too_short", where, f"{duration_s:.2f} s, at least {config.min_clip_s:g} s are needed")
    if kind in ("wakeword", "confusable") and duration_s > config.max_clip_s:
        raise AudioError("too_long", where, f"{duration_s:.2f} s, at most {config.max_clip_s:g} s for a {kind}")
    if kind in VOICED and level < config.min_level_dbfs:
        raise AudioError("too_quiet", where, f"{level:.1f} dBFS, at least {config.min_level_dbfs:g} dBFS are needed")
    clipped = float((np.abs(audio) >= CLIPPED).mean())
    if kind in VOICED and clipped > config.max_clipped_share:
        raise AudioError("clipped", where, f"{clipped:.1%} of the samples are at full scale")
    return level
