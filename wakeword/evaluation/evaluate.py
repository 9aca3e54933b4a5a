"""The protocol: tracks from val and test, scores by the shipped graph, thresholds from val, the verdict from test."""

from __future__ import annotations

import shlex
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wakeword.config import Config, WordConfig
from wakeword.config.evaluation import EvaluationConfig
from wakeword.config.loading import apply_override, validate_config
from wakeword.data.shards import ShardSet
from wakeword.errors import ConfigError, DataError
from wakeword.evaluation.analyse import analyse
from wakeword.evaluation.metrics.outcomes import OUTCOMES_NAME, write_outcomes
from wakeword.evaluation.report.examples import copy_audio, drop_other_audio, write_audio
from wakeword.evaluation.report.page import write_html
from wakeword.evaluation.report.plots import PLOTS, write_plots
from wakeword.evaluation.results import EvaluationReport, Example
from wakeword.evaluation.scoring.run import score_tracks
from wakeword.evaluation.scoring.store import SCORES_NAME, TRUTH_NAME, ScoreStore, write_scores, write_truth
from wakeword.evaluation.tracks.plan import Track, TrackPlan, plan_tracks
from wakeword.evaluation.tracks.recordings import RecordingTrack, with_recordings
from wakeword.runtime.bundle import VARIANTS, Bundle, load_bundle
from wakeword.stages.progress import Progress
from wakeword.stages.runner import Runner, session
from wakeword.system.files import atomic_path, sha256_of
from wakeword.system.tracing import traced

REPORT_NAME = "report.json"
ANALYSIS_KEYS = (
    "fah_targets",
    "operating_fah",
    "operating_frr",
    "near_miss_limits",
    "smoothing_grid_s",
    "refractory_grid_s",
    "hit_before_s",
    "confidence",
)
"""Settings that leave the tracks as they are: the stored scores answer for any value of them."""


def _traced_inputs(call: Mapping[str, Any]) -> dict[str, Any]:
    paths = {name: str(call[name]) for name in ("bundle_dir", "prepared_dir", "out_dir")}
    return {**paths, "variant": call["variant"], "evaluation": call["config"].evaluation.model_dump(mode="json")}


@traced(
    project=lambda call: call["config"].tracking.weave_project,
    inputs=_traced_inputs,
    output=lambda report: report.metrics,
)
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

    Writes `scores.parquet`, `truth.parquet`, `outcomes.parquet`, `examples/`, `plots/`, `report.html` and, last,
    `report.json` into `out_dir`.

    Args:
        bundle_dir: bundle folder or zip; its words, detector times and graph are what is evaluated.
        prepared_dir: folder that `prepare` wrote.
        config: only its `evaluation` section counts, with `ray` its `compute`, and `tracking.weave_project`.
        out_dir: made if need be; files of an earlier evaluation in it are replaced.
        run_dir: a run whose `metrics.jsonl` gives the report its training curves.
        command: how to reproduce the report, printed in it.
        progress: hears `(scored_s, total_s)` of audio as stretches of tracks are done.
        runner: `ray` scores on the workers of Ray Data, joined or started as `compute` says.
        cache_dir: scores are kept in this folder and found again by their content.
        variant: form of the bundle's model: float32, int8 or tflite.

    Raises:
        BundleError: the bundle is damaged or fails.
        DataError: the data holds neither val nor test clips, a truth does not fit, or scores are not finite.
    """
    bundle, shards = load_bundle(bundle_dir, variant), ShardSet.open(prepared_dir)
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    (out / REPORT_NAME).unlink(missing_ok=True)
    words = [WordConfig(label=word.label, phrase=word.phrase) for word in bundle.manifest.words]
    rest_s = bundle.manifest.detector.refractory_s
    planned = _plans(shards, words, config.evaluation)
    plans = [with_recordings(plan, words, config.evaluation, rest_s) for plan in planned]
    with session(config, runner):
        cache, workers = Path(cache_dir) if cache_dir else None, config.compute.data_cpus if runner == "ray" else None
        scores = _score(bundle, plans, progress, partial(score_tracks, workers=workers, runner=runner, cache_dir=cache))
    provenance = _provenance(bundle, shards)
    about = {
        "provenance": provenance,
        "notes": [note for plan in plans for note in plan.notes],
        "licences": _licences(plans),
        "evaluation": config.evaluation.model_dump(mode="json"),
        "command": command,
    }
    write_truth(out / TRUTH_NAME, [track for plan in plans for track in plan.tracks], provenance)
    write_scores(out / SCORES_NAME, plans, scores, bundle, about)
    tracks = {track.name: track for plan in plans for track in plan.tracks}
    report = report_of(out, config.evaluation, partial(write_audio, tracks=tracks, folder=out), run_dir, command)
    # Of an evaluation before; `evaluate_scores` drops none, since other settings may show it again.
    drop_other_audio([example for word in report.words for example in word.examples], out)
    return report


def evaluate_scores(
    folder: str | Path, overrides: Sequence[str] = (), out_dir: str | Path | None = None
) -> EvaluationReport:
    """Every table and figure of a finished evaluation again from its stored scores, under other settings if asked.

    Args:
        folder: what `evaluate` wrote.
        overrides: `key=value` of the `evaluation` section, such as `operating_fah=1`; those that change the tracks
            themselves need the audio and are refused.
        out_dir: where the files go; default `folder`, whose report is replaced then.

    Raises:
        ConfigError: an override that is unknown, not valid, or would change the tracks.
        DataError: the folder holds no scores of this version.
    """
    store = ScoreStore(folder)
    settings = _changed(store.about["evaluation"], overrides)
    out = Path(out_dir) if out_dir else store.folder
    if out.resolve() != store.folder.resolve():
        out.mkdir(parents=True, exist_ok=True)
        for name in (SCORES_NAME, TRUTH_NAME):
            with atomic_path(out / name) as temporary:
                shutil.copyfile(store.folder / name, temporary)
    sound = partial(copy_audio, source=store.folder, folder=out)
    command = store.about["command"]
    if overrides:
        command = shlex.join(["wakeword", "evaluate", "--from-scores", str(folder), *overrides])
    # A run keeps its evaluation beside its training curves.
    return report_of(out, settings, sound, store.folder.parent, command)


def _changed(stored: dict[str, Any], overrides: Sequence[str]) -> EvaluationConfig:
    for override in overrides:
        key = override.partition("=")[0].removeprefix("evaluation.")
        if key.partition(".")[0] not in ANALYSIS_KEYS:
            raise ConfigError(
                f"evaluation.{key} cannot be changed with --from-scores: it would need the audio, or does not exist; "
                f"what can be changed: {', '.join(ANALYSIS_KEYS)}"
            )
    whole = {"words": [{"label": "any"}], "evaluation": dict(stored)}
    for override in overrides:
        apply_override(whole, f"evaluation.{override.removeprefix('evaluation.')}")
    return validate_config(whole).evaluation


def report_of(
    folder: Path,
    config: EvaluationConfig,
    sound: Callable[[Sequence[Example]], None],
    run_dir: str | Path | None = None,
    command: str = "",
) -> EvaluationReport:
    """Analyse the scores in `folder`; write outcomes, examples, plots, `report.html` and, last, `report.json` there.

    `sound` puts the examples' audio into the folder.
    """
    store = ScoreStore(folder)
    analysis = analyse(store, config)
    report = analysis.report
    thresholds = [word.operating.threshold for word in report.words]
    write_outcomes(folder / OUTCOMES_NAME, analysis.test, thresholds, report.provenance)
    examples = [example for word in report.words for example in word.examples]
    sound(examples)
    write_plots(report, folder / PLOTS)
    curves = Path(run_dir) if run_dir else None
    write_html(report, folder / "report.html", run_dir=curves, command=command, store=store)
    report.save(folder / REPORT_NAME)
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
) -> list[NDArray[np.float32]]:
    """All tracks of all splits at once, so that batches are full."""
    tracks = [track for plan in plans for track in plan.tracks]
    total_s, done_s = sum(track.duration_s for track in tracks), 0.0
    with Progress("scoring tracks", total_s / 3600, "h of audio") as shown:

        def hear(seconds: float) -> None:
            nonlocal done_s
            done_s += seconds
            shown.to(done_s / 3600)
            if progress is not None:
                progress(done_s, total_s)

        return score(bundle, tracks, progress=hear)


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
    recordings = [
        (track.path, track.licence, plan.split)
        for plan in plans
        for track in plan.tracks
        if isinstance(track, RecordingTrack)
    ]
    return tuple((*key, count) for key, count in sorted(Counter([*used.values(), *recordings]).items()))
