"""The detector alone, the verifier alone and the fusion of both on one word, each at a threshold chosen on val."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from wakeword.config.evaluation import EvaluationConfig
from wakeword.evaluation.cascade.store import TriggerStore
from wakeword.evaluation.cascade.triggers import rescorer, verifier_alone
from wakeword.evaluation.metrics.calibration import fit_probability_map
from wakeword.evaluation.metrics.detector_times import timing_of
from wakeword.evaluation.metrics.measure import Rescore, WordOnSplit
from wakeword.evaluation.metrics.near_misses import near_miss_curve
from wakeword.evaluation.results import CascadeResult, StageResult, TargetResult, WordResult
from wakeword.evaluation.scoring.store import ScoreStore
from wakeword.runtime.events import find_peaks, smooth
from wakeword.runtime.manifest import DetectorSettings

NO_THRESHOLD = 0.5
"""Threshold of the verifier alone where val has no negatives to choose one with."""

Views = tuple[WordOnSplit, WordOnSplit]
Judge = Callable[[WordOnSplit, WordOnSplit, float], tuple[TargetResult, ...]]
"""From the word on val and on test, and the threshold that is kept without negatives, to the results at all targets."""


def fusion_of(triggers: TriggerStore, label: str) -> Rescore:
    """The peaks of a word with the fused scores of the bundle."""
    return rescorer(triggers.of(label), triggers.words[label].trigger_threshold, triggers.fusion.fused)


def cascade_result(
    word: dict[str, Any],
    fused: WordResult,
    triggers: TriggerStore,
    store: ScoreStore,
    config: EvaluationConfig,
    detector: DetectorSettings,
    views_of: Callable[[Rescore | None], Views],
    judge: Judge,
) -> CascadeResult:
    """Compare the stages on one word.

    Args:
        word: label, phrase and threshold of the detector.
        fused: the results of the fusion.
        triggers: what the verifier found.
        store: the detector's scores.
        config: targets and operating point.
        detector: the detector's times.
        views_of: the word on val and on test with a rescoring of the peaks.
        judge: results at a threshold chosen on val.
    """
    label = word["label"]
    threshold = triggers.words[label].trigger_threshold
    alone = views_of(None)
    verified = views_of(rescorer(triggers.of(label), threshold, verifier_alone))
    targets = judge(*alone, word["threshold"])
    minutes, count = _speech(store, label, threshold, detector)
    probability_map, _ = fit_probability_map(alone[0].scored.positive, alone[0].scored.negative)
    return CascadeResult(
        recogniser=triggers.recogniser,
        before_s=triggers.before_s,
        after_s=triggers.after_s,
        added_latency_s=max(0.0, triggers.after_s - detector.nms_window_s),
        trigger_threshold=threshold,
        stages=(
            _stage("detector", targets, alone[1], config),
            _stage("verifier", judge(*verified, NO_THRESHOLD), verified[1], config),
            StageResult(name="fusion", operating=fused.operating, near_miss_curve=fused.near_miss_curve),
        ),
        detector_targets=targets,
        detector_map=probability_map,
        speech_minutes=minutes,
        triggers_per_minute=count / minutes if minutes else None,
        cpu_ms=triggers.cpu_ms,
    )


def _stage(
    name: Literal["detector", "verifier"],
    targets: tuple[TargetResult, ...],
    test: WordOnSplit,
    config: EvaluationConfig,
) -> StageResult:
    operating = next(target for target in targets if target.fah_target == config.operating_fah)
    curve = near_miss_curve(test.near_misses, test.curves.get("clean"))
    return StageResult(name=name, operating=operating, near_miss_curve=curve)


def _speech(store: ScoreStore, label: str, threshold: float, detector: DetectorSettings) -> tuple[float, int]:
    """Minutes of speech of val and test, and the number of triggers in them."""
    timing = timing_of(detector, store.step_s)
    tracks = [track for track in store.tracks if track.kind == "speech"]
    count = 0
    for track in tracks:
        smoothed = smooth(store.scores(track.name, label), timing.window)
        count += int((smoothed[find_peaks(smoothed, timing.hold)] >= threshold).sum())
    return sum(track.duration_s for track in tracks) / 60, count
