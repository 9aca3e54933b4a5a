"""Measurements of one word on one split: peaks per condition, false alarms over all negative audio, clip scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from wakeword.config.evaluation import EvaluationConfig
from wakeword.evaluation.metrics import det as metrics
from wakeword.evaluation.metrics.calibration import ScoredClips, stretch_scores, word_scores
from wakeword.evaluation.metrics.near_misses import (
    NearMissClips,
    join_near_misses,
    near_miss_clips,
    near_miss_result,
)
from wakeword.evaluation.metrics.threshold_curve import (
    Curve,
    HitWindow,
    Peaks,
    Truth,
    add_curves,
    join_peaks,
    outcome,
    sweep,
    track_peaks,
)
from wakeword.evaluation.results import AlarmTimes, ConditionResult, NearMissResult, SplitResult
from wakeword.evaluation.scoring.store import TrackInfo
from wakeword.evaluation.statistics.intervals import alarm_rate, speaker_bootstrap, speaker_wilson, wilson
from wakeword.evaluation.tracks.track import TruthRow
from wakeword.runtime.events import EventTiming

_Highest = Callable[[float, float], float]
"""The highest score of a section of a track, from its start and end in seconds."""
Rescore = Callable[[str, Peaks], Peaks]
"""From a track's name and the detector's peaks there to the peaks with the scores of a second stage."""
AROUND_WORDS = "around the words"
"""False alarms in the clean positive tracks, before the words and in the quiet after them."""


@dataclass(frozen=True)
class NegativeAudio:
    """Negative audio of one kind: its peaks, and the hours in which an event is a false alarm.

    `tracks`, `track_hours`: in the order of `peaks.track`.
    """

    peaks: Peaks
    hours: float
    alarms: Curve
    tracks: tuple[TrackInfo, ...]
    track_hours: tuple[float, ...]


@dataclass(frozen=True)
class WordOnSplit:
    """Measurements of one word on all tracks of a split.

    `conditions`: peaks and truth rows of the words per condition, over all tracks. `negatives`: negative audio by kind;
    `alarms` and `hours` are its totals. `near_misses`: near misses of this word. `clip_scores`: highest raw score of
    each clip, per condition and for `other speech`.
    """

    label: str
    conditions: dict[str, tuple[Peaks, list[TruthRow]]]
    curves: dict[str, Curve]
    negatives: dict[str, NegativeAudio]
    alarms: Curve
    hours: float
    near_misses: NearMissClips
    clip_scores: dict[str, NDArray[np.float64]]
    scored: ScoredClips
    """Words of all conditions and clips of speech and noise, each with its highest smoothed score."""

    @property
    def words(self) -> Curve:
        """Curve of the words of all conditions."""
        return add_curves(self.curves.values())


def measure_word(
    label: str,
    tracks: Sequence[TrackInfo],
    read: Callable[[str, str], NDArray[np.float32]],
    timing: EventTiming,
    config: EvaluationConfig,
    rescore: Rescore | None = None,
) -> WordOnSplit:
    """Measure the word `label` on tracks; `read(track, label)` returns its raw scores `(n,)` on a track.

    `rescore`: the second stage, if there is one. The scores of clips are then those of their highest peak, 0 without
    one.

    False alarms are counted over all negative tracks and the *clean* positive tracks (of this word outside the windows
    of its utterances, of other words everywhere). The other conditions repeat the same clips, so their false alarms are
    reported per condition and are not in the total rate. The words of a recording with truth are a condition, and the
    rest of the recording is negative audio.
    """
    window = HitWindow(config.hit_before_s, config.hit_after_s)
    found = _Measurements(label, window.after_s)
    for track in tracks:
        own = track.kind == "positives" and track.word == label
        if track.kind == "positives" and not own and track.condition != "clean":
            continue
        rows = sorted((r for r in track.truth if r.role == "word" and r.word == label), key=lambda r: r.start_s)
        ignored = [row for row in track.truth if row.role == "ignored" and row.word == label]
        truth = Truth.of(_spans(rows), _spans(ignored))
        values = read(track.name, label)
        peaks = track_peaks(values, truth, window, timing)
        highest = partial(_highest_score, values, timing.step_s)
        if rescore is not None:
            peaks = rescore(track.name, peaks)
            highest = partial(_highest_peak, peaks)
        if own or (track.kind == "recording" and rows):
            found.add_words(track, peaks, rows, highest)
        if track.kind == "near_misses":
            found.near.append(near_miss_clips(peaks, track.truth, label, window.after_s))
        elif not own or track.condition == "clean":
            found.add_negatives(track, peaks, rows, ignored)
        if track.kind in ("speech", "noise"):
            found.add_clips(track, peaks, ignored, highest)
    return found.joined()


def _spans(rows: Sequence[TruthRow]) -> list[tuple[float, float]]:
    return [(row.start_s, row.end_s) for row in rows]


class _Measurements:
    """Measurements of one word on the tracks added so far."""

    def __init__(self, label: str, after_s: float) -> None:
        self.label, self.after_s = label, after_s
        self.near: list[NearMissClips] = []
        self._conditions: dict[str, list[tuple[Peaks, list[TruthRow]]]] = {}
        self._negatives: dict[str, list[tuple[Peaks, float, TrackInfo]]] = {}
        self._highest: dict[str, list[NDArray[np.float64]]] = {}
        self._others: list[NDArray[np.float64]] = []

    def add_words(self, track: TrackInfo, peaks: Peaks, rows: list[TruthRow], highest: _Highest) -> None:
        self._conditions.setdefault(track.condition, []).append((peaks, rows))
        self._highest.setdefault(track.condition, []).append(_clip_scores(highest, rows, self.after_s))

    def add_negatives(
        self, track: TrackInfo, peaks: Peaks, rows: Sequence[TruthRow], ignored: Sequence[TruthRow]
    ) -> None:
        own = track.kind == "positives" and track.word == self.label
        kind = {"positives": AROUND_WORDS if own else "other wake words"}.get(track.kind, track.kind)
        taken = _spans(ignored) + [(row.start_s, row.end_s + self.after_s) for row in rows]
        self._negatives.setdefault(kind, []).append((peaks, (track.duration_s - _covered(taken)) / 3600, track))

    def add_clips(self, track: TrackInfo, peaks: Peaks, ignored: Sequence[TruthRow], highest: _Highest) -> None:
        containing = {row.clip_id for row in ignored}
        others = [row for row in track.truth if row.role == "clip" and row.clip_id not in containing]
        self._others.append(stretch_scores(peaks, others))
        if track.kind == "speech":
            self._highest.setdefault("other speech", []).append(_clip_scores(highest, others, 0.0))

    def joined(self) -> WordOnSplit:
        joined = {
            name: (join_peaks([peaks for peaks, _ in parts]), [row for _, rows in parts for row in rows])
            for name, parts in self._conditions.items()
        }
        parts = {}
        for kind, members in self._negatives.items():
            peaks = join_peaks([member for member, _, _ in members])
            tracks, hours = tuple(track for _, _, track in members), tuple(hours for _, hours, _ in members)
            parts[kind] = NegativeAudio(peaks, sum(hours), sweep(peaks), tracks, hours)
        return WordOnSplit(
            label=self.label,
            conditions=joined,
            curves={name: sweep(peaks) for name, (peaks, _) in joined.items()},
            negatives=parts,
            alarms=add_curves(part.alarms for part in parts.values()),
            hours=sum(part.hours for part in parts.values()),
            near_misses=join_near_misses(self.near),
            clip_scores={name: np.concatenate(values) for name, values in self._highest.items()},
            scored=ScoredClips(
                np.concatenate([np.zeros(0), *(word_scores(peaks) for peaks, _ in joined.values())]),
                np.concatenate([np.zeros(0), *self._others]),
            ),
        )


def _covered(spans: Sequence[tuple[float, float]]) -> float:
    """Seconds covered by spans that may overlap."""
    total, covered = 0.0, -np.inf
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, covered))
        covered = max(covered, end)
    return total


def _clip_scores(highest: _Highest, rows: Sequence[TruthRow], after_s: float) -> NDArray[np.float64]:
    """Highest score in each row's section of the track."""
    return np.asarray([highest(row.start_s, row.end_s + after_s) for row in rows], dtype=np.float64)


def _highest_score(scores: NDArray[np.float32], step_s: float, start_s: float, end_s: float) -> float:
    """Highest raw score of a section."""
    first = min(max(0, round(start_s / step_s) - 1), len(scores) - 1)
    last = max(first + 1, round(end_s / step_s))
    return float(scores[first:last].max())


def _highest_peak(peaks: Peaks, start_s: float, end_s: float) -> float:
    """Highest peak of a section, 0 without one."""
    first, last = np.searchsorted(peaks.time_s, [start_s, end_s], side="left")
    return float(peaks.score[first:last].max(initial=0.0))


def alarm_times(view: WordOnSplit, threshold: float) -> AlarmTimes:
    """Times of the false alarms in the negative audio, tracks one after the other."""
    at_h, kinds, passed_s = [], [], 0.0
    for kind, part in view.negatives.items():
        starts_s = passed_s + np.cumsum([0.0, *(track.duration_s for track in part.tracks)])
        false = outcome(part.peaks, threshold).false_alarms
        at_h += ((starts_s[part.peaks.track[false]] + part.peaks.time_s[false]) / 3600).tolist()
        kinds += [kind] * len(false)
        passed_s = float(starts_s[-1])
    return AlarmTimes(at_h=tuple(at_h), kinds=tuple(kinds), total_h=passed_s / 3600)


def at_threshold(view: WordOnSplit, threshold: float, config: EvaluationConfig) -> SplitResult:
    """Results of one split at one threshold."""
    by_kind = {
        kind: alarm_rate(int(part.alarms.at(threshold)[1]), part.hours, config.confidence)
        for kind, part in view.negatives.items()
    }
    return SplitResult(
        alarms=alarm_rate(int(view.alarms.at(threshold)[1]), view.hours, config.confidence),
        by_kind=by_kind,
        conditions=tuple(
            _condition(name, peaks, [row.speaker for row in rows], threshold, config)
            for name, (peaks, rows) in view.conditions.items()
        ),
        near_misses=_near_misses(view, threshold, config.confidence),
    )


def _condition(
    name: str, peaks: Peaks, speakers: Sequence[str], threshold: float, config: EvaluationConfig
) -> ConditionResult:
    result = outcome(peaks, threshold)
    missed = int(np.sum(~result.hit))
    p50_s, p95_s = metrics.latency(result.latency_s) or (None, None)
    bootstrap = speaker_bootstrap(~result.hit, speakers, config.confidence, config.seed)
    return ConditionResult(
        condition=name,
        words=peaks.words,
        missed=missed,
        speakers=len(set(speakers)),
        frr=missed / peaks.words,
        wilson=wilson(missed, peaks.words, config.confidence),
        bootstrap=bootstrap,
        by_speaker=speaker_wilson(~result.hit, speakers, config.confidence),
        latency_p50_s=p50_s,
        latency_p95_s=p95_s,
        duplicates=result.duplicates,
        false_alarms=len(result.false_alarms),
    )


def _near_misses(view: WordOnSplit, threshold: float, confidence: float) -> NearMissResult | None:
    hit = np.zeros(0, dtype=bool)
    speakers: list[str] = []
    if "clean" in view.conditions:
        peaks, rows = view.conditions["clean"]
        speakers = [row.speaker for row in rows]
        hit = outcome(peaks, threshold).hit
    return near_miss_result(view.near_misses, threshold, hit, speakers, confidence)
