"""The second stage on tracks: which peaks it measures, on which audio, and the peaks that it leaves.

A *trigger* is a local peak of the smoothed detector score at or above the word's trigger threshold. The verifier
measures each one on the audio from `before` to `after` the peak, silence where there is none, and the peak's score
becomes the fused one. Other peaks are dropped. Events are then found as always (`Peaks.events`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from wakeword.config import SAMPLE_RATE_HZ
from wakeword.errors import DataError
from wakeword.evaluation.metrics.measure import Rescore
from wakeword.evaluation.metrics.threshold_curve import Floats, Ints, Peaks
from wakeword.evaluation.tracks.clips import Audio
from wakeword.evaluation.tracks.track import Track
from wakeword.runtime.events import EventTiming, find_peaks, smooth
from wakeword.runtime.phoneme_path import Float, PathFeatures

FEATURES = tuple(field.name for field in fields(PathFeatures))
INTEGERS = ("start", "end", "pronunciation")
"""Features that are frame or pronunciation numbers; the others are float32."""
BATCH = 8
"""Windows per call of the recogniser."""
JOIN_SAMPLES = SAMPLE_RATE_HZ
"""Windows closer than this are read from the track in one go."""
READ_SAMPLES = 10 * SAMPLE_RATE_HZ
VERIFIER_OFFSET = 4.0
"""Offset of the verifier's own score, so that its log odds lie in the range that thresholds are chosen in."""

Fuse = Callable[[Floats, PathFeatures], NDArray[Any]]
"""From the detector's smoothed scores `(triggers,)` and the features to new scores in (0, 1), `(triggers,)`."""


class PhraseVerifier(Protocol):
    """The second stage of a bundle (`wakeword.runtime.verifier.Verifier`)."""

    @property
    def before_samples(self) -> int:
        """Audio before a peak that is measured."""

    @property
    def after_samples(self) -> int:
        """Audio after a peak that is measured."""

    def log_probs(self, windows: Float) -> Float:
        """Log-probabilities `(n, frames, tokens)` of `windows (n, samples)`."""

    def measure(self, label: str, log_probs: Float) -> PathFeatures:
        """The features of the word's best path in each window."""


@dataclass(frozen=True)
class TrackTriggers:
    """The triggers of one word on one track: `index (triggers,)` rising score numbers, and what the verifier found."""

    index: Ints
    features: PathFeatures


def trigger_index(scores: NDArray[np.float32], timings: Iterable[EventTiming], threshold: float) -> Ints:
    """Score numbers of the triggers in raw `scores (n,)` of one word, with any of the `timings`; rising, distinct."""
    found = [np.zeros(0, dtype=np.int64)]
    # Peaks depend on the smoothing and the NMS window alone.
    for window, hold in {(timing.window, timing.hold) for timing in timings}:
        smoothed = smooth(scores, window) if len(scores) else np.zeros(0)
        index = find_peaks(smoothed, hold)
        found.append(index[smoothed[index] >= threshold])
    return np.unique(np.concatenate(found))


def trigger_audio(track: Track, ends: Ints, before: int, after: int) -> Iterator[Audio]:
    """The samples `[end - before, end + after)` of the track for each of the rising `ends`, float32.

    They are the samples that were scored; before the track and after it there is silence.
    """
    apart = before + after + JOIN_SAMPLES
    # A file is decoded from its start, so it is read once.
    cuts = np.flatnonzero(np.diff(ends) > apart) + 1 if track.random_access else np.zeros(0, dtype=np.int64)
    for run in np.split(ends, cuts) if len(ends) else ():
        yield from _windows(track, run, before, after)


def _windows(track: Track, ends: Ints, before: int, after: int) -> Iterator[Audio]:
    stop = min(track.samples, int(ends[-1]) + after)
    base = min(max(0, int(ends[0]) - before), stop)
    parts = track.blocks(READ_SAMPLES, base, stop)
    held = np.zeros(0, dtype=np.float32)
    for end in ends.tolist():
        first, last = end - before, min(end + after, stop)
        drop = min(max(0, first - base), len(held))
        held, base = held[drop:], base + drop
        while base + len(held) < last:
            held = np.concatenate([held, next(parts)])
        window = np.zeros(before + after, dtype=np.float32)
        start = max(first, base)
        if start < last:
            window[start - first : last - first] = held[start - base : last - base]
        yield window


def measure_triggers(
    verifier: PhraseVerifier, label: str, track: Track, index: Ints, step_samples: int, batch: int = BATCH
) -> PathFeatures:
    """Features of the word's triggers `index (triggers,)` on a track, `(triggers,)` each.

    Raises DataError for features that are not finite.
    """
    windows = trigger_audio(track, (index + 1) * step_samples, verifier.before_samples, verifier.after_samples)
    parts = []
    while part := list(islice(windows, batch)):
        parts.append(verifier.measure(label, verifier.log_probs(np.stack(part))))
    found = join_features(parts)
    if not all(np.isfinite(getattr(found, name)).all() for name in FEATURES):
        raise DataError(f"the verifier gives values that are not finite on track {track.name}: export it again")
    return found


def join_features(parts: Iterable[PathFeatures]) -> PathFeatures:
    """Features of several sets of windows one after the other."""
    kept = list(parts)
    return PathFeatures(
        **{
            name: np.concatenate(
                [
                    np.zeros(0, dtype=np.int64 if name in INTEGERS else np.float32),
                    *(getattr(part, name) for part in kept),
                ]
            )
            for name in FEATURES
        }
    )


def select_features(features: PathFeatures, places: NDArray[Any]) -> PathFeatures:
    """The features of some windows."""
    return PathFeatures(**{name: getattr(features, name)[places] for name in FEATURES})


def verified_peaks(peaks: Peaks, fused: NDArray[Any]) -> Peaks:
    """The peaks with the scores `fused (peaks,)`; those with NaN, which were no triggers, are dropped."""
    kept = np.flatnonzero(~np.isnan(fused))
    names = ("index", "owner", "latency_s", "track", "time_s")
    score = np.asarray(fused, dtype=np.float64)[kept]
    return replace(peaks, score=score, **{name: getattr(peaks, name)[kept] for name in names})


def rescorer(triggers: Mapping[str, TrackTriggers], threshold: float, fuse: Fuse) -> Rescore:
    """The rescoring of a word's peaks by its triggers on each track.

    The function raises DataError for a peak at or above `threshold` that was not measured.
    """

    def rescore(track: str, peaks: Peaks) -> Peaks:
        fused = np.full(len(peaks.index), np.nan)
        fires = np.flatnonzero(peaks.score >= threshold)
        if len(fires):
            own = triggers.get(track)
            wanted = peaks.index[fires]
            place = np.searchsorted(own.index, wanted) if own else np.zeros(0, dtype=np.int64)
            if own is None or np.any(own.index[np.minimum(place, len(own.index) - 1)] != wanted):
                raise DataError(
                    f"the verifier did not measure all triggers of track {track} at these detector times: "
                    "run `wakeword evaluate` again with them"
                )
            fused[fires] = fuse(peaks.score[fires], select_features(own.features, place))
        return verified_peaks(peaks, fused)

    return rescore


def verifier_alone(_: Floats, features: PathFeatures) -> Floats:
    """Scores of the verifier without the detector: twice the mean of the path and its weakest phoneme, as log odds."""
    return expit(VERIFIER_OFFSET + 2.0 * features.mean.astype(np.float64) + features.weakest)
