"""Measuring the triggers of all tracks: in threads or on a cluster, with a cache per track and word."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from wakeword.errors import RunError
from wakeword.evaluation.cascade.stage import TriggerStage, plan_rows
from wakeword.evaluation.cascade.triggers import (
    FEATURES,
    INTEGERS,
    PhraseVerifier,
    TrackTriggers,
    trigger_index,
)
from wakeword.evaluation.metrics.threshold_curve import Ints
from wakeword.evaluation.tracks.track import Track
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.events import EventTiming
from wakeword.runtime.manifest import VERIFIER_NAME
from wakeword.runtime.phoneme_path import PathFeatures
from wakeword.runtime.verifier import Verifier
from wakeword.stages.runner import Runner, run_stage
from wakeword.system.files import atomic_path

CASCADE_VERSION = 1
"""Version of the measures; it is part of the cache key."""

Progress = Callable[[float], None]


@dataclass(frozen=True)
class SecondStage:
    """The verifier of a bundle, as an evaluation runs it.

    `open`: makes the verifier in each worker. `thresholds`: the trigger threshold of each word. `identity`: for each
    word, all that its features depend on besides the audio.
    """

    open: Callable[[], PhraseVerifier]
    thresholds: Mapping[str, float]
    identity: Mapping[str, str]
    step_samples: int

    @classmethod
    def of(cls, bundle: Bundle) -> SecondStage | None:
        """The second stage of a bundle; None without a verifier."""
        from wakeword.runtime.onnx_graph import OnnxGraph

        part = bundle.manifest.verifier
        if part is None:
            return None
        common = [
            bundle.manifest.files[VERIFIER_NAME].sha256,
            OnnxGraph.version,
            *(part.blank, part.boundary, part.before_s, part.after_s, part.path_end_s),
        ]
        said = {word.label: [one.model_dump(mode="json") for one in word.pronunciations] for word in part.words}
        return cls(
            open=partial(Verifier, bundle),
            thresholds={word.label: word.trigger_threshold for word in part.words},
            identity={label: json.dumps([*common, spoken]) for label, spoken in said.items()},
            step_samples=bundle.manifest.step_samples,
        )


@dataclass
class Measured:
    """The triggers of every word on every track, and the CPU time that they took when they were measured."""

    triggers: dict[tuple[str, str], TrackTriggers] = field(default_factory=dict)
    """By track and word."""
    cpu_s: float = 0.0

    @property
    def count(self) -> int:
        """Number of all triggers."""
        return sum(len(found.index) for found in self.triggers.values())

    def add(self, track: Track, word: str, index: Ints, features: PathFeatures, cpu_s: float) -> None:
        """Add the triggers of one word on one track."""
        self.triggers[track.name, word] = TrackTriggers(index, features)
        self.cpu_s += cpu_s


def measure_tracks(
    second: SecondStage,
    tracks: Sequence[Track],
    scores: Sequence[NDArray[np.float32]],
    labels: Sequence[str],
    timings: Iterable[EventTiming],
    workers: int | None = None,
    progress: Callable[[int], Progress] | None = None,
    *,
    runner: Runner = "local",
    cache_dir: Path | None = None,
) -> Measured:
    """Measure the triggers of all words on all tracks.

    On processors of one kind the features are bit-identical for any number of workers and runner.

    Args:
        second: the verifier.
        tracks: the tracks that were scored.
        scores: raw scores `(n, words)` of each track, words in the order of `labels`.
        labels: the words.
        timings: the detector times whose peaks are measured.
        workers: threads of this process, or CPUs for Ray; None for all.
        progress: takes the number of triggers, returns a function that takes every number of finished ones.
        runner: `ray` measures in an actor pool of Ray Data.
        cache_dir: cache of the features per track and word.

    Raises:
        BundleError: the verifier does not load or fails.
        DataError: the verifier gives values that are not finite.
        RunError: Ray could not finish.
    """
    wanted = _wanted(second, tracks, scores, labels, list(timings))
    found, cached = Measured(), _Cache(cache_dir, second)
    open_triggers: dict[tuple[int, str], Ints] = {}
    for (number, label), index in wanted.items():
        held = cached.read(tracks[number], label, index)
        if held is None:
            open_triggers[number, label] = index
        else:
            found.add(tracks[number], label, index, *held)
    advance = progress(sum(map(len, wanted.values()))) if progress is not None else _ignore
    advance(found.count)
    merge = _Merge(open_triggers)
    stage = TriggerStage(second.open, tracks, second.step_samples)
    rows = plan_rows(tracks, open_triggers)
    for batch in run_stage(stage, rows, runner, workers) if rows.num_rows else ():
        for key, count in merge.take(batch):
            if merge.complete(key):
                cached.write(tracks[key[0]], key[1], open_triggers[key], *merge.result(key))
            advance(count)
    for (number, label), index in open_triggers.items():
        if not merge.complete((number, label)):
            raise RunError(f"some triggers of track {tracks[number].name} are missing: evaluate again")
        found.add(tracks[number], label, index, *merge.result((number, label)))
    return found


def _wanted(
    second: SecondStage,
    tracks: Sequence[Track],
    scores: Sequence[NDArray[np.float32]],
    labels: Sequence[str],
    timings: Sequence[EventTiming],
) -> dict[tuple[int, str], Ints]:
    """The triggers by track number and word, of the tracks that `measure_word` reads for the word."""
    return {
        (number, label): trigger_index(scores[number][:, column], timings, second.thresholds[label])
        for number, track in enumerate(tracks)
        for column, label in enumerate(labels)
        if track.kind != "positives" or track.word == label or track.condition == "clean"
    }


def _ignore(_: float) -> None:
    """No progress is shown."""


class _Merge:
    """Joins the rows of each track and word, in any order."""

    def __init__(self, triggers: Mapping[tuple[int, str], Ints]) -> None:
        self._index = triggers
        self._missing = {key: len(index) for key, index in triggers.items()}
        self._cpu_s = dict.fromkeys(triggers, 0.0)
        self._values: dict[tuple[int, str], dict[str, NDArray[Any]]] = {
            key: {name: np.zeros(len(index), np.int64 if name in INTEGERS else np.float32) for name in FEATURES}
            for key, index in triggers.items()
        }

    def take(self, batch: pa.Table) -> list[tuple[tuple[int, str], int]]:
        """Add rows; returns track and word, and number of triggers of each."""
        taken = []
        for row in batch.to_pylist():
            key = (row["track"], row["word"])
            places = np.searchsorted(self._index[key], row["index"])
            for name in FEATURES:
                self._values[key][name][places] = row[name]
            self._missing[key] -= len(places)
            self._cpu_s[key] += row["cpu_s"]
            taken.append((key, len(places)))
        return taken

    def complete(self, key: tuple[int, str]) -> bool:
        """True when all triggers of a track and word are present."""
        return self._missing[key] == 0

    def result(self, key: tuple[int, str]) -> tuple[PathFeatures, float]:
        """The features of all triggers of a track and word, and their CPU seconds."""
        return PathFeatures(**self._values[key]), self._cpu_s[key]


class _Cache:
    """One `.npz` per track and word in `folder`, named by the SHA-256 of verifier, word, samples and triggers."""

    def __init__(self, folder: Path | None, second: SecondStage) -> None:
        self.folder, self._second = folder, second
        self._tracks: dict[str, bytes] = {}

    def _path(self, folder: Path, track: Track, label: str, index: Ints) -> Path:
        if track.name not in self._tracks:
            digest = hashlib.sha256()
            for part in track.identity():
                digest.update(len(part).to_bytes(8, "little"))
                digest.update(part)
            self._tracks[track.name] = digest.digest()
        about = json.dumps([CASCADE_VERSION, self._second.step_samples, self._second.identity[label]]).encode()
        key = hashlib.sha256(self._tracks[track.name] + hashlib.sha256(about).digest() + index.tobytes())
        return folder / f"{key.hexdigest()}.npz"

    def read(self, track: Track, label: str, index: Ints) -> tuple[PathFeatures, float] | None:
        """The features of the triggers and their CPU seconds, or None if they are missing or damaged."""
        if self.folder is None or not len(index):
            return None
        try:
            with self._path(self.folder, track, label, index).open("rb") as file:
                held = np.load(file, allow_pickle=False)
                values: dict[str, NDArray[Any]] = {name: held[name] for name in FEATURES}
                cpu_s = float(held["cpu_s"])
        except (OSError, ValueError, EOFError, KeyError, TypeError, BadZipFile):
            return None
        fits = all(
            value.shape == index.shape and value.dtype == (np.int64 if name in INTEGERS else np.float32)
            for name, value in values.items()
        )
        return (PathFeatures(**values), cpu_s) if fits else None

    def write(self, track: Track, label: str, index: Ints, features: PathFeatures, cpu_s: float) -> None:
        """Store the features of the triggers."""
        if self.folder is None:
            return
        with (
            atomic_path(self._path(self.folder, track, label, index)) as temporary,
            temporary.open("wb") as file,
        ):
            np.savez(file, cpu_s=cpu_s, **{name: getattr(features, name) for name in FEATURES})
