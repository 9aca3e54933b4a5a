"""Checks of a clip; a clip that fails one is quarantined with its reason code."""

from __future__ import annotations

import math

import numpy as np

from wakeword.audio.io import AudioError, level_dbfs
from wakeword.config.data import QualityConfig
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.data.manifest import PLACED, VOICED

CLIPPED = 0.999
"""Samples at or above this magnitude count as clipped."""

DURATION_SLACK_S = 0.1
"""Encoders add padding, and manifests round."""


def check_clip(audio: np.ndarray, kind: str, config: QualityConfig, where: str) -> float:
    """Return the level of the loudest second in dBFS.

    Args:
        audio: `(samples,)` float32 at 16 kHz.
        kind: voices are checked for level and clipping, wake words, confusables and hard negatives also for length;
            noise and music for silence, length and offset; room impulse responses for silence alone.

    Raises:
        AudioError: with reason `silent`, `too_short`, `too_long`, `dc_offset`, `too_quiet` or `clipped`.
    """
    duration_s = len(audio) / SAMPLE_RATE_HZ
    level = level_dbfs(audio)
    if math.isinf(level):
        raise AudioError("silent", where, "digital silence from start to end")
    if kind == "rir":
        return level
    if duration_s < config.min_clip_s:
        raise AudioError("too_short", where, f"{duration_s:.2f} s, at least {config.min_clip_s:g} s are needed")
    if kind in PLACED and duration_s > config.max_clip_s:
        raise AudioError("too_long", where, f"{duration_s:.2f} s, at most {config.max_clip_s:g} s for a {kind}")
    offset = float(np.mean(audio, dtype=np.float64))
    if abs(offset) > config.max_dc_offset:
        detail = (
            f"the mean is {offset:+.3f} of full scale, at most {config.max_dc_offset:g} is allowed: remove the offset"
        )
        raise AudioError("dc_offset", where, detail)
    if kind in VOICED and level < config.min_level_dbfs:
        raise AudioError("too_quiet", where, f"{level:.1f} dBFS, at least {config.min_level_dbfs:g} dBFS are needed")
    clipped = float((np.abs(audio) >= CLIPPED).mean())
    if kind in VOICED and clipped > config.max_clipped_share:
        raise AudioError("clipped", where, f"{clipped:.1%} of the samples are at full scale")
    return level


def check_snr(snr_db: float | None, config: QualityConfig, where: str) -> None:
    """Refuse a voice with a low SNR; None (a clip without a pause to measure in) passes.

    Raises:
        AudioError: with reason `low_snr`.
    """
    if config.min_snr_db is not None and snr_db is not None and snr_db < config.min_snr_db:
        detail = f"speech stands {snr_db:.1f} dB above the pauses, at least {config.min_snr_db:g} dB are needed"
        raise AudioError("low_snr", where, detail)


def check_duration(decoded_s: float, listed_s: float | None, config: QualityConfig, where: str) -> None:
    """Refuse a clip whose duration is not that of its manifest; None (not listed) passes.

    Raises:
        AudioError: with reason `duration_differs`.
    """
    if listed_s is None or abs(decoded_s - listed_s) <= max(DURATION_SLACK_S, config.max_duration_error * listed_s):
        return
    lasts = f"lasts {decoded_s:.2f} s by its header's sample rate, {listed_s:.2f} s by its manifest"
    raise AudioError("duration_differs", where, f"{lasts}: one of the two is wrong")
