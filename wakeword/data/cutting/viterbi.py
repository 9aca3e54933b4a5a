"""The best CTC path through a known text (Graves et al. 2006, ICML; CTC segmentation: Kürzinger et al. 2020,
arXiv:2007.09127).

The text is laid out with a blank before, between and after its tokens. At each frame the path stays, steps to the next
state, or steps over a blank between two tokens that differ.
"""

from __future__ import annotations

import numpy as np

IMPOSSIBLE = -np.inf


def best_path(log_probs: np.ndarray, tokens: np.ndarray, blank: int) -> np.ndarray | None:
    """The most probable path: for each frame the place in `tokens`, -1 for blank.

    Args:
        log_probs: `(frames, vocabulary)` natural logarithms of probabilities.
        tokens: `(length,)` at least one, none of them `blank`.
        blank: number of the blank token.

    Returns:
        `(frames,)` int64 that never falls but to -1, or None where there is no path (too few frames for the
        tokens and the blanks between equal neighbours, or probabilities of 0).
    """
    frames, states = len(log_probs), 2 * len(tokens) + 1
    symbols = np.full(states, blank)
    symbols[1::2] = tokens
    skips = np.zeros(states, bool)
    skips[3::2] = tokens[1:] != tokens[:-1]
    emitted = log_probs[:, symbols].astype(np.float64)
    steps = np.zeros((frames, states), np.int8)
    score = np.full(states, IMPOSSIBLE)
    score[:2] = emitted[0, :2]
    before = np.full((3, states), IMPOSSIBLE)
    for frame in range(1, frames):
        before[0] = score
        before[1, 1:] = score[:-1]
        before[2, 2:] = np.where(skips[2:], score[:-2], IMPOSSIBLE)
        steps[frame] = before.argmax(axis=0)
        score = before.max(axis=0) + emitted[frame]
    state = states - 1 if score[-1] > score[-2] else states - 2
    if score[state] == IMPOSSIBLE:
        return None
    path = np.empty(frames, np.int64)
    for frame in range(frames - 1, -1, -1):
        path[frame] = (state - 1) // 2 if state % 2 else -1
        state -= int(steps[frame, state])
    return path
