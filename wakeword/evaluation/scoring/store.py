"""Raw scores and truth as Parquet, the input of the analysis.

`evaluate` writes both files and reads them back, so that `--from-scores` gives the same results later.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from wakeword.errors import DataError
from wakeword.evaluation.tracks.plan import Track, TrackPlan, TruthRow
from wakeword.runtime.bundle import Bundle
from wakeword.system.files import atomic_path

METADATA_KEY = b"wakeword"
SCORES_NAME = "scores.parquet"
TRUTH_NAME = "truth.parquet"
STORE_VERSION = 4

SCORES_SCHEMA = pa.schema(
    [
        ("track", pa.dictionary(pa.int32(), pa.string())),
        ("time_s", pa.float32()),
        ("word", pa.dictionary(pa.int32(), pa.string())),
        ("score", pa.float32()),
    ]
)
_TRUTH_TYPES = {
    "start_s": pa.float64(),
    "end_s": pa.float64(),
    "phoneme_distance": pa.int32(),
    "pitch_hz": pa.float32(),
    "synthetic": pa.bool_(),
}
_TRACK_FIELDS = ("name", "kind", "condition", "word", "duration_s")
TRUTH_SCHEMA = pa.schema([(name, _TRUTH_TYPES.get(name, pa.string())) for name in TruthRow.__dataclass_fields__])


@dataclass(frozen=True)
class TrackInfo:
    """A track without its audio; `kind`, `condition`, `word` as in `Track`."""

    name: str
    split: str
    kind: str
    condition: str
    word: str
    duration_s: float
    truth: tuple[TruthRow, ...] = ()

    @classmethod
    def of(cls, split: str, track: Track) -> TrackInfo:
        """The information on a track of `split`."""
        about = (track.name, split, track.kind, track.condition, track.word, track.duration_s)
        return cls(*about, truth=tuple(track.truth))

    @cached_property
    def clips(self) -> tuple[TruthRow, ...]:
        """Rows of clips and words in time order."""
        return tuple(sorted((row for row in self.truth if row.role in ("clip", "word")), key=lambda row: row.start_s))

    def clip_at(self, time_s: float) -> TruthRow | None:
        """The last clip or word that starts at or before a time; None before the first."""
        place = bisect_right(self.clips, time_s, key=lambda row: row.start_s)
        return self.clips[place - 1] if place else None


def write_scores(
    path: Path, plans: Sequence[TrackPlan], scores: Sequence[NDArray[np.float32]], bundle: Bundle, about: Mapping
) -> None:
    """Write raw (unsmoothed) scores: `track, time_s, word, score`, with a row group per track and word.

    `scores`: `(n, words)` for each track of the plans, in their order. The metadata stores `about`, the bundle's words
    and detector times, and the split, kind, condition and length of each track.
    """
    tracks = [(plan.split, track) for plan in plans for track in plan.tracks]
    words = [word.model_dump(include={"label", "phrase", "threshold"}) for word in bundle.manifest.words]
    values = {
        "version": STORE_VERSION,
        "about": dict(about),
        "step_s": bundle.step_s,
        "words": words,
        "detector": bundle.manifest.detector.model_dump(),
        "tracks": [
            {"split": split, **{name: getattr(track, name) for name in _TRACK_FIELDS}} for split, track in tracks
        ],
    }
    schema = SCORES_SCHEMA.with_metadata(_metadata(values))
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for (_, track), rows in zip(tracks, scores, strict=True):
            times = ((np.arange(len(rows)) + 1) * bundle.step_s).astype(np.float32)
            same = pa.array(np.zeros(len(rows), dtype=np.int32))
            for column, label in enumerate(bundle.labels):
                arrays = [
                    pa.DictionaryArray.from_arrays(same, [track.name]),
                    pa.array(times),
                    pa.DictionaryArray.from_arrays(same, [label]),
                    pa.array(np.ascontiguousarray(rows[:, column])),
                ]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=max(1, len(rows)))


def write_truth(path: Path, tracks: Sequence[Track], about: Mapping[str, str]) -> None:
    """Write the truth rows of all tracks, with `about` as metadata."""
    rows = [asdict(row) for track in tracks for row in track.truth]
    schema = TRUTH_SCHEMA.with_metadata(_metadata(dict(about)))
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary, compression="zstd")


def _read_metadata(path: Path) -> dict[str, Any]:
    try:
        return json.loads(pq.read_schema(path).metadata[METADATA_KEY])
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} has no scores of `wakeword evaluate` ({error}): evaluate first") from error


def _metadata(values: Mapping[str, object]) -> dict[bytes, bytes]:
    return {METADATA_KEY: json.dumps(values, sort_keys=True).encode()}


class ScoreStore:
    """Scores and truth of an evaluation folder.

    Attributes:
        about: hashes, notes, licences, settings and command of the evaluation.
        words: `label`, `phrase` and the bundle's `threshold` of each word.
        detector: the bundle's detector times in seconds.
        step_s: seconds of audio per score.

    Raises:
        DataError: a file is missing, damaged or of another version.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        path = self.folder / SCORES_NAME
        if not path.is_file():
            raise DataError(f"{self.folder} holds no {SCORES_NAME}: give the folder of a finished evaluation")
        values = _read_metadata(path)
        if values.get("version") != STORE_VERSION:
            raise DataError(f"{path} was written by another version of wakeword: run `wakeword evaluate` again")
        self.about: dict[str, Any] = values["about"]
        self.words: list[dict[str, Any]] = values["words"]
        self.detector: dict[str, float] = values["detector"]
        self.step_s: float = values["step_s"]
        self._tracks: list[dict[str, Any]] = values["tracks"]
        self._file = pq.ParquetFile(path)
        # Row groups were written in this order.
        pairs = product((track["name"] for track in self._tracks), (word["label"] for word in self.words))
        self._groups = {pair: group for group, pair in enumerate(pairs)}
        if self._file.metadata.num_row_groups != len(self._groups):
            raise DataError(f"{path} lacks scores of some tracks: run `wakeword evaluate` again")

    @cached_property
    def tracks(self) -> tuple[TrackInfo, ...]:
        """All tracks of all splits with their truth."""
        path = self.folder / TRUTH_NAME
        try:
            rows = pq.read_table(path, schema=TRUTH_SCHEMA).to_pylist()
        except (OSError, pa.ArrowInvalid) as error:
            raise DataError(f"{path} cannot be read ({error}): run `wakeword evaluate` again") from error
        truth: dict[str, list[TruthRow]] = {}
        for row in rows:
            truth.setdefault(row["track"], []).append(TruthRow(**row))
        return tuple(TrackInfo(**values, truth=tuple(truth.get(values["name"], ()))) for values in self._tracks)

    def of(self, split: str) -> tuple[TrackInfo, ...]:
        """Tracks of one split."""
        return tuple(track for track in self.tracks if track.split == split)

    def scores(self, track: str, label: str) -> NDArray[np.float32]:
        """Raw scores `(n,)` of one word on one track."""
        group = self._groups[track, label]
        return self._file.read_row_group(group, columns=["score"]).column("score").to_numpy()
