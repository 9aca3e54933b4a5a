"""The sweep: Ray Tune runs trials, Optuna suggests their values, ASHA stops weak trials early.

`sweep_dir/`: `start.yaml` (the start config), `study.db` (Optuna, sqlite: every trial's values, epochs and
state), `trials/trial-0003/` (one training run each), `best.yaml`, `trials.parquet`, `trials.csv`, `report.html`.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wakeword.config import Config, load_config, save_config
from wakeword.errors import ConfigError, DataError, DeviceError, MissingExtraError, RunError
from wakeword.stages.progress import Progress, polled
from wakeword.stages.ray_session import cluster_address, gpu_share, ray_session, session_device
from wakeword.system.files import sha256_of, write_text
from wakeword.system.locks import lock_folder
from wakeword.tuning.report import write_report
from wakeword.tuning.results import SweepResult, best_table, ranked, read_trials, write_best, write_trials
from wakeword.tuning.space import Dimension, build_space, leaf_differences
from wakeword.tuning.trial import TrainFunction, run_trial, train_model

if TYPE_CHECKING:
    import optuna

    from wakeword.training.targets import TeacherTargets

_MAY_CHANGE = ("runs_dir", "compute", "serving", "tracking", "evaluation", "export")
_MAY_CHANGE_IN_TUNING = ("trials", "max_concurrent", "cpus_per_trial", "gpus_per_trial")

_TUNE_ENVIRONMENT = {
    # Relative paths of a config stay relative to the working folder of the command.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # Metrics are in the run folder of each trial.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # The command line has its own progress bar.
    "RAY_AIR_NEW_OUTPUT": "0",
}


def run_sweep(
    config: Config,
    sweep_dir: str | Path,
    prepared_dir: str | Path,
    targets: TeacherTargets | None = None,
    *,
    train_fn: TrainFunction = train_model,
) -> SweepResult:
    """Run or continue the sweep of `config.tuning` until the study holds `tuning.trials` trials; print the best five.

    No trial is repeated: finished ones are read from the study, interrupted ones continue from their checkpoints. A
    higher `tuning.trials` than before extends the sweep.

    Args:
        config: the start config; its values are the first trial where they lie within the space.
        sweep_dir: output folder; on a cluster, on storage that all nodes share.
        prepared_dir: output of `wakeword.data.prepare`, shared by all trials.
        targets: a teacher's targets, shared by all trials, where `distillation.teacher` is set.
        train_fn: the training function of a trial.

    Raises:
        ConfigError: the space is not usable, or `sweep_dir` belongs to another config.
        DataError: there are no prepared clips, or they differ from those of the earlier trials.
        DeviceError: a trial needs more CPUs or GPUs than this machine has.
        RunError: no trial finished, the sweep was interrupted, or another process is running it.
    """
    space = build_space(config)
    _check_targets_and_gpus(config, targets)
    sweep_dir, prepared_dir = Path(sweep_dir).resolve(), Path(prepared_dir).resolve()
    work = _Work(config, sweep_dir, prepared_dir, targets, train_fn)
    with lock_folder(sweep_dir, ".lock", 0.0, "runs the sweep in", "wait for it, or end it"):
        _check_same_sweep(config, sweep_dir, prepared_dir)
        study = _run_missing(work, space)
        trials = read_trials(study, space, sweep_dir)
        write_trials(trials, sweep_dir)
        best = ranked(trials, config.tuning.mode)[0]
        assert best.value is not None, "ranked() drops trials without a value"
        best_path = sweep_dir / "best.yaml"
        chosen = write_best(config, best, best_path)
        command = f"wakeword pipeline {_relative(best_path)}"
        report_path = write_report(config, chosen, study, trials, sweep_dir / "report.html", command)
    from rich.console import Console

    Console().print(best_table(trials, config), f"Report: {_relative(report_path)}", f"Next: {command}", sep="\n")
    return SweepResult(best_path, trials, best.value, best.number, report_path, command)


@dataclass(frozen=True)
class _Work:
    """Common arguments of all trials; all paths are absolute."""

    config: Config
    sweep_dir: Path
    prepared_dir: Path
    targets: TeacherTargets | None
    train_fn: TrainFunction

    def trainable(self) -> Callable[[dict[str, Any]], None]:
        """The trainable of Tune, with plain arguments."""
        return partial(
            run_trial,
            tree=self.config.model_dump(mode="json"),
            prepared_dir=str(self.prepared_dir),
            targets=self.targets.plain() if self.targets else None,
            sweep_dir=str(self.sweep_dir),
            train_fn=self.train_fn,
        )


def _run_missing(work: _Work, space: dict[str, Dimension]) -> optuna.Study:
    try:
        from wakeword.tuning.study import final_trials, open_study
    except ImportError as error:
        raise MissingExtraError("A sweep", "train", error) from error

    wanted = work.config.tuning.trials
    study = open_study(work.config, work.sweep_dir, space)
    missing = wanted - len(final_trials(study))
    if missing > 0:
        _fit(work, space, study, missing)
        ended = len(final_trials(study))
        if ended < wanted:
            raise RunError(f"the sweep stopped at {ended} of {wanted} trials: run the command again to continue")
    return study


def _fit(work: _Work, space: dict[str, Dimension], study: optuna.Study, missing: int) -> None:
    from wakeword.tuning.study import Asha, FailureReasons, StudySearch, final_trials

    config, tuning = work.config, work.config.tuning
    at_once = min(tuning.max_concurrent, missing)
    # Tune needs a folder for its own state, which is never read again.
    scratch = work.sweep_dir / ".tune"
    shutil.rmtree(scratch, ignore_errors=True)
    search = StudySearch(config, study, space)
    os.environ.update(_TUNE_ENVIRONMENT)
    # Tune warns that its own result files are missing.
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    with ray_session(config, min_cpus=at_once * tuning.cpus_per_trial):
        from ray import tune

        _check_resources(config)
        tuner = tune.Tuner(
            tune.with_resources(work.trainable(), {"cpu": tuning.cpus_per_trial, "gpu": _gpus(config, at_once)}),
            tune_config=tune.TuneConfig(
                search_alg=search,
                scheduler=Asha(config, final_trials(study)),
                num_samples=missing,
                max_concurrent_trials=at_once,
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=str(scratch),
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=config.compute.max_failures),
                callbacks=[FailureReasons(search)],
            ),
        )
        before = len(final_trials(study))
        with (
            Progress("sweep", missing, "trials") as progress,
            polled(progress, lambda progress: progress.to(len(final_trials(study)) - before), 5.0),
        ):
            tuner.fit()
    shutil.rmtree(scratch, ignore_errors=True)


def _check_targets_and_gpus(config: Config, targets: TeacherTargets | None) -> None:
    if config.compute.device == "cuda" and config.tuning.gpus_per_trial == 0:
        raise ConfigError(
            "compute.device = 'cuda' and tuning.gpus_per_trial = 0.0: a trial would have no GPU; set "
            "tuning.gpus_per_trial to a trial's share of a GPU, such as 0.25"
        )
    soft = [key for key in config.tuning.space if key.startswith("distillation.")]
    if soft and targets is None:
        raise ConfigError(
            f"tuning.space.{soft[0]} has no effect without a teacher's targets: set distillation.teacher, or remove it"
        )
    if config.distillation.teacher and targets is None:
        raise ConfigError(
            f"distillation.teacher = {config.distillation.teacher!r}, but the sweep has no targets: make them "
            "first, or set distillation.teacher to ''"
        )


def _gpus(config: Config, at_once: int) -> float:
    """GPUs of a trial: as configured, or an equal share for all trials of a time; inside the session of Ray."""
    if config.tuning.gpus_per_trial or session_device(config, 0.01) == "cpu":
        return config.tuning.gpus_per_trial
    return gpu_share(at_once)


def _check_resources(config: Config) -> None:
    """Refuse a trial that needs more than a local Ray has, because Tune would wait for ever; a cluster can grow."""
    import ray

    if cluster_address(config):
        return
    has = ray.cluster_resources()
    wanted = {"CPU": config.tuning.cpus_per_trial, "GPU": config.tuning.gpus_per_trial}
    for name, amount in wanted.items():
        if amount > has.get(name, 0.0):
            raise DeviceError(
                f"tuning.{name.lower()}s_per_trial = {amount:g}, but this machine's Ray has {has.get(name, 0.0):g}: "
                "lower it, or set compute.ray_address to a larger cluster"
            )


def _check_same_sweep(config: Config, sweep_dir: Path, prepared_dir: Path) -> None:
    index = prepared_dir / "index.json"
    if not index.is_file():
        raise DataError(f"{prepared_dir} holds no prepared clips: run `wakeword prepare` with the same config first")
    start, data = sweep_dir / "start.yaml", sweep_dir / "data.sha256"
    digest = sha256_of(index)
    if not start.is_file():
        write_text(data, digest + "\n")
        save_config(config, start)
        return
    changed = _differences(load_config(start), config)
    if changed:
        raise ConfigError(
            f"{sweep_dir} holds a sweep of another config ({'; '.join(changed[:5])}): its trials "
            "cannot be compared. Give the config another name, or remove the folder"
        )
    if data.read_text(encoding="utf-8").strip() != digest:
        raise DataError(
            f"{prepared_dir} holds other clips than at the start of the sweep in {sweep_dir}: its trials cannot be "
            "compared. Give the config another name, or remove the sweep's folder"
        )


def _differences(old: Config, new: Config) -> list[str]:
    """`key (old -> new)` of all differences that make the trials of two sweeps incomparable."""
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    for tree in (before, after):
        for key in _MAY_CHANGE:
            tree.pop(key)
        for key in _MAY_CHANGE_IN_TUNING:
            tree["tuning"].pop(key)
    return [
        f"{key} ({first!r} -> {second!r})"
        for section in before
        for key, first, second in leaf_differences(section, before[section], after[section])
    ]


def _relative(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
