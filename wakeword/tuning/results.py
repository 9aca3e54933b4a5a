"""Results of a sweep: trial records, their table and files, the best config."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wakeword.config import Config, save_config
from wakeword.errors import RunError
from wakeword.system.files import atomic_path
from wakeword.tuning.space import Dimension, apply
from wakeword.tuning.trial import trial_folder

if TYPE_CHECKING:
    import optuna
    import pandas as pd
    from rich.table import Table

_STATES = {"COMPLETE": "finished", "PRUNED": "stopped", "FAIL": "failed", "RUNNING": "interrupted"}


@dataclass(frozen=True)
class TrialRecord:
    """One trial: `state` is finished, stopped (by ASHA), failed or interrupted."""

    number: int
    state: str
    value: float | None
    """Best value of the metric, for a stopped trial until it was stopped."""
    epochs: int
    duration_s: float
    reason: str
    values: dict[str, Any]
    """Config values by dotted key."""
    run_dir: Path


@dataclass(frozen=True)
class SweepResult:
    """A completed sweep."""

    best_config_path: Path
    trials: list[TrialRecord]
    best_value: float
    best_number: int
    report_path: Path
    next_command: str


def read_trials(study: optuna.Study, space: dict[str, Dimension], sweep_dir: Path) -> list[TrialRecord]:
    """All started trials of the study, by number."""
    records = []
    for trial in study.get_trials(deepcopy=False):
        if trial.state.name not in _STATES:
            continue
        steps = trial.intermediate_values
        finished = trial.state.name == "COMPLETE"
        value = trial.value if finished else steps[max(steps)] if steps else None
        records.append(
            TrialRecord(
                number=trial.number,
                state=_STATES[trial.state.name],
                value=value,
                epochs=max(steps, default=0),
                duration_s=float(trial.user_attrs.get("duration_s", 0.0)),
                reason=str(trial.user_attrs.get("reason", "")),
                values={key: space[key].restore(param) for key, param in trial.params.items() if key in space},
                run_dir=trial_folder(sweep_dir, trial.number),
            )
        )
    return records


def ranked(trials: list[TrialRecord], mode: str) -> list[TrialRecord]:
    """Finished trials, best first; values of stopped trials come from fewer epochs and are left out.

    Raises:
        RunError: none finished; the message holds the first reason.
    """
    sign = 1.0 if mode == "min" else -1.0
    finished = [trial for trial in trials if trial.state == "finished" and trial.value is not None]
    if not finished:
        reasons = [f"trial {trial.number}: {trial.reason}" for trial in trials if trial.reason]
        raise RunError(
            f"none of the {len(trials)} trials finished; {reasons[0] if reasons else 'no reason is recorded'}. "
            "Correct the cause, remove the sweep's folder and run again"
        )
    return sorted(finished, key=lambda trial: (sign * float(trial.value or 0.0), trial.number))


def write_best(config: Config, best: TrialRecord, path: Path) -> Config:
    """Write the resolved config of the best trial, a recipe for `wakeword pipeline`, and return it."""
    chosen = apply(config, {**best.values, "name": f"{config.name}-best"}, where="best trial")
    save_config(chosen, path)
    return chosen


def trials_frame(trials: list[TrialRecord]) -> pd.DataFrame:
    """One row per trial; lists and mixed columns become text, so that every column has one type."""
    import pandas as pd

    rows = []
    for trial in trials:
        row = {**vars(trial), "run_dir": str(trial.run_dir)}
        values = row.pop("values")
        rows.append(row | {key: str(value) if isinstance(value, list) else value for key, value in values.items()})
    frame = pd.DataFrame(rows).astype({"value": "float64"})
    mixed = [column for column in frame.columns if frame[column].map(type).nunique() > 1]
    return frame.astype(dict.fromkeys(mixed, str))


def write_trials(trials: list[TrialRecord], sweep_dir: Path) -> None:
    """Write `trials.parquet` and `trials.csv`."""
    frame = trials_frame(trials)
    with atomic_path(sweep_dir / "trials.parquet") as temporary:
        frame.to_parquet(temporary, index=False)
    with atomic_path(sweep_dir / "trials.csv") as temporary:
        frame.to_csv(temporary, index=False)


def best_table(trials: list[TrialRecord], config: Config, limit: int = 5) -> Table:
    """The best finished trials as a table for a terminal."""
    from rich.table import Table

    best = ranked(trials, config.tuning.mode)[:limit]
    counts = {state: sum(trial.state == state for trial in trials) for state in ("finished", "stopped", "failed")}
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    table = Table(title=f"Best {len(best)} of {len(trials)} trials ({states})")
    for name in ("trial", config.tuning.metric, "epochs", *config.tuning.space):
        table.add_column(name, justify="right")
    for trial in best:
        values = [trial.values.get(key) for key in config.tuning.space]
        table.add_row(*(short(value) for value in (trial.number, trial.value, trial.epochs, *values)))
    return table


def short(value: Any) -> str:
    """A value as text; floats with five digits."""
    return f"{value:.5g}" if isinstance(value, float) else str(value)
