"""What slices are made of, taken from a word's view of a split at one threshold."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from wakeword.evaluation.metrics.calibration import word_scores
from wakeword.evaluation.metrics.measure import Part, WordOnSplit
from wakeword.evaluation.metrics.threshold_curve import outcome
from wakeword.evaluation.scoring.store import TrackInfo
from wakeword.evaluation.slices.words import SliceAlarm, SliceHours, SliceWord, phrase_position


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


def _source_at(track: TrackInfo, time_s: float) -> str:
    row = track.clip_at(time_s) or next(iter(track.clips), None)
    return row.source if row is not None else track.name


def _hours(kind: str, part: Part) -> list[SliceHours]:
    found = []
    for track, track_hours in zip(part.tracks, part.track_hours, strict=True):
        lengths: dict[str, float] = defaultdict(float)
        for row in track.clips:
            lengths[row.source] += row.end_s - row.start_s
        if not lengths:
            lengths[track.name] = 1.0
        total = float(np.sum(list(lengths.values())))
        found += [
            SliceHours(kind=kind, source=source, hours=max(0.0, track_hours) * length / total)
            for source, length in lengths.items()
        ]
    return found
