"""Raw scores and truth as Parquet, with everything that the figures follow from: every table is made from them.

`evaluate` writes the two files first and then reads them back, so that what `--from-scores` prints later comes from the
same bytes by the same code.
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
STORE_VERSION = 3

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
}
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
        """What is known of a track that can be played."""
        about = (track.name, split, track.kind, track.condition, track.word, track.duration_s)
        return cls(*about, truth=tuple(track.truth))

    @cached_property
    def clips(self) -> tuple[TruthRow, ...]:
        """Rows of clips and words in time order."""
        return tuple(sorted((row for row in self.truth if row.role in ("clip", "word")), key=lambda row: row.start_s))

    def clip_at(self, time_s: float) -> TruthRow | None:
        """The clip or word that began last at or before a time; None before the first."""
        place = bisect_right(self.clips, time_s, key=lambda row: row.start_s)
        return self.clips[place - 1] if place else None


def write_scores(
    path: Path, plans: Sequence[TrackPlan], scores: Sequence[NDArray[np.float32]], bundle: Bundle, about: Mapping
) -> None:
    """Raw (unsmoothed) scores: `track, time_s, word, score`, a row group per track and word.

    `scores`: `(n, words)` for each track of the plans, in their order. The file's metadata holds `about`, the bundle's
    words and detector times, and each track's split, kind, condition and length.
    """
    tracks = [(plan.split, track) for plan in plans for track in plan.tracks]
    words = [word.model_dump(include={"label", "phrase", "threshold"}) for word in bundle.manifest.words]
    values = {
        "version": STORE_VERSION,
        "about": dict(about),
        "step_s": bundle.step_s,
        "words": words,
        "detector": bundle.manifest.detector.model_dump(),
        "tracks": [_described(split, track) for split, track in tracks],
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


def _described(split: str, track: Track) -> dict[str, Any]:
    about = {name: getattr(track, name) for name in ("name", "kind", "condition", "word", "duration_s")}
    return {"split": split, **about}


def write_truth(path: Path, tracks: Sequence[Track], about: Mapping[str, str]) -> None:
    """Truth rows of all tracks, with `about` as metadata."""
    rows = [asdict(row) for track in tracks for row in track.truth]
    schema = TRUTH_SCHEMA.with_metadata(_metadata(dict(about)))
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary, compression="zstd")


def read_metadata(path: Path) -> dict[str, Any]:
    """What was stored beside the rows. Raises DataError for a file that cannot be read or is none of ours."""
    try:
        return json.loads(pq.read_schema(path).metadata[METADATA_KEY])
    except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} holds no scores of `wakeword evaluate` ({error}): evaluate first") from error


def _metadata(values: Mapping[str, object]) -> dict[bytes, bytes]:
    return {METADATA_KEY: json.dumps(values, sort_keys=True).encode()}


class ScoreStore:
    """An evaluation's scores and truth, read from its folder one track and word at a time.

    Raises:
        DataError: a file is missing, damaged or of another version.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        path = self.folder / SCORES_NAME
        if not path.is_file():
            raise DataError(f"{self.folder} holds no {SCORES_NAME}: give the folder of a finished evaluation")
        self._values = read_metadata(path)
        if self._values.get("version") != STORE_VERSION:
            raise DataError(f"{path} was written by another version of wakeword: run `wakeword evaluate` again")
        self._file = pq.ParquetFile(path)
        if self._file.metadata.num_row_groups != len(self._values["tracks"]) * len(self.words):
            raise DataError(f"{path} lacks scores of some tracks: run `wakeword evaluate` again")

    @property
    def about(self) -> dict[str, Any]:
        """What `evaluate` wrote beside the scores: hashes, notes, licences, settings, the command."""
        return self._values["about"]

    @property
    def words(self) -> list[dict[str, Any]]:
        """`label`, `phrase` and shipped `threshold` of each word."""
        return self._values["words"]

    @property
    def detector(self) -> dict[str, float]:
        """The bundle's detector times."""
        return self._values["detector"]

    @property
    def step_s(self) -> float:
        """Seconds of audio per score."""
        return self._values["step_s"]

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
        return tuple(
            TrackInfo(**values, truth=tuple(truth.get(values["name"], ()))) for values in self._values["tracks"]
        )

    def of(self, split: str) -> tuple[TrackInfo, ...]:
        """Tracks of one split."""
        return tuple(track for track in self.tracks if track.split == split)

    def scores(self, track: str, label: str) -> NDArray[np.float32]:
        """Raw scores `(n,)` of one word on one track."""
        group = self._groups[track, label]
        return self._file.read_row_group(group, columns=["score"]).column("score").to_numpy()

    @cached_property
    def _groups(self) -> dict[tuple[str, str], int]:
        """Row group of each track and word: they were written in this order."""
        pairs = product((values["name"] for values in self._values["tracks"]), (word["label"] for word in self.words))
        return {pair: group for group, pair in enumerate(pairs)}
