"""How high a voice is: the median fundamental frequency of a clip's voiced part; numpy only.

After P. Boersma 1993 ("Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
sampled sound", IFA Proceedings 17): a frame's autocorrelation over that of its window has its highest peak at the
period, and the peak's height tells how periodic the frame is. Instead of his path search there are two passes, after
C. De Looze and D. Hirst 2008 ("Detecting changes in key and range for the automatic modelling and coding of
intonation", Speech Prosody): the second looks between 0.75 times the first quartile and 1.5 times the third of the
first one's pitches, which takes away octave errors of single frames. Only `BAND_HZ` is looked at (our choice), which
keeps hiss and rumble out. Of 70 real clips librosa.pyin's median lies within 5 % for four in five; in most of the rest
it is the one that is an octave low or has the wrong sex, and it costs thirty times as much (180 against 6 ms a second).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wakeword.errors import DataError

LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
"""Voices of men reach down to 70 Hz or so, those of small children up to 450."""
BAND_HZ = (50.0, 2000.0)
"""A voice's strongest harmonics lie here; the rest is mostly noise."""
WINDOW_S = 3 / LOWEST_HZ
"""Three periods of the lowest voice, as Boersma has it."""
HOP_S = 0.01
LEAST_STRENGTH = 0.6
"""Less periodic frames are unvoiced. Praat's 0.45 is for clean speech and takes some noise for voice."""
BELOW_LOUDEST_DB = 25.0
"""Quieter frames are left out: hum of mains and reverberation are periodic as well."""
OCTAVE_COST = 0.02
"""A lag of twice the length must be better by this much: the double period of any voice correlates as well as it."""
LEAST_VOICED_S = 0.05
"""With less there is no telling; creaks and clicks pass for voice that long."""
LEAST_RATE_HZ = 4000
FINE_RATE_HZ = 16000
"""Lags are told apart this finely, also at lower sample rates: between two coarse lags a peak loses its height."""
MOST_FRAMES = 6000
"""Of longer recordings (a minute) frames are taken evenly: a median needs no more."""
_CHUNK = 1024
_SILENT = 1e-12

Floats = NDArray[np.float64]


def median_pitch_hz(samples: np.ndarray, sample_rate_hz: int) -> float | None:
    """Median fundamental frequency of the voiced part of `samples (n,)` in Hz; None where (nearly) nothing is voiced.

    The level does not matter. Where several people speak it is the median over what is voiced of them all.

    Raises:
        DataError: samples that are not one row of finite numbers, or fewer than 4,000 of them a second.
    """
    audio = np.asarray(samples, dtype=np.float64)
    if audio.ndim != 1 or not np.all(np.isfinite(audio)):
        raise DataError(f"pitch needs one row of finite samples, got shape {audio.shape}: mix to mono, drop NaN")
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
    """`(frames, lags)` correlation at lags from 0 on, 1 at lag 0, and `(frames,)` power in the band.

    There are `finer` lags to a sample: a spectrum with zeros above it is the same sound at a higher rate.
    """
    reach = int(rate_hz / LOWEST_HZ) + 2
    points, lags = 1 << (window + reach - 1).bit_length(), finer * reach
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
    """`(frames,)` pitch in Hz between the bounds, NaN where a frame is not periodic enough."""
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
    # A parabola through the peak and its neighbours: the period need not be a whole number of samples.
    bend = left - 2 * height + right
    shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1.0), 0.0)
    pitch = rate_hz / (first + best + shift)
    return np.where(is_peak[row, best] & (height >= LEAST_STRENGTH), pitch, np.nan)
