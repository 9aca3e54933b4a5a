"""The evaluation: tracks of val and test, scores of the shipped graph, thresholds from val, the verdict from test."""

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
from wakeword.evaluation.cascade.run import Measured, SecondStage, measure_tracks
from wakeword.evaluation.cascade.store import TRIGGERS_NAME, open_triggers, write_triggers
from wakeword.evaluation.metrics.outcomes import OUTCOMES_NAME, write_outcomes
from wakeword.evaluation.report.examples import copy_audio, drop_other_audio, write_audio
from wakeword.evaluation.report.page import write_html
from wakeword.evaluation.report.plots import PLOTS, write_plots
from wakeword.evaluation.results import EvaluationReport, Example
from wakeword.evaluation.scoring.run import score_tracks
from wakeword.evaluation.scoring.store import SCORES_NAME, TRUTH_NAME, ScoreStore, write_scores, write_truth
from wakeword.evaluation.tracks.clips import Pool
from wakeword.evaluation.tracks.plan import TrackPlan, plan_tracks
from wakeword.evaluation.tracks.recordings import RecordingTrack, with_recordings
from wakeword.runtime.bundle import VARIANTS, Bundle, load_bundle
from wakeword.runtime.manifest import VERIFIER_NAME
from wakeword.stages.progress import Progress
from wakeword.stages.runner import Runner, session
from wakeword.system.files import atomic_path, sha256_of
from wakeword.system.tracing import traced

REPORT_NAME = "report.json"
PAGE_NAME = "report.html"
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
"""Settings that `--from-scores` can change, because the tracks and scores do not depend on them."""


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
    runner: Runner = "local",
    cache_dir: str | Path | None = None,
    variant: str = "float32",
    page: bool = True,
) -> EvaluationReport:
    """Evaluate a bundle on the val and test clips of prepared data.

    Writes `scores.parquet`, `truth.parquet`, `triggers.parquet` (if the bundle holds a verifier), `outcomes.parquet`,
    `examples/`, with `page` also `plots/` and `report.html`, and, last, `report.json` into `out_dir`.

    Args:
        bundle_dir: bundle folder or zip, with the words, detector times and graph to evaluate.
        prepared_dir: folder that `prepare` wrote.
        config: its `evaluation` section, with `ray` also `compute`, and `tracking.weave_project` are used.
        out_dir: created if needed; files of an earlier evaluation in it are replaced.
        run_dir: a run; its `metrics.jsonl` gives the report the training curves.
        command: the command that reproduces the report, printed in it.
        runner: `ray` scores on the workers of Ray Data, in the cluster of `compute`.
        cache_dir: folder that caches scores by the hash of model and samples.
        variant: form of the bundle's model: float32, int8 or tflite.
        page: False leaves out the figures and the HTML page, which take longer than the analysis.

    Raises:
        BundleError: the bundle is damaged or fails.
        DataError: the data holds neither val nor test clips, the truth of a recording does not fit it, or scores are
            not finite.
    """
    bundle, shards = load_bundle(bundle_dir, variant), ShardSet.open(prepared_dir)
    out = Path(out_dir)
    out.mkdir(parents=True, exist_ok=True)
    (out / REPORT_NAME).unlink(missing_ok=True)
    words = [WordConfig(label=word.label, phrase=word.phrase) for word in bundle.manifest.words]
    rest_s, planned = bundle.manifest.detector.refractory_s, _plans(shards, words, config.evaluation)
    plans = [with_recordings(plan, words, config.evaluation, rest_s) for plan in planned]
    tracks = {track.name: track for plan in plans for track in plan.tracks}
    with session(config, runner):
        cache, workers = Path(cache_dir) if cache_dir else None, config.compute.data_cpus if runner == "ray" else None
        settings: dict[str, Any] = {"workers": workers, "runner": runner, "cache_dir": cache}
        scores = _score(bundle, plans, partial(score_tracks, **settings))
        measured = _measure(bundle, plans, scores, config.evaluation, partial(measure_tracks, **settings))
    provenance = _provenance(bundle, shards)
    about = {**_about(plans), "provenance": provenance, "command": command}
    about["evaluation"] = config.evaluation.model_dump(mode="json")
    write_truth(out / TRUTH_NAME, list(tracks.values()), provenance)
    write_scores(out / SCORES_NAME, plans, scores, bundle, about)
    write_triggers(out / TRIGGERS_NAME, measured, list(tracks), scores, bundle)
    write_examples = partial(write_audio, tracks=tracks, folder=out)
    report = report_of(out, config.evaluation, write_examples, run_dir, command, page)
    # Audio of earlier evaluations is removed. `evaluate_scores` keeps it, since other settings may need it again.
    drop_other_audio([example for word in report.words for example in word.examples], out)
    return report


def _about(plans: Sequence[TrackPlan]) -> dict[str, Any]:
    """Notes on the tracks, and the licences of their clips."""
    return {"notes": [note for plan in plans for note in plan.notes], "licences": _licences(plans)}


def evaluate_scores(
    folder: str | Path, overrides: Sequence[str] = (), out_dir: str | Path | None = None, page: bool = True
) -> EvaluationReport:
    """Repeat the analysis of a finished evaluation from its stored scores.

    Args:
        folder: output folder of `evaluate`.
        overrides: `key=value` of the `evaluation` section, such as `operating_fah=1`, for keys of `ANALYSIS_KEYS`.
        out_dir: output folder; default `folder`, whose report is then replaced.
        page: as of `evaluate`.

    Raises:
        ConfigError: an override is unknown or invalid, or would change the tracks.
        DataError: the folder holds no scores of this version.
    """
    store = ScoreStore(folder)
    settings = _changed(store.about["evaluation"], overrides)
    out = Path(out_dir) if out_dir else store.folder
    if out.resolve() != store.folder.resolve():
        out.mkdir(parents=True, exist_ok=True)
        for name in (SCORES_NAME, TRUTH_NAME, TRIGGERS_NAME):
            if name == TRIGGERS_NAME and not (store.folder / name).is_file():
                (out / name).unlink(missing_ok=True)
                continue
            with atomic_path(out / name) as temporary:
                shutil.copyfile(store.folder / name, temporary)
    copy_examples = partial(copy_audio, source=store.folder, folder=out)
    command = store.about["command"]
    if overrides:
        command = shlex.join(["wakeword", "evaluate", "--from-scores", str(folder), *overrides])
    # A run's evaluation folder lies in the folder of its training curves.
    return report_of(out, settings, copy_examples, store.folder.parent, command, page)


def _changed(stored: dict[str, Any], overrides: Sequence[str]) -> EvaluationConfig:
    for override in overrides:
        key = override.partition("=")[0].removeprefix("evaluation.")
        if key.partition(".")[0] not in ANALYSIS_KEYS:
            raise ConfigError(
                f"evaluation.{key} cannot be changed with --from-scores: it needs the audio or does not exist; "
                f"keys that can be changed: {', '.join(ANALYSIS_KEYS)}"
            )
    whole = {"words": [{"label": "any"}], "evaluation": dict(stored)}
    for override in overrides:
        apply_override(whole, f"evaluation.{override.removeprefix('evaluation.')}")
    return validate_config(whole).evaluation


def report_of(
    folder: Path,
    config: EvaluationConfig,
    write_examples: Callable[[Sequence[Example]], None],
    run_dir: str | Path | None = None,
    command: str = "",
    page: bool = True,
) -> EvaluationReport:
    """Analyse the scores in `folder`; write outcomes, examples and, last, `report.json` there, before it the page.

    `write_examples` writes the audio of the examples into the folder. Without `page` an older page is removed.
    """
    store, triggers = ScoreStore(folder), open_triggers(folder)
    analysis = analyse(store, config, triggers)
    report = analysis.report
    thresholds = [word.operating.threshold for word in report.words]
    write_outcomes(folder / OUTCOMES_NAME, analysis.test, thresholds, report.provenance)
    examples = [example for word in report.words for example in word.examples]
    write_examples(examples)
    if page:
        write_plots(report, folder / PLOTS)
        write_html(report, folder / PAGE_NAME, Path(run_dir) if run_dir else None, command, store, triggers)
    else:
        shutil.rmtree(folder / PLOTS, ignore_errors=True)
        (folder / PAGE_NAME).unlink(missing_ok=True)
    report.save(folder / REPORT_NAME)
    return report


def _plans(shards: ShardSet, words: Sequence[WordConfig], config: EvaluationConfig) -> list[TrackPlan]:
    tables = {split: shards.table(split) for split in shards.splits}
    plans = [plan_tracks(tables, split, words, config, shards.root) for split in ("val", "test") if split in tables]
    if not any(plan.tracks for plan in plans):
        raise DataError(f"{shards.root} holds no val or test clips to evaluate on: prepare data with these splits")
    missing = [split for split in ("val", "test") if split not in tables]
    return plans + [TrackPlan(split, (), (f"the prepared data holds no {split} split",)) for split in missing]


def _score(
    bundle: Bundle, plans: Sequence[TrackPlan], score: Callable[..., list[NDArray[np.float32]]]
) -> list[NDArray[np.float32]]:
    """Scores of all tracks of all splits."""
    tracks = [track for plan in plans for track in plan.tracks]
    total_h = sum(track.duration_s for track in tracks) / 3600
    with Progress("scoring tracks", total_h, "h of audio") as bar:
        return score(bundle, tracks, progress=lambda seconds: bar.advance(seconds / 3600))


def _measure(
    bundle: Bundle,
    plans: Sequence[TrackPlan],
    scores: Sequence[NDArray[np.float32]],
    config: EvaluationConfig,
    measure: Callable[..., Measured],
) -> Measured:
    """What the bundle's verifier finds at the triggers of all tracks, for all smoothing times that are tried."""
    second = SecondStage.of(bundle)
    if second is None:
        return Measured()
    tracks = [track for plan in plans for track in plan.tracks]
    shipped = bundle.manifest.detector
    times = [shipped, *(shipped.model_copy(update={"smoothing_s": s}) for s in config.smoothing_grid_s)]
    timings = [detector.timing(bundle.step_s) for detector in times]
    with Progress("verifying triggers", unit="triggers") as bar:

        def started(total: int) -> Callable[[float], None]:
            bar.to(0, total)
            return bar.advance

        return measure(second, tracks, scores, bundle.labels, timings, progress=started)


def _provenance(bundle: Bundle, shards: ShardSet) -> dict[str, str]:
    files = bundle.manifest.files
    verifier = {"verifier_sha256": files[VERIFIER_NAME].sha256} if VERIFIER_NAME in files else {}
    return {
        "bundle": bundle.manifest.name,
        "model_sha256": files[VARIANTS[bundle.variant]].sha256,
        **verifier,
        "precision": bundle.variant,
        "manifest_sha256": sha256_of(shards.root / "manifest.parquet"),
        "prepared_config_hash": shards.config_hash,
    }


def _licences(plans: Sequence[TrackPlan]) -> tuple[tuple[str, str, str, int], ...]:
    """Source, licence, split and number of all clips in the tracks, mixed-in noise and room responses included."""
    used: dict[tuple[int, int], tuple[str, str, str]] = {}
    recordings = []
    for plan in plans:
        for track in plan.tracks:
            if isinstance(track, RecordingTrack):
                recordings.append((track.path, track.licence, plan.split))
            own = Pool(plan.split, track.clips, tuple(piece.row for piece in track.pieces))
            for pool in (own, track.noise, track.rooms):
                if pool is not None:
                    source, licence = (pool.clips.table.column(name) for name in ("source", "licence"))
                    for row in pool.rows:
                        about = source[row].as_py(), licence[row].as_py(), pool.split
                        used.setdefault((id(pool.clips.table), row), about)
    return tuple((*key, count) for key, count in sorted(Counter([*used.values(), *recordings]).items()))
