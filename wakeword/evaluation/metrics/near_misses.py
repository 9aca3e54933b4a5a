"""Near misses: phrases that sound like the word, and the share of them that fires, by distance in phonemes.

They are outside FRR and FAH. A detector can reject near misses by missing words, so their share is reported with the
miss rate at every threshold, and with the share of the phrase itself by the same speakers (synthetic voices of the
training data score higher than people).

A near miss fires when its highest peak reaches the threshold. The refractory time after the clip before it is ignored,
since near misses do not follow each other in use.
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
"""Distances from this one on are one group."""
CURVE_POINTS = 100
"""Maximum number of points of the stored curve, evenly sampled."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NearMissClips:
    """Near misses of one word: `score (clips,)` of the highest peak (-inf: none), `distance (clips,)`, speakers."""

    score: Floats
    phoneme_distance: NDArray[np.int64]
    speakers: tuple[str, ...]

    def share(self, threshold: float | Floats) -> Floats:
        """Share of the clips that fires at each threshold, of the same shape; NaN without clips."""
        if not len(self.score):
            return np.full(np.shape(threshold), np.nan)
        return 1 - np.searchsorted(np.sort(self.score), threshold, side="left") / len(self.score)


def near_miss_clips(peaks: Peaks, rows: Sequence[TruthRow], label: str, after_s: float) -> NearMissClips:
    """The near misses of `label` (or of any word) on one track with the peaks `peaks`.

    The peaks of a clip lie between its start and `after_s` after its end, and before the start of the next clip.
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
    """Results on near misses at one threshold; None without clips.

    `hit (words,)`, `speakers`: of the clean words, whether each is detected at the threshold and its speaker.
    """
    if not len(clips.score):
        return None
    fired, distance = clips.score >= threshold, clips.phoneme_distance
    groups = {str(number): distance == number for number in range(1, FAR)}
    groups |= {_name(FAR): distance >= FAR, "unknown": distance < 1}
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
    """FRR of `words` and the share of near misses that fires; None without words or without near misses."""
    if words is None or not words.words or not len(clips.score):
        return None
    levels = np.unique(np.concatenate([[0.0], words.threshold, clips.score[np.isfinite(clips.score)]]))
    levels = np.append(levels, np.nextafter(levels[-1], np.inf))
    levels = levels[np.unique(np.linspace(0, len(levels) - 1, CURVE_POINTS).round().astype(np.int64))]
    frr, share = np.asarray(words.frr(levels)), clips.share(levels)
    return NearMissCurve(threshold=tuple(levels), frr=tuple(frr), fired_share=tuple(share))


@dataclass(frozen=True)
class NearMissFloor:
    """The lowest threshold that keeps all limits, the limit that determines it, and limits without clips."""

    threshold: float
    reason: str
    untested: tuple[int, ...]


def near_miss_floor(clips: NearMissClips, limits: Mapping[int, float]) -> NearMissFloor:
    """The lowest threshold at which at most `limits[d]` of the near misses `d` phonemes away fire.

    The distance `FAR` includes all greater ones. A limit without clips is listed as untested.
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
