"""The protocol: tracks from val and test, scores by the shipped graph, thresholds from val, the verdict from test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wakeword.config import Config, WordConfig
from wakeword.config.evaluation import EvaluationConfig
from wakeword.data.shards import ShardSet
from wakeword.errors import DataError
from wakeword.evaluation import metrics
from wakeword.evaluation.intervals import hours_needed
from wakeword.evaluation.measure import WordOnSplit, at_threshold, listen
from wakeword.evaluation.near_misses import near_miss_curve, near_miss_floor
from wakeword.evaluation.outcomes import OUTCOMES_NAME, write_outcomes
from wakeword.evaluation.recordings import with_recordings
from wakeword.evaluation.report import write_html
from wakeword.evaluation.results import (
    ClipLevel,
    Det,
    EvaluationReport,
    Oracle,
    SplitResult,
    TargetResult,
    WordResult,
)
from wakeword.evaluation.scoring import Runner, score_tracks
from wakeword.evaluation.store import write_scores, write_truth
from wakeword.evaluation.thresholds import NEVER, Choice, choose_threshold, raise_to
from wakeword.evaluation.tracks import Track, TrackPlan, plan_tracks
from wakeword.evaluation.wording import number, percent
from wakeword.runtime.bundle import VARIANTS, Bundle, BundleWord, load_bundle
from wakeword.runtime.events import EventTiming
from wakeword.system.files import sha256_of
from wakeword.system.ray_session import ray_session

REPORT_NAME = "report.json"
HISTOGRAM_BINS = 40
DET_MAX_FAH = 1000.0
"""The stored DET curves end here: nobody ships such a detector, and the corners beyond are many."""


@dataclass(frozen=True)
class _Scored:
    plan: TrackPlan
    scores: list[NDArray[np.float32]]


def evaluate(
    bundle_dir: str | Path,
    prepared_dir: str | Path,
    config: Config,
    out_dir: str | Path,
    run_dir: str | Path | None = None,
    command: str = "",
    progress: Callable[[float, float], None] | None = None,
    runner: Runner = "local",
    cache_dir: str | Path | None = None,
    variant: str = "float32",
) -> EvaluationReport:
    """Evaluate a bundle on the val and test clips of prepared data.

    Writes `scores.parquet`, `truth.parquet`, `outcomes.parquet`, `report.html` and, last, `report.json` into `out_dir`.

    Args:
        bundle_dir: bundle folder or zip; its words, detector times and graph are what is evaluated.
        prepared_dir: folder that `prepare` wrote.
        config: only its `evaluation` section counts, and with `ray` its `compute`.
        out_dir: made if need be; files of an earlier evaluation in it are replaced.
        run_dir: a run whose `metrics.jsonl` gives the report its training curves.
        command: how to reproduce the report, printed in it.
        progress: hears `(scored_s, total_s)` of audio as stretches of tracks are done.
        runner: `ray` scores on the workers of Ray Data, joined or started as `compute` says.
        cache_dir: scores are kept in this folder and found again by their content.
        variant: precision of the bundle's model, float32 or int8.

    Raises:
        BundleError: the bundle is damaged or fails.
        DataError: the data holds neither val nor test clips, a recording's truth does not fit, or scores are not
            finite.
    """
    bundle, shards = load_bundle(bundle_dir, variant), ShardSet.open(prepared_dir)
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    (out / REPORT_NAME).unlink(missing_ok=True)
    words = [WordConfig(label=word.label, phrase=word.phrase) for word in bundle.manifest.words]
    refractory_s = bundle.manifest.detector.refractory_s
    plans = [
        with_recordings(plan, words, config.evaluation, refractory_s)
        for plan in _plans(shards, words, config.evaluation)
    ]
    with ray_session(config) if runner == "ray" else nullcontext():
        cache = Path(cache_dir) if cache_dir else None
        workers = config.compute.data_cpus if runner == "ray" else None
        scored = _score(bundle, plans, progress, partial(score_tracks, workers=workers, runner=runner, cache_dir=cache))
    about = _provenance(bundle, shards)
    tracks = [track for part in scored.values() for track in part.plan.tracks]
    everything = [values for part in scored.values() for values in part.scores]
    write_scores(out / "scores.parquet", tracks, everything, bundle.labels, bundle.step_s, about)
    write_truth(out / "truth.parquet", tracks, about)
    views = [_views(bundle, column, scored, config.evaluation) for column in range(len(words))]
    results = tuple(
        _word(word, *view, config.evaluation) for word, view in zip(bundle.manifest.words, views, strict=True)
    )
    thresholds = [result.operating.threshold for result in results]
    write_outcomes(out / OUTCOMES_NAME, [view[1] for view in views], thresholds, about)
    report = EvaluationReport(
        confidence=config.evaluation.confidence,
        words=results,
        notes=tuple(note for plan in plans for note in plan.notes),
        audio_hours=sum(track.duration_s for track in tracks) / 3600,
        licences=_licences(plans),
        detector=bundle.manifest.detector.model_dump(),
        provenance=about,
        evaluation_config=config.evaluation.model_dump(mode="json"),
    )
    write_html(report, out / "report.html", run_dir=Path(run_dir) if run_dir else None, command=command)
    report.save(out / REPORT_NAME)
    return report


def _plans(shards: ShardSet, words: Sequence[WordConfig], config: EvaluationConfig) -> list[TrackPlan]:
    tables = {split: shards.table(split) for split in shards.splits}
    plans = [plan_tracks(tables, split, words, config, shards.root) for split in ("val", "test") if split in tables]
    if not any(plan.tracks for plan in plans):
        raise DataError(f"{shards.root} holds no val or test clips to evaluate on: prepare data with those splits")
    missing = [split for split in ("val", "test") if split not in tables]
    return plans + [TrackPlan(split, (), (f"the prepared data holds no {split} split",)) for split in missing]


def _score(
    bundle: Bundle,
    plans: Sequence[TrackPlan],
    progress: Callable[[float, float], None] | None,
    score: Callable[..., list[NDArray[np.float32]]],
) -> dict[str, _Scored]:
    """All tracks of all splits at once, so that batches are full."""
    tracks = [track for plan in plans for track in plan.tracks]
    total_s, done_s = sum(track.duration_s for track in tracks), 0.0

    def hear(seconds: float) -> None:
        nonlocal done_s
        done_s += seconds
        if progress is not None:
            progress(done_s, total_s)

    scores = iter(score(bundle, tracks, progress=hear))
    return {plan.split: _Scored(plan, [next(scores) for _ in plan.tracks]) for plan in plans}


def _provenance(bundle: Bundle, shards: ShardSet) -> dict[str, str]:
    return {
        "bundle": bundle.manifest.name,
        "model_sha256": bundle.manifest.files[VARIANTS[bundle.variant]].sha256,
        "precision": bundle.variant,
        "manifest_sha256": sha256_of(shards.root / "manifest.parquet"),
        "prepared_config_hash": shards.config_hash,
    }


def _licences(plans: Sequence[TrackPlan]) -> tuple[tuple[str, str, str, int], ...]:
    """Sources and licences of everything that is heard in the tracks, mixed-in noise and rooms included."""
    used: dict[tuple[int, int], tuple[str, str, str]] = {}

    def take(track: Track, rows: Sequence[int], split: str, table: object) -> None:
        source, licence = (table.column(name) for name in ("source", "licence"))  # type: ignore[attr-defined]
        for row in rows:
            used.setdefault((id(table), row), (source[row].as_py(), licence[row].as_py(), split))

    for plan in plans:
        for track in plan.tracks:
            take(track, [piece.row for piece in track.pieces], plan.split, track.clips.table)
            for pool in (track.noise, track.rooms):
                if pool is not None:
                    take(track, pool.rows, pool.split, pool.clips.table)
    return tuple((*key, count) for key, count in sorted(Counter(used.values()).items()))


def _views(
    bundle: Bundle, column: int, scored: dict[str, _Scored], config: EvaluationConfig
) -> tuple[WordOnSplit, WordOnSplit]:
    """One word on val and on test."""
    label, settings = bundle.labels[column], bundle.manifest.detector
    timing = EventTiming.from_seconds(bundle.step_s, settings.smoothing_s, settings.peak_hold_s, settings.refractory_s)
    val, test = (
        listen(label, column, scored[split].plan.tracks, scored[split].scores, timing, config)
        for split in ("val", "test")
    )
    return val, test


def _word(word: BundleWord, val: WordOnSplit, test: WordOnSplit, config: EvaluationConfig) -> WordResult:
    targets = tuple(_target(val, test, target, word.threshold, config) for target in config.targets)
    clean = test.curves.get("clean")
    area = None
    if clean is not None and test.hours > 0:
        area = metrics.frr_area(clean, test.alarms, test.hours)
    return WordResult(
        label=word.label,
        phrase=word.phrase,
        operating_fah=config.operating_fah,
        frr_area=area,
        clip_level=_clip_level(test),
        targets=targets,
        det=_det(test),
        near_miss_curve=near_miss_curve(test.near_misses, clean),
        histogram={name: _histogram(values) for name, values in test.clip_scores.items()},
    )


def _target(
    val: WordOnSplit, test: WordOnSplit, target: float, shipped: float, config: EvaluationConfig
) -> TargetResult:
    if val.hours > 0:
        choice = choose_threshold(val.words, val.alarms, val.hours, target)
        choice = raise_to(choice, near_miss_floor(val.near_misses, config.near_miss_limits))
    else:
        reason = f"val holds no audio to count false alarms in: the bundle's threshold {shipped:g} stays"
        choice = Choice(target, shipped, False, reason)
    on_test = _on_split(test, choice.threshold, config)
    ready, verdict = _verdict(choice, on_test, config)
    return TargetResult(
        fah_target=target,
        threshold=choice.threshold,
        reached=choice.reached,
        reason=choice.reason,
        ready=ready,
        verdict=verdict,
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
    threshold = metrics.oracle_threshold(test.words, test.alarms, target * test.hours)
    frr = {name: float(curve.frr(threshold)) for name, curve in test.curves.items()}
    return Oracle(threshold=min(threshold, NEVER), frr=frr)


def _verdict(choice: Choice, test: SplitResult | None, config: EvaluationConfig) -> tuple[bool, str]:
    """Whether test keeps what the operating point asks, and the sentence that says so."""
    if not choice.reached:
        return False, f"not ready: {choice.reason}"
    if test is None or test.alarms.fah is None:
        return False, "not ready: test holds no audio to count false alarms in"
    clean = test.condition("clean")
    if clean is None:
        return False, "not ready: test holds no clips of the word with a known place"
    target, allowed = f"{choice.fah_target:g} false alarms per hour", percent(config.operating_frr)
    faults = []
    if test.alarms.fah > choice.fah_target:
        faults.append(
            f"{number(test.alarms.fah)} false alarms per hour on test where {choice.fah_target:g} are allowed"
        )
    if clean.frr > config.operating_frr:
        faults.append(f"{percent(clean.frr)} of clean words missed on test where {allowed} are allowed")
    if faults:
        return False, "not ready: " + " and ".join(faults)
    return True, f"test keeps the limits of {target} and {allowed} missed clean words"


def _clip_level(test: WordOnSplit) -> ClipLevel | None:
    positive, negative = (test.clip_scores.get(name, np.zeros(0)) for name in ("clean", "other speech"))
    if not len(positive) or not len(negative):
        return None
    return ClipLevel(
        positives=len(positive),
        negatives=len(negative),
        eer=metrics.equal_error_rate(positive, negative),
        roc_auc=metrics.roc_auc(positive, negative),
        pauc=metrics.partial_auc(positive, negative),
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
