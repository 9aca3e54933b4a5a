"""Analysis of stored scores: detector times and thresholds from val, the verdict from test."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeword import ranking
from wakeword.config.evaluation import EvaluationConfig
from wakeword.evaluation.cascade.compare import cascade_result, fusion_of
from wakeword.evaluation.cascade.store import TriggerStore
from wakeword.evaluation.metrics import det as metrics
from wakeword.evaluation.metrics.calibration import calibrate
from wakeword.evaluation.metrics.detector_times import choose_times, timing_of
from wakeword.evaluation.metrics.measure import Rescore, WordOnSplit, alarm_times, at_threshold, measure_word
from wakeword.evaluation.metrics.near_misses import near_miss_curve, near_miss_floor
from wakeword.evaluation.metrics.readiness import readiness_of, recorded
from wakeword.evaluation.metrics.tail import Tail, fit_tail, tail_curve, tail_events
from wakeword.evaluation.metrics.thresholds import NEVER, Choice, choose_threshold, raise_to
from wakeword.evaluation.report.examples import find_examples
from wakeword.evaluation.results import (
    ClipLevel,
    Det,
    EvaluationReport,
    Oracle,
    SplitResult,
    TargetResult,
    WordResult,
)
from wakeword.evaluation.scoring.store import ScoreStore
from wakeword.evaluation.slices.slices import slice_report
from wakeword.evaluation.slices.words import duration_edges, slice_alarms, slice_words
from wakeword.evaluation.statistics.intervals import hours_needed
from wakeword.runtime.manifest import DetectorSettings

HISTOGRAM_BINS = 40
DET_MAX_FAH = 1000.0
"""Upper end of the stored DET curves, far above the rate of any useful detector."""


@dataclass(frozen=True)
class Analysis:
    """A report, and each word's peaks on test for outcomes and examples."""

    report: EvaluationReport
    test: tuple[WordOnSplit, ...]


def analyse(store: ScoreStore, config: EvaluationConfig, triggers: TriggerStore | None = None) -> Analysis:
    """Compute the report of an evaluation from its stored scores and, if the bundle holds a verifier, its triggers.

    All results are then those of detector and verifier together, which the bundle ships; `WordResult.cascade` compares
    them with each alone.

    Raises DataError for scores that are not finite, for words that overlap, and for detector times with peaks that the
    verifier did not measure.
    """
    rescores = {word["label"]: fusion_of(triggers, word["label"]) for word in store.words} if triggers else {}
    detector, detector_reason = choose_times(store, config, rescores)

    def views_of(label: str, rescore: Rescore | None = None) -> tuple[WordOnSplit, WordOnSplit]:
        return _views(store, label, detector, config, rescore)

    views = [views_of(word["label"], rescores.get(word["label"])) for word in store.words]
    results = []
    for word, (val, test) in zip(store.words, views, strict=True):
        if triggers is None:
            results.append(_word(word, val, test, config))
            continue
        result = _word({**word, "threshold": triggers.words[word["label"]].threshold}, val, test, config)
        judge, own_views = partial(_targets, config=config), partial(views_of, word["label"])
        found = cascade_result(word, result, triggers, store, config, detector, own_views, judge)
        results.append(result.model_copy(update={"cascade": found}))
    report = EvaluationReport(
        confidence=config.confidence,
        words=tuple(results),
        notes=tuple(store.about["notes"]),
        audio_hours=sum(track.duration_s for track in store.tracks) / 3600,
        licences=tuple(tuple(row) for row in store.about["licences"]),
        detector=detector.model_dump(),
        detector_reason=detector_reason,
        provenance=store.about["provenance"],
        evaluation_config=config.model_dump(mode="json"),
    )
    return Analysis(report, tuple(test for _, test in views))


def _views(
    store: ScoreStore, label: str, detector: DetectorSettings, config: EvaluationConfig, rescore: Rescore | None
) -> tuple[WordOnSplit, WordOnSplit]:
    """One word on val and on test."""
    timing = timing_of(detector, store.step_s)
    val, test = (
        measure_word(label, store.of(split), store.scores, timing, config, rescore) for split in ("val", "test")
    )
    return val, test


def _word(word: dict[str, Any], val: WordOnSplit, test: WordOnSplit, config: EvaluationConfig) -> WordResult:
    tail = _tail(val, config)
    targets = _targets(val, test, word["threshold"], config, tail)
    operating = next(target for target in targets if target.fah_target == config.operating_fah)
    clean = test.curves.get("clean")
    alarms_by_audio = slice_alarms(test, operating.threshold)
    sliced = slice_words(test, word["phrase"] or word["label"], operating.threshold, duration_edges(val))
    return WordResult(
        label=word["label"],
        phrase=word["phrase"],
        operating_fah=config.operating_fah,
        frr_area=metrics.frr_area(clean, test.alarms, test.hours) if clean is not None and test.hours > 0 else None,
        clip_level=_clip_level(test),
        targets=targets,
        synthetic_only=recorded(test, operating.threshold).synthetic_only,
        tail=tail_curve(tail, config.confidence) if tail else None,
        det=_det(test),
        near_miss_curve=near_miss_curve(test.near_misses, clean),
        calibration=calibrate(val.scored, test.scored),
        slices=slice_report(sliced, *alarms_by_audio, operating.threshold, config.confidence),
        alarm_times=alarm_times(test, operating.threshold),
        examples=find_examples(test, operating.threshold),
        histogram={name: _histogram(values) for name, values in test.clip_scores.items()},
        cascade=None,
    )


def _targets(
    val: WordOnSplit, test: WordOnSplit, shipped: float, config: EvaluationConfig, tail: Tail | None = None
) -> tuple[TargetResult, ...]:
    """Results at every target; `shipped` is the threshold that is kept if val has no negatives."""
    tail = tail or _tail(val, config)
    return tuple(_target(val, test, target, shipped, config, tail) for target in config.targets)


def _tail(val: WordOnSplit, config: EvaluationConfig) -> Tail | None:
    return fit_tail(tail_events(val), seed=config.seed) if val.hours > 0 else None


def _target(
    val: WordOnSplit, test: WordOnSplit, target: float, shipped: float, config: EvaluationConfig, tail: Tail | None
) -> TargetResult:
    if tail:
        choice = choose_threshold(val.words, val.alarms, tail, target)
        choice = raise_to(choice, near_miss_floor(val.near_misses, config.near_miss_limits))
    else:
        reason = f"val has no negative audio: the threshold {shipped:g} of the bundle is kept"
        choice = Choice(target, shipped, False, reason)
    on_test = _on_split(test, choice.threshold, config)
    readiness = readiness_of(choice, on_test, recorded(test, choice.threshold), config)
    return TargetResult(
        fah_target=target,
        threshold=choice.threshold,
        reached=choice.reached,
        reason=choice.reason,
        state=readiness.state,
        verdict=readiness.verdict,
        hours_needed=hours_needed(target, 0, config.confidence),
        val=_on_split(val, choice.threshold, config),
        test=on_test,
        oracle=_oracle(test, target),
    )


def _on_split(view: WordOnSplit, threshold: float, config: EvaluationConfig) -> SplitResult | None:
    return at_threshold(view, threshold, config) if view.negatives or view.conditions else None


def _oracle(test: WordOnSplit, target: float) -> Oracle | None:
    if test.hours <= 0 or not test.curves:
        return None
    threshold = metrics.oracle_threshold(test.alarms, target * test.hours)
    frr = {name: float(curve.frr(threshold)) for name, curve in test.curves.items()}
    return Oracle(threshold=min(threshold, NEVER), frr=frr)


def _clip_level(test: WordOnSplit) -> ClipLevel | None:
    positive, negative = (test.clip_scores.get(name, np.zeros(0)) for name in ("clean", "other speech"))
    if not len(positive) or not len(negative):
        return None
    return ClipLevel(
        positives=len(positive),
        negatives=len(negative),
        eer=ranking.equal_error_rate(positive, negative),
        roc_auc=ranking.roc_auc(positive, negative),
        pauc=ranking.partial_auc(positive, negative),
    )


def _det(test: WordOnSplit) -> dict[str, Det]:
    curves = {}
    for name, curve in test.curves.items() if test.hours > 0 else ():
        det = metrics.det_curve(curve, test.alarms, test.hours)
        fah, frr = metrics.det_corners(det, DET_MAX_FAH)
        curves[name] = Det(fah=tuple(fah.tolist()), frr=tuple(frr.tolist()))
    return curves


def _histogram(values: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(np.histogram(values, bins=HISTOGRAM_BINS, range=(0.0, 1.0))[0].tolist())
