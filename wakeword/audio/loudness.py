"""Level and SNR of the speech in a clip, from the levels of its speech frames and its pauses.

Frames of 10 ms, smoothed over three, are speech above a threshold. The threshold is 10 dB over the noise floor (20th
percentile) or 32 dB below the peak, whichever is higher, but at most half-way between floor and peak. A pause is a run
of at least `PAUSE_S` that stays within `NEAR_FLOOR_DB` of the floor and below the threshold. Its ends next to speech
are excluded because the voice decays in them; digital silence is excluded too. The mean power of the speech frames is
S + N, the median power of the pauses is N (the median is robust to clicks), and the SNR is S / N. In loud noise only
the louder part of the speech exceeds the threshold, so low SNRs are about 3 dB too high.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wakeword.audio.vad import ABOVE_FLOOR_DB, BELOW_PEAK_DB, FRAME_S, PADDING_DB

PAUSE_S = 0.15
"""Shorter gaps are the closures of stops."""
NEAR_FLOOR_DB = 6.0
ENDS_S = 0.03
LEAST_PAUSE_S = 0.1
"""With less pause in total, the SNR is None."""
LOWEST_SNR_DB = -20.0


@dataclass(frozen=True)
class SpeechLevels:
    """Levels of the speech in a clip.

    Attributes:
        start_s: start of the first speech frame.
        end_s: end of the last one.
        loudness_db: RMS of the speech frames in dBFS; None without speech.
        snr_db: speech against pauses; None without a pause.
    """

    start_s: float
    end_s: float
    loudness_db: float | None
    snr_db: float | None


def speech_levels(samples: np.ndarray, sample_rate_hz: int) -> SpeechLevels:
    """Measure `samples (n,)` in [-1, 1]; a constant offset is ignored."""
    frame = max(1, round(FRAME_S * sample_rate_hz))
    count = len(samples) // frame
    whole_s = len(samples) / sample_rate_hz
    if count < 3:
        return SpeechLevels(0.0, whole_s, None, None)
    frames = np.asarray(samples, np.float64)[: count * frame].reshape(count, frame)
    # The variance within 10 ms is the power without DC offset and rumble.
    power = frames.var(axis=1) + 1e-12
    levels = 10.0 * np.log10(power)
    audible = levels > PADDING_DB
    if not audible.any():
        return SpeechLevels(0.0, whole_s, None, None)
    # The mean power of three frames suppresses clicks.
    levels = 10.0 * np.log10(np.convolve(power, np.ones(3) / 3.0, mode="same"))
    peak = float(np.sort(levels)[-max(3, len(levels) // 50)])
    floor = float(np.percentile(levels[audible], 20))
    threshold = min(max(floor + ABOVE_FLOOR_DB, peak - BELOW_PEAK_DB), (floor + peak) / 2)
    speech = levels > threshold
    loud = float(power[speech].mean())
    pause = power[_pauses(levels >= min(floor + NEAR_FLOOR_DB, threshold)) & audible]
    snr_db = None
    if len(pause) >= round(LEAST_PAUSE_S / FRAME_S):
        noise = max(float(np.median(pause)), 1e-12)
        snr_db = max(LOWEST_SNR_DB, float(10.0 * np.log10(max(loud - noise, 1e-12) / noise)))
    places = np.flatnonzero(speech)
    return SpeechLevels(
        float(places[0] * FRAME_S), float((places[-1] + 1) * FRAME_S), float(10.0 * np.log10(loud + 1e-12)), snr_db
    )


def _pauses(sound: np.ndarray) -> np.ndarray:
    """`(frames,)` True in the inner part of long enough runs without `sound`."""
    pause = np.zeros(len(sound), bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[1], sound.astype(np.int8), [1]])))
    ends = round(ENDS_S / FRAME_S)
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if end - start >= round(PAUSE_S / FRAME_S):
            pause[start + (ends if start else 0) : end - (ends if end < len(sound) else 0)] = True
    return pause
