"""A clip from cut words: matched levels, short cross-fades, and room tone in the pauses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wakeword.audio.vad import PADDING_DB
from wakeword.config.frontend import SAMPLE_RATE_HZ

MARGIN_S = 0.2
"""Room tone before and after the phrase."""
FADE_S = 0.01
"""Length of a cross-fade, half on either side of a border."""
TONE_FRAME = 512
QUIET_SHARE = 0.1
"""Share of the quietest frames, which count as pauses."""
NO_PAUSE_DBFS = -75.0
"""Level of the noise where a recording has only digital silence between words."""
MOST_MATCHED_DB = 6.0
"""Largest gain that matches levels: shouting and whispering differ at any level."""
PEAK = 0.98
_WINDOW = np.sin(np.pi * (np.arange(TONE_FRAME) + 0.5) / TONE_FRAME)


def room_tone(audio: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """Noise with the spectrum and the level of the quietest frames of `audio (n,)`: `(samples,)` float32."""
    spectrum = np.full(TONE_FRAME // 2 + 1, TONE_FRAME * 10 ** (NO_PAUSE_DBFS / 10))
    whole = len(audio) // TONE_FRAME
    if whole:
        frames = audio[: whole * TONE_FRAME].astype(np.float64).reshape(whole, TONE_FRAME)
        power = (frames**2).mean(axis=1)
        sound = np.flatnonzero(10 * np.log10(power + 1e-12) > PADDING_DB)
        quiet = sound[np.argsort(power[sound], kind="stable")[: max(1, round(QUIET_SHARE * len(sound)))]]
        if len(quiet):
            # The window halves the power.
            own = 2 * np.mean(np.abs(np.fft.rfft(frames[quiet] * _WINDOW)) ** 2, axis=0)
            # The floor limits tones where the quietest frames are speech.
            spectrum = np.maximum(own, spectrum * 1e-2)
    count = samples // (TONE_FRAME // 2) + 2
    white = np.random.default_rng(seed).standard_normal((count, TONE_FRAME)) / np.sqrt(TONE_FRAME)
    shaped = np.fft.irfft(np.fft.rfft(white) * np.sqrt(spectrum), TONE_FRAME)
    # Overlap-add by half a frame: independent noises keep their power under sine windows.
    first, second = np.split(_WINDOW * shaped, 2, axis=1)
    return (second[:-1] + first[1:]).ravel()[:samples].astype(np.float32)


def matched_gains(levels_db: Sequence[float]) -> list[float] | None:
    """Gains (factors) that bring words to their median level, None where one needs more than `MOST_MATCHED_DB`."""
    wanted = float(np.median(levels_db))
    if any(abs(level - wanted) > MOST_MATCHED_DB for level in levels_db):
        return None
    return [float(10 ** ((wanted - level) / 20)) for level in levels_db]


def join_parts(
    parts: Sequence[tuple[np.ndarray, float, float]], gains: Sequence[float], gaps_s: Sequence[float], seed: int
) -> np.ndarray:
    """Words on room tone: `(samples,)` float32, with `MARGIN_S` of room tone at both ends.

    Args:
        parts: recording `(samples,)` float32 at 16 kHz, start and end in seconds of each word or phrase.
        gains: factor of each.
        gaps_s: pauses between them, one less.
        seed: of the room tone, which is that of the noisiest part.
    """
    rate, margin, half = SAMPLE_RATE_HZ, round(MARGIN_S * SAMPLE_RATE_HZ), round(FADE_S * SAMPLE_RATE_HZ / 2)
    bounds = [(round(start_s * rate), min(round(end_s * rate), len(audio))) for audio, start_s, end_s in parts]
    gaps = [round(gap_s * rate) for gap_s in gaps_s] + [0]
    length = 2 * margin + sum(end - start for start, end in bounds) + sum(gaps)
    tones = [
        gain * room_tone(audio, length, seed + number)
        for number, ((audio, _, _), gain) in enumerate(zip(parts, gains, strict=True))
    ]
    out = max(tones, key=lambda tone: float(np.mean(tone.astype(np.float64) ** 2))).astype(np.float64)
    at = margin
    for (audio, _, _), gain, (start, end), gap in zip(parts, gains, bounds, gaps, strict=True):
        left, right = min(half, start), min(half, len(audio) - end)
        piece = gain * audio[start - left : end + right].astype(np.float64)
        weight = np.ones(len(piece))
        rise = min(left + half, len(piece) // 2)
        fall = min(right + half, len(piece) // 2)
        weight[:rise] = (np.arange(rise) + 0.5) / max(1, rise)
        weight[len(piece) - fall :] = 1 - (np.arange(fall) + 0.5) / max(1, fall)
        place = slice(at - left, at - left + len(piece))
        out[place] = (1 - weight) * out[place] + weight * piece
        at += end - start + gap
    peak = float(np.abs(out).max())
    return (out * min(1.0, PEAK / peak)).astype(np.float32)
