"""Synthetic noises for data sets with no or too few recorded noises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from wakeword.config.frontend import SAMPLE_RATE_HZ
from wakeword.errors import DataError

LEVEL_DBFS = (-40.0, -20.0)
FLAT_BELOW_HZ = 20.0
"""Without this limit, brown noise would have most of its power at the lowest frequencies."""
TALKER_DB = (-10.0, 0.0)
"""Range of the levels of the talkers in babble."""


def coloured_gain(frequency: Any, slope: Any, flat_below: float = FLAT_BELOW_HZ) -> Any:
    """Gain that gives white noise a power of f ** -slope (0 white, 1 pink, 2 brown), flat at low frequencies, no DC.

    Args:
        frequency: numpy array or torch tensor, in Hz or in DFT bins.
        slope: number, or tensor `(batch, 1)`.
        flat_below: in the unit of `frequency`.
    """
    return frequency.clip(min=flat_below) ** (-slope / 2) * (frequency > 0)


USUAL_KINDS = ("white", "pink", "brown", "hum", "band", "babble")


def synthesise_noises(
    count: int, seed: int, duration_s: float, speech: Sequence[np.ndarray] = (), kinds: Sequence[str] = USUAL_KINDS
) -> list[np.ndarray]:
    """Make noises of several kinds in turn: `white`, `pink`, `brown`, `hum`, `band` noise, `tones` and `babble`.

    Noise `i` depends only on `seed`, `i`, the duration and the speech.

    Args:
        speech: float32 clips at 16 kHz from which babble is mixed; without them there is none.
        kinds: the kinds and their order.

    Returns:
        `count` float32 arrays of `duration_s` at 16 kHz, RMS -40 to -20 dBFS, below full scale.

    Raises:
        DataError: the duration is shorter than a tenth of a second, or no kind is left.
        KeyError: a kind is unknown.
    """
    samples = round(duration_s * SAMPLE_RATE_HZ)
    if samples < SAMPLE_RATE_HZ // 10:
        raise DataError(f"a noise of {duration_s} s is too short: set 0.1 s or more")
    voices = [clip for clip in speech if len(clip) and float(np.abs(clip).max()) > 1e-4]
    makers: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
        **{name: partial(coloured, slope) for slope, name in enumerate(("white", "pink", "brown"))},
        "hum": hum,
        "band": band_noise,
        "tones": tones,
        "babble": partial(babble, voices),
    }
    chosen = [makers[kind] for kind in kinds if voices or kind != "babble"]
    if not chosen:
        raise DataError("noises of the kind babble need speech to be mixed from")
    result = []
    for number in range(count):
        draw = np.random.default_rng((seed, number))
        noise = chosen[number % len(chosen)](samples, draw)
        result.append(_levelled(noise, draw))
    return result


def _levelled(noise: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    level = 10 ** (draw.uniform(*LEVEL_DBFS) / 20)
    noise = noise * level / max(float(np.sqrt(np.mean(noise**2))), 1e-9)
    return (noise / max(1.0, float(np.abs(noise).max()) / 0.99)).astype(np.float32)


def coloured(slope: float, samples: int, draw: np.random.Generator) -> np.ndarray:
    """Noise whose power falls as f ** -slope above 20 Hz: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(draw.standard_normal(samples))
    frequency = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ)
    return np.fft.irfft(spectrum * coloured_gain(frequency, slope), samples)


def hum(samples: int, draw: np.random.Generator) -> np.ndarray:
    """Mains hum: 20 harmonics of 50 or 60 Hz with falling levels, and pink noise at a quarter of their amplitude."""
    base_hz = draw.choice((50.0, 60.0)) * draw.uniform(0.998, 1.002)
    time_s = np.arange(samples) / SAMPLE_RATE_HZ
    tone = np.zeros(samples)
    for harmonic in range(1, 21):
        level = draw.uniform(0.2, 1.0) / harmonic
        tone += level * np.sin(2 * np.pi * (base_hz * harmonic * time_s + draw.uniform()))
    pink = coloured(1.0, samples, draw)
    return tone + 0.25 * np.std(tone) / max(float(np.std(pink)), 1e-12) * pink


def band_noise(samples: int, draw: np.random.Generator) -> np.ndarray:
    """Noise of 0.5 to 3 octaves between 80 Hz and 7 kHz with a slowly changing level (fans, water)."""
    low_hz = float(np.exp(draw.uniform(np.log(80.0), np.log(4000.0))))
    high_hz = min(7000.0, low_hz * 2 ** draw.uniform(0.5, 3.0))
    spectrum = np.fft.rfft(draw.standard_normal(samples))
    frequency = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ)
    spectrum *= (frequency >= low_hz) & (frequency <= high_hz)
    time_s = np.arange(samples) / SAMPLE_RATE_HZ
    swell = 1.0 + draw.uniform(0.0, 0.8) * np.sin(2 * np.pi * (draw.uniform(0.1, 2.0) * time_s + draw.uniform()))
    return np.fft.irfft(spectrum, samples) * swell


SCALE_SEMITONES = (0, 2, 4, 7, 9)
"""The pentatonic scale: any of its notes sound together."""


def tones(samples: int, draw: np.random.Generator) -> np.ndarray:
    """Music-like tones: two to four voices of a pentatonic scale, each a timbre of six harmonics, in one rhythm.

    Notes last 0.15 to 0.9 s, fade, and a third of them rest; a soft noise beats time.
    """
    beat = int(SAMPLE_RATE_HZ * draw.uniform(0.15, 0.45))
    base_hz = float(np.exp(draw.uniform(np.log(80.0), np.log(330.0))))
    mix = np.zeros(samples)
    for _ in range(int(draw.integers(2, 5))):
        octave = float(2 ** draw.integers(0, 3))
        timbre = draw.uniform(0, 1, 6) / np.arange(1, 7) ** draw.uniform(0.5, 2.0)
        decay_s, start = draw.uniform(0.1, 0.8), 0
        while start < samples:
            length = min(beat * int(draw.integers(1, 3)), samples - start)
            if draw.random() > 1 / 3:
                note_hz = base_hz * octave * 2 ** (SCALE_SEMITONES[int(draw.integers(5))] / 12)
                time_s = np.arange(length) / SAMPLE_RATE_HZ
                envelope = np.minimum(1, time_s / 0.01) * np.exp(-time_s / decay_s)
                sound = sum(
                    level * np.sin(2 * np.pi * note_hz * harmonic * time_s)
                    for harmonic, level in enumerate(timbre, 1)
                    if note_hz * harmonic < SAMPLE_RATE_HZ / 2
                )
                mix[start : start + length] += envelope * sound
            start += length
    ticks = np.zeros(samples)
    ticks[:: 2 * beat] = 1.0
    drum = draw.standard_normal(1600) * np.exp(-np.arange(1600) / 240)
    return mix + draw.uniform(0.0, 0.4) * np.convolve(ticks, drum)[:samples]


def babble(speech: Sequence[np.ndarray], samples: int, draw: np.random.Generator) -> np.ndarray:
    """Four to eight talkers at once, each a loop of random clips at a random level (at most 10 dB apart)."""
    mix = np.zeros(samples)
    for _ in range(int(draw.integers(4, 9))):
        line = np.zeros(0)
        while len(line) < samples:
            clip = np.asarray(speech[int(draw.integers(len(speech)))], dtype=np.float64)
            line = np.concatenate([line, clip / np.sqrt(np.mean(clip**2))])
        start = int(draw.integers(len(line)))
        mix += np.roll(line, -start)[:samples] * 10 ** (draw.uniform(*TALKER_DB) / 20)
    return mix
