"""Where the one spoken word of a clip begins and ends, by energy; numpy only."""

from __future__ import annotations

import numpy as np

from wakeword.errors import DataError

FRAME_S = 0.01
BRIDGE_S = 0.25
"""Shorter pauses lie inside a phrase (stops, the gap between two words)."""
SHORTEST_S = 0.08
"""Shorter sounds are clicks."""
ABOVE_FLOOR_DB = 10.0
BELOW_PEAK_DB = 32.0
EDGE_DB = 6.0
LEAST_PROMINENCE_DB = 8.0
PADDING_DB = -92.0
"""Frames below this are padding with zeros, which tells nothing about the recording's noise."""


def frame_levels_db(audio: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Level of each 10 ms frame in dBFS, `(frames,)`, of the audio without rumble (first difference, floor -100)."""
    frame = max(1, round(FRAME_S * sample_rate_hz))
    # y[n] = x[n] - 0.97 x[n-1]: takes DC and rumble away, lifts fricatives.
    audio = np.asarray(audio, dtype=np.float64)
    sharp = audio.copy()
    sharp[1:] -= 0.97 * audio[:-1]
    sharp[:1] = 0.0
    count = len(sharp) // frame
    power = np.mean(sharp[: count * frame].reshape(count, frame) ** 2, axis=1)
    return 10.0 * np.log10(power + 1e-10)


def word_bounds(audio: np.ndarray, sample_rate_hz: int) -> tuple[float, float]:
    """Start and end of the one word or phrase of a clip, in seconds.

    The threshold lies 10 dB above the noise floor (20th percentile of the frame levels, padding left out) or 32 dB
    below the peak, whichever is higher, but 8 dB below the peak at least. Runs above it are bridged across pauses,
    clicks are dropped, and of what remains the word is the run that rises most above the threshold, in decibels times
    time: a click is loud but short. Its ends go out to where the level comes near the floor.

    Raises:
        DataError: the clip is shorter than 0.1 s or silent.
    """
    levels = frame_levels_db(audio, sample_rate_hz)
    if len(levels) < 10:
        raise DataError(
            f"a clip of {len(audio) / sample_rate_hz:.3f} s is too short to find a word in; 0.1 s is needed"
        )
    # Three frames' mean power: a single loud frame is a click.
    power = np.convolve(10.0 ** (levels / 10.0), np.ones(3) / 3.0, mode="same")
    levels = 10.0 * np.log10(power)
    peak = float(np.sort(levels)[-max(3, len(levels) // 50)])
    if peak < -75.0:
        raise DataError(f"the clip is silent (loudest frames at {peak:.0f} dBFS): there is no word in it")
    floor = float(np.percentile(levels[levels > PADDING_DB], 20))
    threshold = min(max(floor + ABOVE_FLOOR_DB, peak - BELOW_PEAK_DB), peak - LEAST_PROMINENCE_DB)
    runs = _runs(levels > threshold, round(BRIDGE_S / FRAME_S))
    runs = [run for run in runs if _loud_s(levels, run, threshold) >= SHORTEST_S] or runs
    start, end = max(runs, key=lambda run: float(np.maximum(levels[run[0] : run[1]] - threshold, 0.0).sum()))
    edge = min(floor + EDGE_DB, threshold)
    start, end = _spread(levels, start, end, edge)
    return start * FRAME_S, min(end * FRAME_S, len(audio) / sample_rate_hz)


def _runs(above: np.ndarray, bridge: int) -> list[tuple[int, int]]:
    """Half-open runs of True, joined across fewer than `bridge` False."""
    step = np.flatnonzero(np.diff(np.concatenate([[0], above.astype(np.int8), [0]])))
    runs: list[tuple[int, int]] = []
    for start, end in zip(step[::2].tolist(), step[1::2].tolist(), strict=True):
        if runs and start - runs[-1][1] < bridge:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return runs


def _loud_s(levels: np.ndarray, run: tuple[int, int], threshold: float) -> float:
    return float((levels[run[0] : run[1]] > threshold).sum()) * FRAME_S


def _spread(levels: np.ndarray, start: int, end: int, edge: float) -> tuple[int, int]:
    """Move both ends outwards while the level stays above `edge`, at most 60 ms."""
    for _ in range(6):
        if start > 0 and levels[start - 1] > edge:
            start -= 1
        if end < len(levels) and levels[end] > edge:
            end += 1
    return start, end
