"""Scoring of tracks with the exported model: cut into sections, scored in threads or on a cluster, and merged."""

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
"""Audio per unit of work: the work that a lost worker loses; the run-up of a section costs under 1 % of it."""

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
    """Raw scores `(scores, words)` float32 of each track and of the silence after it, from the settled state on.

    On processors of one kind they are bit-identical for any `chunk_s`, number of workers and runner (`stage`).

    Args:
        bundle: the bundle to score with.
        tracks: the tracks to score.
        workers: threads of this process (default: its CPUs; ONNX Runtime releases Python's lock), or CPUs for Ray
            (default: all CPUs of the cluster).
        progress: called with the seconds of audio of every section that was scored.
        runner: `ray` scores the sections in an actor pool of Ray Data; Ray must be initialised and its nodes must have
            access to the prepared folder.
        cache_dir: cache of the scores per track, from which an interrupted run continues.
        chunk_s: length of a section.

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
            raise RunError(f"some scores of track {tracks[place].name} are missing: evaluate again")
        results[place] = merge.scores[number]
    return [found for found in results if found is not None]


class _Merge:
    """Joins sections to tracks, in any order."""

    def __init__(self, bundle: Bundle, tracks: Sequence[Track], step: int) -> None:
        self.tracks = list(tracks)
        words = len(bundle.labels)
        self.scores = [np.zeros((scored_samples(track, bundle) // step, words), dtype=np.float32) for track in tracks]
        self._missing = [len(scores) for scores in self.scores]
        self._step = step
        self._bundle_path = bundle.path

    def take(self, batch: pa.Table) -> list[tuple[int, float]]:
        """Add sections; returns the track and the seconds of each. Raises DataError."""
        taken = []
        for row in batch.to_pylist():
            whole = self.scores[row["track"]]
            part = np.frombuffer(row["scores"], dtype=np.float32).reshape(-1, whole.shape[1])
            if not np.all(np.isfinite(part)):
                name = self.tracks[row["track"]].name
                raise DataError(
                    f"{self._bundle_path} gives scores that are not finite on track {name}: train and export it again"
                )
            first = row["start"] // self._step
            whole[first : first + len(part)] = part
            self._missing[row["track"]] -= len(part)
            samples = min(row["end"], self.tracks[row["track"]].samples) - row["start"]
            taken.append((row["track"], max(0, samples) / SAMPLE_RATE_HZ))
        return taken

    def complete(self, number: int) -> bool:
        """True when all scores of a track are present."""
        return self._missing[number] == 0
