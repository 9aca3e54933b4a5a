"""Cost of all figures of a long evaluation: 100 h of scores every 10 ms with 5,000 words, every threshold exact.

    python -m benchmarks.metrics [--quick] [--json FILE]

Timed, from raw scores in memory on: peaks, sweep, whole DET and its corners, FRR at four FAH, FAH at a threshold, area
under FRR, outcome and latency. Two kinds of scores: `quiet`, low with bumps at words and elsewhere as those of a
detector, and `noise` without correlation, which has the largest number of peaks. Each kind runs in a separate process.
Seconds are processor time, which depends little on other load; making the scores is not timed.

The reference is a loop in plain Python that smooths once and then searches all scores for peaks and events at each of
`THRESHOLDS` thresholds (the sweep has 60,000 to 160,000). It is timed on one track of an hour and scaled. Its counts
and latencies must equal those of the sweep; on a shorter track it runs at *every* threshold, and curve, DET, FRR at FAH
and area must be bitwise equal.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Bar, python, run
from wakeword.evaluation.metrics import det as metrics
from wakeword.evaluation.metrics.threshold_curve import (
    Curve,
    HitWindow,
    Peaks,
    Truth,
    join_peaks,
    outcome,
    sweep,
    track_peaks,
)
from wakeword.runtime.events import EventTiming
from wakeword.system.resources import peak_rss_mib

STEP_S = 0.01
TIMING = EventTiming.from_seconds(STEP_S, smoothing_s=0.06, nms_window_s=0.1, refractory_s=1.0)
WINDOW = HitWindow(before_s=0.2, after_s=1.0)
WORDS_PER_HOUR = 50
FAH_TARGETS = (0.05, 0.1, 0.5, 1.0)
THRESHOLDS = 200
KINDS = ("quiet", "noise")
WHOLE_S = 180.0
"""Length of the track on which the plain loop runs at every threshold."""

Scores = NDArray[np.float32]


def track(kind: str, number: int, seconds: float = 3600.0) -> tuple[Scores, Truth]:
    """Scores `(n,)` of one track and the words in it."""
    rng = np.random.default_rng([KINDS.index(kind), number])
    count, words = round(seconds / STEP_S), round(WORDS_PER_HOUR * seconds / 3600)
    spacing_s = seconds / words
    ends_s = (np.arange(words) + rng.uniform(0.2, 0.8, words)) * spacing_s
    truth = Truth.of([(end - 0.6, end) for end in ends_s.tolist()])
    if kind == "noise":
        return rng.random(count, dtype=np.float32), truth
    scores = np.convolve(0.2 * rng.random(count) ** 4, np.full(8, 1 / 8), mode="same")
    others = round(300 * seconds / 3600)
    middle_s = np.append(ends_s + rng.uniform(0.0, 0.4, words), rng.uniform(1.0, seconds - 1.0, others))
    height = np.append(rng.beta(6, 1, words), rng.beta(1, 5, others))
    for at, top in zip(np.round(middle_s / STEP_S).astype(int).tolist(), height.tolist(), strict=True):
        width = int(rng.integers(10, 30))
        part = scores[max(0, at - width) : at + width]
        part += top * np.hanning(2 * width)[: len(part)]
    return np.clip(scores, 0, 1).astype(np.float32), truth


def figures(curve: Curve, peaks: Peaks, hours: float) -> dict[str, Any]:
    """Every figure of the evaluation that is made from events."""
    det = metrics.det_curve(curve, curve, hours)
    threshold = metrics.oracle_threshold(curve, 0.5 * hours)
    played = outcome(peaks, threshold)
    return {
        "det": [det.threshold[:-1].tolist(), det.fah.tolist(), det.frr.tolist()],
        "corners": [part.tolist() for part in metrics.det_corners(det, 1000.0)],
        "frr": [float(curve.frr(metrics.oracle_threshold(curve, target * hours))) for target in FAH_TARGETS],
        "fah": float(curve.at(0.5)[1]) / hours,
        "area": metrics.frr_area(curve, curve, hours),
        "played": [int(played.hit.sum()), len(played.false_alarms)],
        "latency_s": metrics.latency(played.latency_s),
    }


def plain(scores: Sequence[float], truth: Truth, thresholds: Sequence[float]) -> list[tuple[int, int, list[float]]]:
    """Hits, false alarms and latencies at each threshold, score by score."""
    smoothed = []
    whole = [round(score * 65536) / 65536 for score in scores]
    for place in range(len(whole)):
        window = whole[max(0, place - TIMING.window + 1) : place + 1]
        smoothed.append(sum(window) / len(window))
    ends_s = truth.word_end_s.tolist()
    opens_s = [end - WINDOW.before_s - 1e-6 * STEP_S for end in ends_s]
    found = []
    for threshold in thresholds:
        hit: dict[int, float] = {}
        alarms, next_event = 0, 0
        for place, score in enumerate(smoothed):
            if score < threshold or place < next_event or not _is_peak(smoothed, place):
                continue
            next_event = place + TIMING.refractory
            time_s = (place + 1) * STEP_S
            word = bisect_right(opens_s, time_s) - 1
            if word < 0 or time_s > ends_s[word] + WINDOW.after_s + 1e-6 * STEP_S or word in hit:
                alarms += 1
            else:
                hit[word] = time_s - ends_s[word]
        found.append((len(hit), alarms, list(hit.values())))
    return found


def _is_peak(smoothed: Sequence[float], place: int) -> bool:
    score, hold = smoothed[place], TIMING.hold
    before, after = smoothed[max(0, place - hold) : place], smoothed[place + 1 : place + 1 + hold]
    return (not before or score > max(before)) and (not after or score >= max(after))


def compare(kind: str, seconds: float) -> tuple[float, bool]:
    """Seconds of the plain loop on one track, and whether its results equal those of the sweep."""
    scores, truth = track(kind, 0, seconds)
    levels = ((np.arange(THRESHOLDS) + 0.5) / THRESHOLDS).tolist()
    began = time.process_time()
    found = plain(scores.tolist(), truth, levels)
    taken_s = time.process_time() - began
    peaks = track_peaks(scores, truth, WINDOW, TIMING)
    curve, same = sweep(peaks), True
    for level, (hits, alarms, latencies) in zip(levels, found, strict=True):
        played = outcome(peaks, level)
        same &= tuple(int(part) for part in curve.at(level)) == (hits, alarms)
        same &= played.latency_s[played.hit].tolist() == latencies
    return taken_s, same and _same_at_every_threshold(kind)


def _same_at_every_threshold(kind: str) -> bool:
    scores, truth = track(kind, 1, WHOLE_S)
    peaks, hours = track_peaks(scores, truth, WINDOW, TIMING), WHOLE_S / 3600
    levels = np.unique(peaks.score)
    hits, alarms, _ = zip(*plain(scores.tolist(), truth, levels.tolist()), strict=True)
    by_hand = Curve(levels, np.asarray(hits), np.asarray(alarms), len(truth.word_end_s))
    return figures(by_hand, peaks, hours) == figures(sweep(peaks), peaks, hours)


def child(kind: str, tracks: int, plain_s: float) -> None:
    """Measure one kind of scores in this process; prints the figures as JSON."""
    peaks_s, parts = 0.0, []
    for number in range(tracks):
        scores, truth = track(kind, number)
        began = time.process_time()
        parts.append(track_peaks(scores, truth, WINDOW, TIMING))
        peaks_s += time.process_time() - began
    marks = [time.process_time()]
    peaks = join_peaks(parts)
    curve = sweep(peaks)
    marks.append(time.process_time())
    figures(curve, peaks, float(tracks))
    marks.append(time.process_time())
    taken = {"peaks_s": peaks_s, "sweep_s": marks[1] - marks[0], "figures_s": marks[2] - marks[1]}
    sizes = {"peaks": len(peaks.index), "thresholds": len(curve.threshold), "peak_mb": peak_rss_mib() * 1.048576}
    plain_loop_s, same = compare(kind, plain_s)
    print(json.dumps({**taken, **sizes, "plain_s": plain_loop_s * tracks * 3600 / plain_s, "same": same}))


def measure(args: argparse.Namespace) -> list[Bar]:
    """Both kinds, each in a separate process."""
    tracks, plain_s = (5, 900.0) if args.quick else (100, 3600.0)
    bars = []
    for kind in KINDS:
        code = f"from benchmarks.metrics import child; child({kind!r}, {tracks}, {plain_s})"
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        found = json.loads(python("-c", code, environment=one_thread))
        taken = {name: found[f"{name}_s"] for name in ("peaks", "sweep", "figures")}
        total = sum(taken.values())
        bars += [Bar(f"{kind}: {name}", seconds, "s") for name, seconds in taken.items()]
        bars += [
            Bar(f"{kind}: all figures of {tracks} h", total, "s", 20),
            Bar(f"{kind}: peak memory", found["peak_mb"], "MB", 1000),
            Bar(f"{kind}: peaks", found["peaks"], ""),
            Bar(f"{kind}: thresholds, all exact", found["thresholds"], ""),
            Bar(f"{kind}: plain loop, {THRESHOLDS} thresholds ({plain_s / 3600:g} h, scaled)", found["plain_s"], "s"),
            Bar(f"{kind}: times as fast as the plain loop", found["plain_s"] / total, "x", 50, "least"),
            Bar(f"{kind}: figures equal to the plain loop's", float(found["same"]), "(1 is yes)", 1, "least"),
        ]
    return bars


if __name__ == "__main__":
    sys.exit(run("metrics", measure))
