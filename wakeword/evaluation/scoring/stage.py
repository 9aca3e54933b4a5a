"""The scoring stage, and the sections into which tracks are cut for it.

**Cutting is exact.** Every call of the graph processes one block of a grid that starts with the track, so equal states
before a block give bit-identical scores. A graph with finite memory has the same state after `memory_blocks` of any
audio: a section starts that much earlier and the scores of this run-up are discarded. Tracks of a graph with infinite
memory (the smoother of PCEN) are not cut. This holds for processors of one kind, on which ONNX Runtime uses the same
arithmetic.

**A track ends as in the detector**, with the silence of `Detector.flush` after it, so that a word at the end of a
recording is detected. The silence does not count as audio.
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
"""Audio per call of the graph: a compromise between the overhead and the memory of a call."""
LOUD = 0.5
"""RMS of the noise in the test of a graph's memory."""

CHUNK_SCHEMA = pa.schema([("track", pa.int32()), ("start", pa.int64()), ("end", pa.int64())])
SCORE_SCHEMA = pa.schema(
    [("track", pa.int32()), ("start", pa.int64()), ("end", pa.int64()), ("scores", pa.large_binary())]
)


def block_samples(engine: Engine) -> int:
    """Samples per call: a whole number of steps of about `BLOCK_S`."""
    return max(1, round(BLOCK_S * SAMPLE_RATE_HZ / engine.step_samples)) * engine.step_samples


def memory_blocks(engine: Engine) -> int | None:
    """Number of blocks after which the state does not depend on earlier audio; None for an infinite memory.

    It is the receptive field of the manifest, verified on the graph: after loud noise and from the initial state, the
    same run-up (silence, and quiet noise) must lead to the same state.
    """
    block = block_samples(engine)
    blocks = -(-engine.bundle.manifest.context_samples // block)
    draw = np.random.default_rng(0)
    loud = (draw.standard_normal((1, block), dtype=np.float32) * np.float32(LOUD)).clip(-1, 1)
    quiet = draw.standard_normal((1, block), dtype=np.float32) * np.float32(1e-3)
    fresh = engine.initial_state(1)
    after_noise = engine.run(loud, fresh)[1]
    for run_up in (np.zeros((1, block), dtype=np.float32), quiet):
        states = [fresh, after_noise]
        for _ in range(blocks):
            states = [engine.run(run_up, state)[1] for state in states]
        if not np.array_equal(states[0], states[1]):
            return None
    return blocks


def scored_samples(track: Track, bundle: Bundle) -> int:
    """Number of samples with scores, including the silence after the track: a whole number of steps."""
    return track.samples + bundle.tail_samples(track.samples)


def plan_chunks(tracks: Sequence[Track], engine: Engine, memory: int | None, chunk_s: float) -> pa.Table:
    """Sections `(track, start, end)` in samples, the longest first: `CHUNK_SCHEMA`; the last includes the silence.

    A track is one section if the memory is infinite, or if its samples can only be read from the start.
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
    """An input row is a section of a track; the output row has its scores `(scores, words)`, float32, as bytes.

    Args:
        bundle: the bundle to score with.
        tracks: the tracks to score; their truth is not sent to workers.
        memory: result of `memory_blocks`.
    """

    name = "scores"
    reads = tuple(CHUNK_SCHEMA.names)
    writes = tuple(SCORE_SCHEMA.names)
    resources = StageResources(cpus=1.0, batch_size=1, stateful=True, threaded=True)
    """A session of ONNX Runtime has no state between runs, so threads can share it."""

    def __init__(self, bundle: Bundle, tracks: Sequence[Track], memory: int | None) -> None:
        self.bundle = bundle
        self.tracks = [replace(track, truth=()) for track in tracks]
        self.memory = memory

    def setup(self) -> None:
        """Create the session of ONNX Runtime."""
        self.engine = Engine(self.bundle)

    def __call__(self, table: pa.Table) -> pa.Table:
        """Score each section."""
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
            # The last block is padded with silence, since all calls have one shape.
            part = next(parts, np.zeros(0, dtype=np.float32))
            audio = np.zeros((1, block), dtype=np.float32)
            audio[0, : len(part)] = part
            score, state = self.engine.run(audio, state)
            if at >= start:
                kept.append(score[0, : (min(end, at + block) - at) // step])
        return np.concatenate(kept).astype(np.float32, copy=False)
