"""`triggers.parquet`: what the verifier found at every trigger, beside the scores.

Every table of the second stage is computed from it, so that `--from-scores` gives the same results later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from wakeword.errors import DataError
from wakeword.evaluation.cascade.run import Measured
from wakeword.evaluation.cascade.triggers import FEATURES, INTEGERS, TrackTriggers
from wakeword.evaluation.scoring.store import METADATA_KEY
from wakeword.runtime.bundle import Bundle
from wakeword.runtime.events import smooth
from wakeword.runtime.fusion import FusionMap
from wakeword.runtime.phoneme_path import PathFeatures
from wakeword.system.files import atomic_path

TRIGGERS_NAME = "triggers.parquet"
TRIGGERS_VERSION = 1
TRIGGERS_SCHEMA = pa.schema(
    [
        ("track", pa.dictionary(pa.int32(), pa.string())),
        ("word", pa.dictionary(pa.int32(), pa.string())),
        ("index", pa.int64()),
        ("score", pa.float64()),
        *((name, pa.int64() if name in INTEGERS else pa.float32()) for name in FEATURES),
    ]
)
"""`index`: number of the score, whose time is `(index + 1) * step_s`; `score`: the detector's, smoothed."""


@dataclass(frozen=True)
class VerifiedWord:
    """A word of the verifier: its trigger threshold, and the bundle's threshold on the fused score."""

    label: str
    trigger_threshold: float
    threshold: float


def write_triggers(
    path: Path, measured: Measured, names: Sequence[str], scores: Sequence[NDArray[np.float32]], bundle: Bundle
) -> None:
    """Write all triggers, with the bundle's fusion, windows and thresholds and the cost of a trigger as metadata.

    `names`, `scores`: the tracks, and the raw scores `(n, words)` of each. Does nothing but remove an older file if the
    bundle holds no verifier.
    """
    part = bundle.manifest.verifier
    if part is None:
        path.unlink(missing_ok=True)
        return
    window = bundle.timing.window
    tables = []
    for number, name in enumerate(names):
        for column, label in enumerate(bundle.labels):
            found = measured.triggers.get((name, label))
            if found is None or not len(found.index):
                continue
            smoothed = smooth(scores[number][:, column], window)
            columns = {"index": found.index, "score": smoothed[found.index]}
            columns |= {feature: getattr(found.features, feature) for feature in FEATURES}
            same = pa.array(np.zeros(len(found.index), dtype=np.int32))
            about = [pa.DictionaryArray.from_arrays(same, [text]) for text in (name, label)]
            tables.append(pa.Table.from_arrays([*about, *map(pa.array, columns.values())], schema=TRIGGERS_SCHEMA))
    values = {
        "version": TRIGGERS_VERSION,
        "recogniser": part.recogniser,
        "before_s": part.before_s,
        "after_s": part.after_s,
        "fusion": part.fusion.model_dump(mode="json"),
        "words": [word.model_dump(include={"label", "trigger_threshold", "threshold"}) for word in part.words],
        "cpu_ms": 1000 * measured.cpu_s / measured.count if measured.count else None,
    }
    table = pa.concat_tables(tables).unify_dictionaries() if tables else TRIGGERS_SCHEMA.empty_table()
    metadata = {METADATA_KEY: json.dumps(values, sort_keys=True).encode()}
    with atomic_path(path) as temporary:
        pq.write_table(table.replace_schema_metadata(metadata), temporary, compression="zstd")


class TriggerStore:
    """The triggers of an evaluation folder.

    Attributes:
        recogniser: name of the phoneme recogniser.
        before_s, after_s: the audio around a peak that was measured.
        fusion: the bundle's map from score and features to the fused score.
        words: the words of the verifier by label.
        cpu_ms: mean CPU time of the verifier per trigger, when they were measured; None without a trigger.

    Raises:
        DataError: the file is damaged or of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            about = json.loads(pq.read_schema(path).metadata[METADATA_KEY])
            version = about["version"]
        except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path} cannot be read ({error}): run `wakeword evaluate` again") from error
        if version != TRIGGERS_VERSION:
            raise DataError(f"{path} is of version {version}, not {TRIGGERS_VERSION}: run `wakeword evaluate` again")
        self.recogniser: str = about["recogniser"]
        self.before_s: float = about["before_s"]
        self.after_s: float = about["after_s"]
        self.fusion = FusionMap.model_validate(about["fusion"])
        self.words = {word["label"]: VerifiedWord(**word) for word in about["words"]}
        self.cpu_ms: float | None = about["cpu_ms"]

    def of(self, label: str) -> Mapping[str, TrackTriggers]:
        """The triggers of one word, by track."""
        return self._triggers.get(label, {})

    @cached_property
    def _triggers(self) -> dict[str, dict[str, TrackTriggers]]:
        try:
            table = pq.read_table(self.path, schema=TRIGGERS_SCHEMA)
        except (OSError, pa.ArrowInvalid) as error:
            raise DataError(f"{self.path} cannot be read ({error}): run `wakeword evaluate` again") from error
        if not table.num_rows:
            return {}
        columns: dict[str, NDArray[Any]] = {name: table.column(name).to_numpy() for name in ("index", *FEATURES)}
        tracks, words = (np.asarray(table.column(name).to_pylist()) for name in ("track", "word"))
        # The rows of a track and word follow each other.
        edges = np.flatnonzero((tracks[1:] != tracks[:-1]) | (words[1:] != words[:-1])) + 1
        found: dict[str, dict[str, TrackTriggers]] = {}
        for first, last in zip([0, *edges.tolist()], [*edges.tolist(), len(tracks)], strict=True):
            features = PathFeatures(**{name: columns[name][first:last] for name in FEATURES})
            own = TrackTriggers(columns["index"][first:last], features)
            found.setdefault(str(words[first]), {})[str(tracks[first])] = own
        return found


def open_triggers(folder: Path) -> TriggerStore | None:
    """The triggers of an evaluation folder; None if its bundle held no verifier."""
    path = folder / TRIGGERS_NAME
    return TriggerStore(path) if path.is_file() else None
