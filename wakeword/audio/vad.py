"""Find the start and end of the one spoken word of a clip by energy."""

from __future__ import annotations

import numpy as np

from wakeword.errors import DataError

FRAME_S = 0.01
BRIDGE_S = 0.25
"""Shorter pauses are inside a phrase (stops, gaps between words)."""
SHORTEST_S = 0.08
"""Shorter sounds are clicks."""
ABOVE_FLOOR_DB = 10.0
BELOW_PEAK_DB = 32.0
EDGE_DB = 6.0
LEAST_PROMINENCE_DB = 8.0
PADDING_DB = -92.0
"""Frames below this level are zero padding and are not used to measure noise."""


def frame_levels_db(audio: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Level `(frames,)` in dBFS of each 10 ms frame after pre-emphasis, at least -100."""
    frame = max(1, round(FRAME_S * sample_rate_hz))
    # y[n] = x[n] - 0.97 x[n-1] removes DC and rumble and raises fricatives.
    audio = np.asarray(audio, dtype=np.float64)
    emphasised = audio.copy()
    emphasised[1:] -= 0.97 * audio[:-1]
    emphasised[:1] = 0.0
    count = len(emphasised) // frame
    power = np.mean(emphasised[: count * frame].reshape(count, frame) ** 2, axis=1)
    return 10.0 * np.log10(power + 1e-10)


def word_bounds(audio: np.ndarray, sample_rate_hz: int) -> tuple[float, float]:
    """Start and end in seconds of the one word or phrase of a clip.

    The threshold is 10 dB above the noise floor (20th percentile of the frame levels without padding) or 32 dB below
    the peak, whichever is higher, but at least 8 dB below the peak. Runs above it are joined across short pauses and
    short runs are dropped. The word is the run with the largest sum of decibels above the threshold, extended at both
    ends to where the level is near the floor.

    Raises:
        DataError: the clip is shorter than 0.1 s or silent.
    """
    levels = frame_levels_db(audio, sample_rate_hz)
    if len(levels) < 10:
        raise DataError(f"a clip of {len(audio) / sample_rate_hz:.3f} s is too short to find a word: 0.1 s is needed")
    # The mean power of three frames suppresses clicks.
    levels = 10.0 * np.log10(np.convolve(10.0 ** (levels / 10.0), np.ones(3) / 3.0, mode="same"))
    peak = float(np.sort(levels)[-max(3, len(levels) // 50)])
    if peak < -75.0:
        raise DataError(f"the clip is silent (loudest frames at {peak:.0f} dBFS): it holds no word")
    floor = float(np.percentile(levels[levels > PADDING_DB], 20))
    threshold = min(max(floor + ABOVE_FLOOR_DB, peak - BELOW_PEAK_DB), peak - LEAST_PROMINENCE_DB)
    runs = _runs(levels > threshold, round(BRIDGE_S / FRAME_S))
    loud_s = [float((levels[start:end] > threshold).sum()) * FRAME_S for start, end in runs]
    runs = [run for run, long_s in zip(runs, loud_s, strict=True) if long_s >= SHORTEST_S] or runs
    start, end = max(runs, key=lambda run: float(np.maximum(levels[run[0] : run[1]] - threshold, 0.0).sum()))
    edge = min(floor + EDGE_DB, threshold)
    start, end = _spread(levels, start, end, edge)
    return start * FRAME_S, min(end * FRAME_S, len(audio) / sample_rate_hz)


def _runs(above: np.ndarray, bridge: int) -> list[tuple[int, int]]:
    """Half-open runs of True, joined across fewer than `bridge` frames of False."""
    step = np.flatnonzero(np.diff(np.concatenate([[0], above.astype(np.int8), [0]])))
    runs: list[tuple[int, int]] = []
    for start, end in zip(step[::2].tolist(), step[1::2].tolist(), strict=True):
        if runs and start - runs[-1][1] < bridge:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs


def _spread(levels: np.ndarray, start: int, end: int, edge: float) -> tuple[int, int]:
    """Move both ends outwards by at most 60 ms while the level is above `edge`."""
    for _ in range(6):
        if start > 0 and levels[start - 1] > edge:
            start -= 1
        if end < len(levels) and levels[end] > edge:
            end += 1
    return start, end
