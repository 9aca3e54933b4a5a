"""Scores of one stretch of one track: a stage that knows nothing of Ray, and where tracks may be cut for it.

**Cutting is exact.** Every call of the graph has the same shape, one stream of one block, and blocks lie on a grid that
starts with the track, so a block's scores are the same bits whenever the state before it is. A graph with a finite
memory has the same state after `memory_blocks` of audio whatever came before: a stretch then begins that much earlier
and the scores of the run-up are thrown away. A graph that never forgets (PCEN's smoother decays but does not end) hands
its state on: its tracks are not cut. The promise holds among processors of one kind, for which ONNX Runtime chooses the
same arithmetic.

**A track ends as in the detector**: with the silence of `Detector.flush` behind it, so that a word at the very end of a
recording counts as it does at run time. Scores of the silence have times behind the track's end; its hours do not grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wakeword.config import SAMPLE_RATE_HZ
from wakeword.evaluation.tracks.track import Track
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.engine import Engine
from wakeword.stages.stage import Stage, StageResources

Scores = NDArray[np.float32]

BLOCK_S = 4.0
"""Audio per call of the graph: long enough that a call's own cost vanishes, short enough for the memory of one call."""
LOUD = 0.5
"""RMS of the noise that a graph hears before it is asked what it remembers."""

CHUNK_SCHEMA = pa.schema([("track", pa.int32()), ("start", pa.int64()), ("end", pa.int64())])
SCORE_SCHEMA = pa.schema(
    [("track", pa.int32()), ("start", pa.int64()), ("end", pa.int64()), ("scores", pa.large_binary())]
)


def block_samples(engine: Engine) -> int:
    """Samples per call: a whole number of steps of about `BLOCK_S`."""
    return max(1, round(BLOCK_S * SAMPLE_RATE_HZ / engine.step_samples)) * engine.step_samples


def memory_blocks(engine: Engine) -> int | None:
    """Blocks of audio after which nothing is left of what came before, to the last bit; None if something always is.

    The manifest states the receptive field; that nothing lies beyond it is tried out: after loud noise and after
    silence, the same run-up (once of silence, once of quiet noise) must end in the same state.
    """
    block = block_samples(engine)
    blocks = -(-engine.bundle.manifest.context_samples // block)
    draw = np.random.default_rng(0)
    loud = (draw.standard_normal((1, block), dtype=np.float32) * np.float32(LOUD)).clip(-1, 1)
    quiet = draw.standard_normal((1, block), dtype=np.float32) * np.float32(1e-3)
    fresh = engine.initial_state(1)
    heard = engine.run(loud, fresh)[1]
    for run_up in (np.zeros((1, block), dtype=np.float32), quiet):
        states = [fresh, heard]
        for _ in range(blocks):
            states = [engine.run(run_up, state)[1] for state in states]
        if not np.array_equal(states[0], states[1]):
            return None
    return blocks


def scored_samples(track: Track, bundle: Bundle) -> int:
    """Samples of a track that have scores, the silence behind it among them: a whole number of steps."""
    return track.samples + bundle.tail_samples(track.samples)


def plan_chunks(tracks: Sequence[Track], engine: Engine, memory: int | None, chunk_s: float) -> pa.Table:
    """Stretches `(track, start, end)` in samples, the longest first: `CHUNK_SCHEMA`; the last ends with the silence.

    A track is one stretch if the graph never forgets, or if its samples can only be read from the start.
    """
    block = block_samples(engine)
    size = max(1, round(chunk_s * SAMPLE_RATE_HZ / block)) * block
    rows = []
    for number, track in enumerate(tracks):
        whole = scored_samples(track, engine.bundle)
        own = whole if memory is None or not track.random_access else size
        rows += [(number, start, min(start + own, whole)) for start in range(0, whole, own)]
    rows.sort(key=lambda row: row[1] - row[2])
    return pa.Table.from_pylist([dict(zip(CHUNK_SCHEMA.names, row, strict=True)) for row in rows], schema=CHUNK_SCHEMA)


class ScoreStage(Stage):
    """One row in is a stretch of a track; one row out is its scores `(scores, words)`, float32, as bytes.

    Args:
        bundle: what scores.
        tracks: what is scored; their truth stays behind.
        memory: of the graph, as `memory_blocks` found it.
    """

    name = "scores"
    reads = tuple(CHUNK_SCHEMA.names)
    writes = tuple(SCORE_SCHEMA.names)
    resources = StageResources(cpus=1.0, batch_size=1, stateful=True, threaded=True)
    """A session of ONNX Runtime holds no state between runs, so threads may share it."""

    def __init__(self, bundle: Bundle, tracks: Sequence[Track], memory: int | None) -> None:
        self.bundle = bundle
        self.tracks = [replace(track, truth=()) for track in tracks]
        self.memory = memory

    def setup(self) -> None:
        """Make the session of ONNX Runtime."""
        self.engine = Engine(self.bundle)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Score each stretch."""
        rows = [
            {**row, "scores": self._score(self.tracks[row["track"]], row["start"], row["end"]).tobytes()}
            for row in table.to_pylist()
        ]
        return pa.Table.from_pylist(rows, schema=SCORE_SCHEMA)

    def _score(self, track: Track, start: int, end: int) -> Scores:
        block, step = block_samples(self.engine), self.engine.step_samples
        first = max(0, start - (self.memory or 0) * block)
        state = self.engine.initial_state(1)
        kept: list[Scores] = []
        parts = track.blocks(block, first, min(end, track.samples))
        for at in range(first, end, block):
            # What follows the track is silence, and all calls have one shape; scores never hear what follows them.
            part = next(parts, np.zeros(0, dtype=np.float32))
            audio = np.zeros((1, block), dtype=np.float32)
            audio[0, : len(part)] = part
            score, state = self.engine.run(audio, state)
            if at >= start:
                kept.append(score[0, : (min(end, at + block) - at) // step])
        return np.concatenate(kept).astype(np.float32, copy=False)
