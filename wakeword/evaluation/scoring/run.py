"""Scores of whole tracks through the shipped graph: cut into stretches, spread over threads or a cluster, merged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from wakeword.config import SAMPLE_RATE_HZ
from wakeword.errors import DataError, RunError
from wakeword.evaluation.scoring.cache import ScoreCache
from wakeword.evaluation.scoring.stage import Scores, ScoreStage, memory_blocks, plan_chunks, scored_samples
from wakeword.evaluation.tracks.track import Track
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.engine import Engine
from wakeword.stages.runner import Runner, run_stage

CHUNK_S = 600.0
"""Audio per unit of work: a worker that is lost loses at most this much, and the run-up of a block costs under 1 %."""

Progress = Callable[[float], None]


def score_tracks(
    bundle: Bundle,
    tracks: Sequence[Track],
    workers: int | None = None,
    progress: Progress | None = None,
    *,
    runner: Runner = "local",
    cache_dir: Path | None = None,
    chunk_s: float = CHUNK_S,
) -> list[Scores]:
    """Raw scores `(scores, words)` float32 of each track and the silence behind it, from the settled state on.

    They are the same bits at any `chunk_s`, any number of workers and with either runner, on processors of one kind
    (`scoring_stage`), and so are the events.

    Args:
        bundle: what scores.
        tracks: what is scored.
        workers: threads of this process (default: its CPUs; ONNX Runtime works outside Python's lock), or CPUs that
            Ray may hold (default: all that it has).
        progress: hears the seconds of audio that were scored, stretch by stretch.
        runner: `ray` runs the stretches in an actor pool of Ray Data; Ray must be initialised and its nodes must see
            the prepared folder.
        cache_dir: scores are kept here per track and found again by content; a run that was cut short goes on.
        chunk_s: length of a stretch.

    Raises:
        DataError: the model gives scores that are not finite.
        RunError: Ray could not finish.
    """
    engine = Engine(bundle)
    cache = ScoreCache(cache_dir, bundle, engine) if cache_dir is not None else None
    results = [cache.read(track) if cache else None for track in tracks]
    for track, found in zip(tracks, results, strict=True):
        if found is not None and progress is not None:
            progress(track.duration_s)
    open_places = [place for place, found in enumerate(results) if found is None]
    merge = _Merge(bundle, [tracks[place] for place in open_places], engine.step_samples)
    if open_places:
        memory = memory_blocks(engine)
        stage = ScoreStage(bundle, merge.tracks, memory)
        chunks = plan_chunks(merge.tracks, engine, memory, chunk_s)
        for batch in run_stage(stage, chunks, runner, workers):
            for number, seconds in merge.take(batch):
                if cache is not None and merge.complete(number):
                    cache.write(merge.tracks[number], merge.scores[number])
                if progress is not None:
                    progress(seconds)
    for number, place in enumerate(open_places):
        if not merge.complete(number):
            raise RunError(f"some scores of track {tracks[place].name} never came back: evaluate again")
        results[place] = merge.scores[number]
    return [found for found in results if found is not None]


class _Merge:
    """Stretches back to tracks, in whatever order they come."""

    def __init__(self, bundle: Bundle, tracks: Sequence[Track], step: int) -> None:
        self.tracks = list(tracks)
        words = len(bundle.labels)
        self.scores = [np.zeros((scored_samples(track, bundle) // step, words), dtype=np.float32) for track in tracks]
        self._missing = [len(scores) for scores in self.scores]
        self._step = step
        self._where = bundle.path

    def take(self, batch: pa.Table) -> list[tuple[int, float]]:
        """Put stretches in their place; returns each one's track and seconds. Raises DataError."""
        taken = []
        for row in batch.to_pylist():
            whole = self.scores[row["track"]]
            part = np.frombuffer(row["scores"], dtype=np.float32).reshape(-1, whole.shape[1])
            if not np.all(np.isfinite(part)):
                name = self.tracks[row["track"]].name
                raise DataError(f"the bundle {self._where} gives scores that are not finite on track {name}")
            first = row["start"] // self._step
            whole[first : first + len(part)] = part
            self._missing[row["track"]] -= len(part)
            heard = min(row["end"], self.tracks[row["track"]].samples) - row["start"]
            taken.append((row["track"], max(0, heard) / SAMPLE_RATE_HZ))
        return taken

    def complete(self, number: int) -> bool:
        """True once every score of a track is there."""
        return self._missing[number] == 0
