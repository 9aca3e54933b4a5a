"""What is measured of every clip with a voice when it is prepared: pitch, loudness, signal-to-noise ratio.

They sort clips for reports and evaluation; of the three only the SNR can refuse one (`data.quality.min_snr_db`).
Values are rounded, so that they do not depend on the last bits of a machine's arithmetic.
"""

from __future__ import annotations

import numpy as np

from wakeword.audio.loudness import speech_levels
from wakeword.audio.pitch import median_pitch_hz
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.data.manifest import VOICED

PITCH_HEARD_S = 3.0
"""So much of the speech is enough for a median, and pitch is the dearest of the three."""
_HALF_BAND = np.array([1.0, 3.0, 3.0, 1.0]) / 8.0
"""Pitch lies below 2 kHz, and half the rate takes half the time: what would fold onto that band (6 to 8 kHz) is 25 dB
down at least."""
MEASURED = ("pitch_hz", "loudness_db", "snr_db")


def measure(audio: np.ndarray, kind: str) -> dict[str, float | None]:
    """Columns `pitch_hz`, `loudness_db` and `snr_db` of `audio (samples,)` float32 at 16 kHz.

    All are None for kinds without a voice; see `wakeword.audio.pitch` and `wakeword.audio.loudness` for the methods.
    Pitch is that of `PITCH_HEARD_S` seconds from where the speech begins.
    """
    if kind not in VOICED:
        return dict.fromkeys(MEASURED)
    levels = speech_levels(audio, SAMPLE_RATE_HZ)
    start = round(levels.start_s * SAMPLE_RATE_HZ)
    end = round(min(levels.end_s, levels.start_s + PITCH_HEARD_S) * SAMPLE_RATE_HZ)
    pitch_hz = median_pitch_hz(np.convolve(audio[start:end], _HALF_BAND, "valid")[::2], SAMPLE_RATE_HZ // 2)
    return {
        "pitch_hz": None if pitch_hz is None else round(pitch_hz, 1),
        "loudness_db": None if levels.loudness_db is None else round(levels.loudness_db, 2),
        "snr_db": None if levels.snr_db is None else round(levels.snr_db, 2),
    }
