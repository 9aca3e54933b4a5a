"""Scores of whole tracks through the shipped graph: many tracks side by side, in long calls, on every core."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from wakeword.config import SAMPLE_RATE_HZ
from wakeword.errors import DataError
from wakeword.evaluation.tracks import Track
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.engine import Engine

BLOCK_S = 4.0
"""Audio per stream and call: long enough that a call's own cost vanishes."""
BATCH = 8
"""Streams per call; with `BLOCK_S` it bounds the memory of a call."""

Scores = NDArray[np.float32]
Progress = Callable[[float], None]


def score_tracks(
    bundle: Bundle, tracks: Sequence[Track], workers: int | None = None, progress: Progress | None = None
) -> list[Scores]:
    """Raw scores `(scores, words)` float32 of each track, from the settled state on.

    The graph is a function of audio and state, so the scores are those of the detector at any chunking. Tracks of like
    length share a batch; each batch runs in a thread of its own (ONNX Runtime works outside Python's lock). `workers`
    defaults to the CPUs of this process. `progress` hears the seconds of audio that were scored, batch by batch.

    Raises DataError when the model gives scores that are not finite.
    """
    order = sorted(range(len(tracks)), key=lambda place: -tracks[place].samples)
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    results: list[Scores] = [np.zeros((0, len(bundle.labels)), dtype=np.float32)] * len(tracks)
    engine = Engine(bundle)

    def work(batch: list[int]) -> float:
        for place, scores in zip(batch, _score_batch(engine, [tracks[place] for place in batch]), strict=True):
            results[place] = scores
        return sum(tracks[place].duration_s for place in batch)

    with ThreadPoolExecutor(workers or len(os.sched_getaffinity(0))) as pool:
        for seconds in pool.map(work, batches):
            if progress is not None:
                progress(seconds)
    for track, scores in zip(tracks, results, strict=True):
        if not np.all(np.isfinite(scores)):
            raise DataError(f"the bundle {bundle.path} gives scores that are not finite on track {track.name}")
    return results


def _score_batch(engine: Engine, tracks: Sequence[Track]) -> list[Scores]:
    """Tracks in order of falling length: as tracks end, the batch shrinks from the back."""
    step = engine.step_samples
    block = max(1, round(BLOCK_S * SAMPLE_RATE_HZ / step)) * step
    readers = [track.blocks(block) for track in tracks]
    state = engine.initial_state(len(tracks))
    found: list[list[Scores]] = [[] for _ in tracks]
    for number in range(math.ceil(tracks[0].samples / block)):
        running = sum(track.samples > number * block for track in tracks)
        audio = np.zeros((running, block), dtype=np.float32)
        lengths = []
        for place in range(running):
            part = next(readers[place])
            audio[place, : len(part)] = part
            lengths.append(len(part))
        # All but the last block of the longest track are full; a shorter track's last block is padded and cut.
        width = -(-max(lengths) // step) * step
        score, state = engine.run(audio[:, :width], state[:running])
        for place, length in enumerate(lengths):
            found[place].append(score[place, : length // step].astype(np.float32, copy=True))
    return [np.concatenate(parts) for parts in found]
