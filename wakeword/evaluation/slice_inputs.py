"""What slices are made of, taken from a word's view of a split at one threshold."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from wakeword.evaluation.calibration import word_scores
from wakeword.evaluation.measure import Part, WordOnSplit
from wakeword.evaluation.slice_words import SliceAlarm, SliceHours, SliceWord, phrase_position
from wakeword.evaluation.store import TrackInfo
from wakeword.evaluation.sweep import outcome
from wakeword.evaluation.track import TruthRow


def slice_words(view: WordOnSplit, phrase: str, threshold: float) -> list[SliceWord]:
    """Every word of every condition."""
    words = []
    for condition, (peaks, rows) in view.conditions.items():
        hit, best = outcome(peaks, threshold).hit, word_scores(peaks)
        for row, was_hit, score in zip(rows, hit.tolist(), best.tolist(), strict=True):
            words.append(
                SliceWord(
                    condition=condition,
                    speaker=row.speaker,
                    source=row.source,
                    hit=was_hit,
                    score=score,
                    duration_s=row.end_s - row.start_s,
                    pitch_hz=row.pitch_hz,
                    accent=row.accent,
                    gender=row.gender,
                    age=row.age,
                    position=phrase_position(row.text, phrase),
                )
            )
    return words


def slice_alarms(view: WordOnSplit, threshold: float) -> tuple[list[SliceAlarm], list[SliceHours]]:
    """Every false alarm in the negatives, and their hours.

    A false alarm belongs to the clip that it comes in or after. A track's hours are shared out among its sources by the
    length of their clips, gaps included.
    """
    alarms, hours = [], []
    for kind, part in view.negatives.items():
        hours += _hours(kind, part)
        false = outcome(part.peaks, threshold).false_alarms
        for number, time_s in zip(part.peaks.track[false].tolist(), part.peaks.time_s[false].tolist(), strict=True):
            alarms.append(SliceAlarm(kind=kind, source=_source_at(part.tracks[number], time_s)))
    return alarms, hours


def _clips(track: TrackInfo) -> Sequence[TruthRow]:
    return sorted((row for row in track.truth if row.role in ("clip", "word")), key=lambda row: row.start_s)


def _source_at(track: TrackInfo, time_s: float) -> str:
    rows = _clips(track)
    place = bisect_right([row.start_s for row in rows], time_s) - 1
    return rows[max(place, 0)].source if rows else track.name


def _hours(kind: str, part: Part) -> list[SliceHours]:
    found = []
    for track, track_hours in zip(part.tracks, part.track_hours, strict=True):
        lengths: dict[str, float] = defaultdict(float)
        for row in _clips(track):
            lengths[row.source] += row.end_s - row.start_s
        if not lengths:
            lengths[track.name] = 1.0
        total = float(np.sum(list(lengths.values())))
        found += [
            SliceHours(kind=kind, source=source, hours=max(0.0, track_hours) * length / total)
            for source, length in lengths.items()
        ]
    return found
