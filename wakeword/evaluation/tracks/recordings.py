"""Tracks of long recordings, streamed from their files, with the truth from a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from wakeword.audio.io import silent, stream_blocks
from wakeword.config import SAMPLE_RATE_HZ, WordConfig
from wakeword.config.evaluation import EvaluationConfig, RecordingConfig
from wakeword.data.manifest import SHARD_SCHEMA
from wakeword.errors import DataError
from wakeword.evaluation.tracks.clips import Audio, Clips
from wakeword.evaluation.tracks.plan import TrackPlan
from wakeword.evaluation.tracks.track import RENDER_VERSION, Track, TruthRow
from wakeword.system.files import sha256_of

RECORDED = "recorded"
"""Condition of words in recordings."""
COLUMNS = ("word", "start_s", "end_s", "speaker")
READ_S = 10.0


@dataclass(frozen=True)
class RecordingTrack(Track):
    """A recording of `length` samples at 16 kHz, without pieces."""

    path: str = ""
    length: int = 0
    licence: str = ""

    @property
    def samples(self) -> int:
        """Length in samples."""
        return self.length

    @property
    def random_access(self) -> bool:
        """False: a file is decoded from its start, so it is scored in one section."""
        return False

    def identity(self) -> Iterator[bytes]:
        """The hash of the file."""
        yield f"recording {RENDER_VERSION}".encode()
        yield sha256_of(Path(self.path)).encode()

    def _parts(self, start: int, end: int) -> Iterator[Audio]:
        first = 0
        # Problems of the file were logged when its length was determined.
        for block in stream_blocks(self.path, READ_S, warn=silent):
            if first >= end:
                return
            if first + len(block) > start:
                yield block[max(0, start - first) : end - first]
            first += len(block)


def with_recordings(
    plan: TrackPlan, words: Sequence[WordConfig], config: EvaluationConfig, refractory_s: float
) -> TrackPlan:
    """The plan with a track for each of `config.recordings` of its split.

    Other words in the truth count as other speech.

    Raises:
        AudioError: a recording cannot be read.
        DataError: a truth file cannot be read or does not fit its recording, or a recording is not longer than
            `refractory_s`.
    """
    labels = {word.label for word in words}
    tracks = []
    for number, recording in enumerate(config.recordings, 1):
        if recording.split == plan.split:
            name = f"{plan.split}/recording {number}"
            tracks.append(_track(name, recording, labels, config.seed, refractory_s))
    return replace(plan, tracks=plan.tracks + tuple(tracks))


def _track(name: str, recording: RecordingConfig, labels: set[str], seed: int, refractory_s: float) -> RecordingTrack:
    length = sum(len(block) for block in stream_blocks(recording.uri, READ_S))
    duration_s = length / SAMPLE_RATE_HZ
    if duration_s <= refractory_s:
        raise DataError(
            f"{recording.uri} lasts {duration_s:.2f} s, not longer than the detector's refractory time of"
            f" {refractory_s:g} s: use a longer recording"
        )
    rows = _truth(Path(recording.truth), recording.uri, duration_s)
    truth = tuple(
        TruthRow(
            track=name,
            role="word",
            word=word,
            start_s=start_s,
            end_s=end_s,
            speaker=speaker,
            clip_id=f"{name}#{place}",
            condition=RECORDED,
            source=recording.uri,
            kind="recording",
        )
        for place, (word, start_s, end_s, speaker) in enumerate(rows)
        if word in labels
    )
    clips = Clips(SHARD_SCHEMA.empty_table())
    return RecordingTrack(
        name,
        "recording",
        RECORDED,
        "",
        clips,
        (),
        truth,
        seed,
        0.0,
        path=recording.uri,
        length=length,
        licence=recording.licence,
    )


def _truth(path: Path, uri: str, duration_s: float) -> list[tuple[str, float, float, str]]:
    """`(word, start_s, end_s, speaker)` in time order. Raises DataError with the invalid line."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"the truth file {path} of {uri} cannot be read ({error})") from error
    rows = []
    for number, line in enumerate(lines, 2):
        where = f"{path}, line {number}"
        try:
            word, speaker = line["word"].strip(), line["speaker"].strip()
            start_s, end_s = float(line["start_s"]), float(line["end_s"])
        except (KeyError, ValueError, AttributeError, TypeError) as error:
            raise DataError(f"{where}: a row needs {', '.join(COLUMNS)}, with times in seconds") from error
        if not 0 <= start_s < end_s:
            raise DataError(f"{where}: {word!r} from {start_s:g} to {end_s:g} s needs 0 <= start_s < end_s")
        if end_s > duration_s:
            raise DataError(f"{where}: {word!r} ends at {end_s:g} s, but {uri} lasts {duration_s:.2f} s")
        rows.append((word, start_s, end_s, speaker))
    rows.sort(key=lambda row: row[1])
    for before, after in pairwise(rows):
        if after[1] < before[2]:
            raise DataError(
                f"{path}: {before[0]!r} until {before[2]:g} s and {after[0]!r} from {after[1]:g} s overlap: "
                "give words that do not overlap"
            )
    return rows
