"""The study: Optuna's sqlite file is the only memory of a sweep, so nothing is ever unpickled to resume one."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from ray.tune import Callback
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from wakeword.config import Config
from wakeword.errors import RunError
from wakeword.tuning.space import Dimension, value_at
from wakeword.tuning.trial import EPOCH, FAILURE, FINISHED, NUMBER, OBJECTIVE

FINAL = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
"""Trained to the end, stopped by ASHA, failed: such a trial is never run again."""


def open_study(config: Config, sweep_dir: Path, space: dict[str, Dimension]) -> optuna.Study:
    """Open or create `sweep_dir/study.db`; a new study begins with the start config's own values where they fit.

    Raises:
        RunError: the file is no study.
    """
    import sqlalchemy.exc

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = (sweep_dir / "study.db").resolve()
    fresh = not path.exists()
    try:
        study = optuna.create_study(
            study_name=config.name,
            storage=optuna.storages.RDBStorage(f"sqlite:///{path}"),
            direction="minimize" if config.tuning.mode == "min" else "maximize",
            load_if_exists=True,
        )
    except (sqlalchemy.exc.DatabaseError, RuntimeError) as error:
        raise RunError(f"{path} cannot be read as a study: remove {sweep_dir} to start the sweep anew") from error
    # More trials known, other draws: a seed used twice would suggest the first process's values again.
    study.sampler = optuna.samplers.TPESampler(seed=config.tuning.seed + 7919 * len(study.trials), constant_liar=True)
    own = {key: value_at(config, key) for key in space}
    if (fresh or not study.trials) and all(space[key].holds(value) for key, value in own.items()):
        study.enqueue_trial({key: space[key].store(value) for key, value in own.items()}, skip_if_exists=True)
    return study


def final_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that will not run again, by number."""
    return study.get_trials(deepcopy=False, states=FINAL)


class StudySearch(OptunaSearch):
    """Ray's OptunaSearch on a study that outlives the driver.

    Beyond its base: trials that a killed driver left running are handed out first, under their old numbers, so that
    they go on from their checkpoints; a trial that ASHA stopped is PRUNED (the base calls it COMPLETE, which makes
    its half-way value a final one); a failed trial keeps its reason.
    """

    def __init__(self, config: Config, study: optuna.Study, space: dict[str, Dimension]) -> None:
        """`study` comes from `open_study` and is written to by this object alone."""

        def draw(trial: optuna.Trial) -> dict[str, Any]:
            for dimension in space.values():
                dimension.suggest(trial)
            return {NUMBER: trial.number}

        super().__init__(
            space=draw,
            metric=OBJECTIVE,
            mode=config.tuning.mode,
            sampler=study.sampler,
            study_name=study.study_name,
            storage=study._storage,
        )
        self._study = study
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        self._interrupted = [trial._trial_id for trial in running]

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """Values of the next trial by dotted key, and its number in the study."""
        if self._interrupted and trial_id not in self._ot_trials:
            self._ot_trials[trial_id] = optuna.Trial(self._study, self._interrupted.pop(0))
        return super().suggest(trial_id)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Store the best value so far under its epoch; a resumed trial skips what is stored already."""
        value, epoch = result[OBJECTIVE], int(result[EPOCH])
        trial = self._ot_trials[trial_id]
        stored = self._study._storage.get_trial(trial._trial_id).intermediate_values
        if FAILURE not in result and not math.isnan(value) and epoch > max(stored, default=0):
            trial.report(value, epoch)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Close the trial in the study; one whose process died is closed by `fail`, which knows the reason."""
        if trial_id in self._completed_trials or error or not result:
            return
        trial = self._ot_trials[trial_id]
        trial.set_user_attr("duration_s", float(result.get("time_total_s", 0.0)))
        if FAILURE in result:
            self.fail(trial_id, result[FAILURE])
            return
        self.on_trial_result(trial_id, result)
        if result.get(FINISHED):
            self._study.tell(trial, result[OBJECTIVE])
        else:
            self._study.tell(trial, state=TrialState.PRUNED)
        self._completed_trials.add(trial_id)

    def fail(self, trial_id: str, reason: str) -> None:
        """Close the trial as failed, with the reason in the study."""
        trial = self._ot_trials[trial_id]
        trial.set_user_attr("reason", reason)
        self._study.tell(trial, state=TrialState.FAIL)
        self._completed_trials.add(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Tune wants a file: it stays empty, because the study is the state."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Never called by us; a sweep is resumed from its study."""
        raise RunError("a sweep is resumed by running the same command again, not from Tune's own files")


class Asha(ASHAScheduler):
    """Asynchronous successive halving (Li et al. 2020) that knows the trials of earlier drivers.

    A trial in its last epoch is left alone: there is nothing to save any more.
    """

    def __init__(self, config: Config, finished: list[FrozenTrial]) -> None:
        """`finished` fills the rungs, so that a resumed sweep compares with all trials of the study."""
        self._epochs = config.training.epochs
        super().__init__(
            time_attr=EPOCH,
            metric=OBJECTIVE,
            mode=config.tuning.mode,
            max_t=self._epochs + 1,
            grace_period=min(config.tuning.grace_epochs, self._epochs),
            reduction_factor=config.tuning.reduction_factor,
        )
        for trial in finished:
            known: Any = SimpleNamespace(trial_id=f"study-{trial.number}")
            self.on_trial_add(None, known)  # type: ignore[arg-type]
            for epoch, value in sorted(trial.intermediate_values.items()):
                self.on_trial_result(None, known, {EPOCH: epoch, OBJECTIVE: value})  # type: ignore[arg-type]

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Continue or stop, by the rung that the epoch has reached."""
        if FAILURE in result or result[EPOCH] >= self._epochs:
            return self.CONTINUE
        return super().on_trial_result(tune_controller, trial, result)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Forget the trial; its failure must not count as a value."""
        if FAILURE in result:
            self.on_trial_remove(tune_controller, trial)
        else:
            super().on_trial_complete(tune_controller, trial, result)


class FailureReasons(Callback):
    """Takes the reason of a trial whose process died from Tune's error file into the study."""

    def __init__(self, search: StudySearch) -> None:
        """`search` closes the trial."""
        self._search = search

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The last line of the error names the exception and its message."""
        path = trial.error_file
        lines = Path(path).read_text(encoding="utf-8").split("\n") if path and Path(path).is_file() else []
        told = [line.strip() for line in lines if line.strip()]
        self._search.fail(trial.trial_id, told[-1] if told else "the trial's process ended without a word")
