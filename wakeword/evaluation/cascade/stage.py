"""The stage that measures triggers with the verifier, and its units of work."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from wakeword.evaluation.cascade.triggers import (
    FEATURES,
    INTEGERS,
    PhraseVerifier,
    measure_triggers,
)
from wakeword.evaluation.metrics.threshold_curve import Ints
from wakeword.evaluation.tracks.track import Track
from wakeword.runtime.phoneme_path import PathFeatures
from wakeword.stages.stage import Stage, StageResources

TRIGGERS_PER_ROW = 64
"""Triggers per unit of work: about a second of work."""

TRIGGER_SCHEMA = pa.schema([("track", pa.int32()), ("word", pa.string()), ("index", pa.list_(pa.int64()))])
MEASURED_SCHEMA = pa.schema(
    [
        *TRIGGER_SCHEMA,
        ("cpu_s", pa.float64()),
        *((name, pa.list_(pa.int64() if name in INTEGERS else pa.float32())) for name in FEATURES),
    ]
)


def plan_rows(tracks: Sequence[Track], triggers: Mapping[tuple[int, str], Ints]) -> pa.Table:
    """Rows of `TRIGGER_SCHEMA` for the triggers by track number and word, the most triggers first.

    The triggers of a track that is decoded from its start are one row.
    """
    rows = []
    for (number, word), index in triggers.items():
        size = TRIGGERS_PER_ROW if tracks[number].random_access else max(1, len(index))
        rows += [(number, word, index[start : start + size].tolist()) for start in range(0, len(index), size)]
    rows.sort(key=lambda row: -len(row[2]))
    names = TRIGGER_SCHEMA.names
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema=TRIGGER_SCHEMA)


class TriggerStage(Stage):
    """An input row is a set of triggers of one word on a track; the output row has their features and the CPU time.

    Args:
        open_verifier: makes the verifier, once per worker.
        tracks: the tracks; their truth is not sent to workers.
        step_samples: samples per score of the detector.
    """

    name = "triggers"
    reads = tuple(TRIGGER_SCHEMA.names)
    writes = tuple(MEASURED_SCHEMA.names)
    resources = StageResources(cpus=1.0, batch_size=1, stateful=True, threaded=True)
    """A session of ONNX Runtime has no state between runs, so threads can share it."""

    def __init__(self, open_verifier: Callable[[], PhraseVerifier], tracks: Sequence[Track], step_samples: int) -> None:
        self.open_verifier = open_verifier
        self.tracks = [replace(track, truth=()) for track in tracks]
        self.step_samples = step_samples

    def setup(self) -> None:
        """Load the verifier."""
        self.verifier = self.open_verifier()

    def __call__(self, table: pa.Table) -> pa.Table:
        """Measure each set of triggers."""
        rows = []
        for row in table.to_pylist():
            track, index = self.tracks[row["track"]], np.asarray(row["index"], dtype=np.int64)
            timed = _Timed(self.verifier)
            found = measure_triggers(timed, row["word"], track, index, self.step_samples)
            rows.append({**row, "cpu_s": timed.cpu_s, **{name: getattr(found, name) for name in FEATURES}})
        return pa.Table.from_pylist(rows, schema=MEASURED_SCHEMA)


class _Timed:
    """A verifier that sums up its CPU time in this thread; rendering the audio is not its work."""

    def __init__(self, verifier: PhraseVerifier) -> None:
        self.verifier = verifier
        self.before_samples, self.after_samples = verifier.before_samples, verifier.after_samples
        self.cpu_s = 0.0

    def log_probs(self, windows: np.ndarray) -> np.ndarray:
        start_s = time.thread_time()
        found = self.verifier.log_probs(windows)
        self.cpu_s += time.thread_time() - start_s
        return found

    def measure(self, label: str, log_probs: np.ndarray) -> PathFeatures:
        start_s = time.thread_time()
        found = self.verifier.measure(label, log_probs)
        self.cpu_s += time.thread_time() - start_s
        return found
