"""Measures of every clip with a voice: pitch, loudness, signal-to-noise ratio.

Reports and evaluation group clips by them; only the SNR can refuse a clip (`data.quality.min_snr_db`). Values are
rounded, so that they do not depend on the last bits of a machine's arithmetic.
"""

from __future__ import annotations

import numpy as np

from wakeword.audio.loudness import speech_levels
from wakeword.audio.pitch import median_pitch_hz
from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.data.manifest import VOICED

PITCH_MEASURED_S = 3.0
"""Seconds of the speech that the median pitch is computed of; pitch takes the most time of the three."""
_HALF_BAND = np.array([1.0, 3.0, 3.0, 1.0]) / 8.0
"""Low-pass filter before pitch is measured at half the rate: aliases (6 to 8 kHz) are attenuated by 25 dB or more."""
MEASURED = ("pitch_hz", "loudness_db", "snr_db")


def measure(audio: np.ndarray, kind: str) -> dict[str, float | None]:
    """Columns `pitch_hz`, `loudness_db` and `snr_db` of `audio (samples,)` float32 at 16 kHz.

    All are None for kinds without a voice. Pitch is that of the first `PITCH_MEASURED_S` seconds of the speech.
    """
    if kind not in VOICED:
        return dict.fromkeys(MEASURED)
    levels = speech_levels(audio, SAMPLE_RATE_HZ)
    start = round(levels.start_s * SAMPLE_RATE_HZ)
    end = round(min(levels.end_s, levels.start_s + PITCH_MEASURED_S) * SAMPLE_RATE_HZ)
    pitch_hz = median_pitch_hz(np.convolve(audio[start:end], _HALF_BAND, "valid")[::2], SAMPLE_RATE_HZ // 2)
    return {
        "pitch_hz": None if pitch_hz is None else round(pitch_hz, 1),
        "loudness_db": None if levels.loudness_db is None else round(levels.loudness_db, 2),
        "snr_db": None if levels.snr_db is None else round(levels.snr_db, 2),
    }
