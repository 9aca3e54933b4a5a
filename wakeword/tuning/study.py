"""The study: Optuna's sqlite file is the only state of a sweep; resuming one unpickles nothing."""

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
"""States of trials that are never run again: finished, stopped by ASHA, failed."""


def open_study(config: Config, sweep_dir: Path, space: dict[str, Dimension]) -> optuna.Study:
    """Open or create `sweep_dir/study.db`; the first trial of a new study has the start config's values where they fit.

    Raises:
        RunError: the file is not an Optuna study.
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
    # The seed depends on the number of trials: the same one would draw the values of the first process again.
    study.sampler = optuna.samplers.TPESampler(seed=config.tuning.seed + 7919 * len(study.trials), constant_liar=True)
    own = {key: value_at(config, key) for key in space}
    if (fresh or not study.trials) and all(space[key].holds(value) for key, value in own.items()):
        study.enqueue_trial({key: space[key].store(value) for key, value in own.items()}, skip_if_exists=True)
    return study


def final_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that will not run again, by number."""
    return study.get_trials(deepcopy=False, states=FINAL)


class StudySearch(OptunaSearch):
    """Ray's OptunaSearch on a stored study.

    In addition to its base: trials that a killed driver left running come first, under their old numbers, so that they
    continue from their checkpoints; a trial that ASHA stopped is PRUNED (COMPLETE in the base, which would make its
    intermediate value final); the reason of a failed trial is stored.
    """

    def __init__(self, config: Config, study: optuna.Study, space: dict[str, Dimension]) -> None:
        """`study` comes from `open_study`; only this object writes to it."""

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
        """Store the best value so far under its epoch; epochs that are stored already are skipped."""
        value, epoch = result[OBJECTIVE], int(result[EPOCH])
        trial = self._ot_trials[trial_id]
        stored = self._study._storage.get_trial(trial._trial_id).intermediate_values
        if FAILURE not in result and not math.isnan(value) and epoch > max(stored, default=0):
            trial.report(value, epoch)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Close the trial in the study; `fail` closes one whose process died."""
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
        """Write an empty file for Tune: the study is the state."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Refuse: a sweep is resumed from its study."""
        raise RunError("a sweep is resumed by running the same command again, not from Tune's own files")


class Asha(ASHAScheduler):
    """Asynchronous successive halving (Li et al. 2020) with the trials of earlier drivers in its rungs.

    A trial in its last epoch is never stopped.
    """

    def __init__(self, config: Config, finished: list[FrozenTrial]) -> None:
        """`finished` are the trials of earlier drivers, which fill the rungs."""
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
            earlier: Any = SimpleNamespace(trial_id=f"study-{trial.number}")
            self.on_trial_add(None, earlier)  # type: ignore[arg-type]
            for epoch, value in sorted(trial.intermediate_values.items()):
                self.on_trial_result(None, earlier, {EPOCH: epoch, OBJECTIVE: value})  # type: ignore[arg-type]

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Continue or stop, by the rung of the epoch."""
        if FAILURE in result or result[EPOCH] >= self._epochs:
            return self.CONTINUE
        return super().on_trial_result(tune_controller, trial, result)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Remove the trial; a failure does not count as a value."""
        if FAILURE in result:
            self.on_trial_remove(tune_controller, trial)
        else:
            super().on_trial_complete(tune_controller, trial, result)


class FailureReasons(Callback):
    """Copies the reason of a trial whose process died from Tune's error file to the study."""

    def __init__(self, search: StudySearch) -> None:
        """`search` closes the trial."""
        self._search = search

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """The last line of the error names the exception and its message."""
        path = trial.error_file
        lines = Path(path).read_text(encoding="utf-8").split("\n") if path and Path(path).is_file() else []
        reasons = [line.strip() for line in lines if line.strip()]
        reason = reasons[-1] if reasons else "the trial's process ended without reporting a result"
        self._search.fail(trial.trial_id, reason)
