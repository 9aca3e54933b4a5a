"""Near misses: phrases that only resemble the word, and how many of them fire, by their distance in phonemes.

A figure of its own, outside FRR and FAH: a detector that ignores near misses can be made by missing words, so the
share that fires stands beside the miss rate at every threshold, and beside how often the very same voices' own phrase
fires (synthetic voices that training heard score higher than people do).

A near miss fires when its highest peak reaches the threshold. An event of the clip before it, which would hold it back
in the track, is left out of account: nobody says near misses one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wakeword.evaluation.metrics.threshold_curve import Curve, Peaks
from wakeword.evaluation.results import FiredShare, NearMissCurve, NearMissResult
from wakeword.evaluation.statistics.intervals import wilson
from wakeword.evaluation.tracks.plan import TruthRow

FAR = 4
"""Distances from here on are told as one."""
CURVE_POINTS = 100
"""The stored curve has at most so many points, evenly taken from those there are."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NearMissClips:
    """Near misses of one word: `score (clips,)` of the highest peak (-inf: none), `distance (clips,)`, speakers."""

    score: Floats
    phoneme_distance: NDArray[np.int64]
    speakers: tuple[str, ...]

    def share(self, threshold: float | Floats) -> Floats:
        """Share of the clips that fires at any thresholds, of the same shape; NaN without clips."""
        if not len(self.score):
            return np.full(np.shape(threshold), np.nan)
        return 1 - np.searchsorted(np.sort(self.score), threshold, side="left") / len(self.score)


def near_miss_clips(peaks: Peaks, rows: Sequence[TruthRow], label: str, after_s: float) -> NearMissClips:
    """The near misses of `label` (or of any word) on one track with these peaks.

    A clip's peaks lie from its start to `after_s` past its end, but not past the start of the clip after it.
    """
    near = sorted((row for row in rows if row.role == "near_miss"), key=lambda row: row.start_s)
    scores, kept = [], []
    for place, row in enumerate(near):
        if row.word not in ("", label):
            continue
        end_s = row.end_s + after_s
        if place + 1 < len(near):
            end_s = min(end_s, max(row.end_s, near[place + 1].start_s))
        first, last = np.searchsorted(peaks.time_s, [row.start_s, end_s], side="left")
        scores.append(float(peaks.score[first:last].max(initial=-np.inf)))
        kept.append(row)
    distance = np.asarray([row.phoneme_distance for row in kept], dtype=np.int64)
    return NearMissClips(np.asarray(scores, dtype=np.float64), distance, tuple(row.speaker for row in kept))


def join_near_misses(parts: Sequence[NearMissClips]) -> NearMissClips:
    """Clips of several tracks together."""
    return NearMissClips(
        np.concatenate([np.zeros(0), *(part.score for part in parts)]),
        np.concatenate([np.zeros(0, dtype=np.int64), *(part.phoneme_distance for part in parts)]),
        tuple(speaker for part in parts for speaker in part.speakers),
    )


def near_miss_result(
    clips: NearMissClips, threshold: float, hit: NDArray[np.bool_], speakers: Sequence[str], confidence: float
) -> NearMissResult | None:
    """Everything about near misses at one threshold; None without clips.

    `hit (words,)`, `speakers`: of the clean words, whether each fires at the threshold and who says it.
    """
    if not len(clips.score):
        return None
    fired = clips.score >= threshold
    groups: dict[str, NDArray[np.bool_]] = {}
    for number in range(1, FAR):
        groups[str(number)] = clips.phoneme_distance == number
    groups[_name(FAR)] = clips.phoneme_distance >= FAR
    groups["unknown"] = clips.phoneme_distance < 1
    shared = (set(clips.speakers) & set(speakers)) - {""}
    own = np.asarray([speaker in shared for speaker in speakers], dtype=bool)
    return NearMissResult(
        **_share(fired, confidence).model_dump(),
        by_distance={name: _share(fired[inside], confidence) for name, inside in groups.items() if inside.any()},
        own_phrase=_share(np.asarray(hit)[own], confidence) if own.any() else None,
        shared_speakers=len(shared),
    )


def _share(fired: NDArray[np.bool_], confidence: float) -> FiredShare:
    count = int(fired.sum())
    return FiredShare(clips=len(fired), fired=count, wilson=wilson(count, len(fired), confidence))


def _name(distance: int) -> str:
    return f"{distance} or more" if distance >= FAR else str(distance)


def near_miss_curve(clips: NearMissClips, words: Curve | None) -> NearMissCurve | None:
    """FRR of `words` against the share of near misses that fires; None where there are none of either."""
    if words is None or not words.words or not len(clips.score):
        return None
    levels = np.unique(np.concatenate([[0.0], words.threshold, clips.score[np.isfinite(clips.score)]]))
    levels = np.append(levels, np.nextafter(levels[-1], np.inf))
    levels = levels[np.unique(np.linspace(0, len(levels) - 1, CURVE_POINTS).round().astype(np.int64))]
    frr, share = np.asarray(words.frr(levels)), clips.share(levels)
    return NearMissCurve(threshold=tuple(levels), frr=tuple(frr), fired_share=tuple(share))


@dataclass(frozen=True)
class NearMissFloor:
    """The lowest threshold that keeps every limit, the limit that decides it, and limits that could not be tested."""

    threshold: float
    reason: str
    untested: tuple[int, ...]


def near_miss_floor(clips: NearMissClips, limits: Mapping[int, float]) -> NearMissFloor:
    """The lowest threshold at which at most `limits[d]` of the near misses `d` phonemes away fire.

    The last distance (`FAR`) stands for itself and all beyond. A limit without clips to test it on is named, not kept.
    """
    floor, reason, untested = 0.0, "", []
    for distance, limit in sorted(limits.items()):
        inside = clips.phoneme_distance >= FAR if distance == FAR else clips.phoneme_distance == distance
        scores = np.sort(clips.score[inside])[::-1]
        if not len(scores):
            untested.append(distance)
            continue
        allowed = int(np.floor(limit * len(scores) + 1e-9))
        least = float(np.nextafter(scores[allowed], np.inf)) if allowed < len(scores) else 0.0
        if least > floor:
            floor = least
            reason = (
                f"at most {100 * limit:g} % of the {len(scores)} near misses {_name(distance)} "
                f"phoneme{'' if distance == 1 else 's'} away may fire on val"
            )
    return NearMissFloor(floor, reason, tuple(untested))
