"""The page of a sweep: what it shows comes from the study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from tests.pages.hostile import HOSTILE, assert_escaped
from wakeword.config import Config, validate_config
from wakeword.errors import RunError
from wakeword.tuning.report import best_so_far, importances, parallel_figure, write_report
from wakeword.tuning.results import ranked, read_trials, trials_frame, write_best
from wakeword.tuning.space import build_space
from wakeword.tuning.study import open_study


@pytest.fixture
def config() -> Config:
    return validate_config(
        {
            "words": [{"label": "nova"}],
            "tuning": {
                "space": {
                    "training.learning_rate": {"type": "loguniform", "low": 1e-4, "high": 1e-1},
                    "model.dropout": {"type": "uniform", "low": 0.0, "high": 0.5},
                    "augmentation.speed": {"type": "choice", "values": [[0.9, 1.1], [0.8, 1.2]]},
                }
            },
        }
    )


@pytest.fixture
def study(config: Config, tmp_path: Path) -> optuna.Study:
    """Twelve finished trials whose value hangs on dropout alone, a stopped one that looks better, a failed one."""
    study = open_study(config, tmp_path, build_space(config))
    for number in range(14):
        trial = study.ask()
        for dimension in build_space(config).values():
            dimension.suggest(trial)
        if number == 12:
            trial.report(0.0, 2)
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        elif number == 13:
            trial.set_user_attr("reason", "the loss is <nan>")
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            trial.report(trial.params["model.dropout"], 30)
            study.tell(trial, trial.params["model.dropout"])
    return study


def test_the_report_shows_the_best_its_changes_and_the_reasons(
    config: Config, study: optuna.Study, tmp_path: Path
) -> None:
    trials = read_trials(study, build_space(config), tmp_path)
    best = ranked(trials, "min")[0]
    chosen = write_best(config, best, tmp_path / "best.yaml")
    page = write_report(
        config, chosen, study, trials, tmp_path / "report.html", "wakeword pipeline best.yaml"
    ).read_text()
    assert f"Best: trial {best.number}, val_frr = {best.value:.4g} after 30 epochs" in page
    assert "12 finished, 1 stopped, 1 failed" in page
    assert f"<td>model.dropout</td><td>0.1</td><td>{best.values['model.dropout']:.5g}</td>" in page
    assert "the loss is &lt;nan&gt;" in page
    assert "<code>wakeword pipeline best.yaml</code>" in page
    assert "<script src=" not in page, "the page needs no network"
    assert page.count("Plotly.newPlot") >= 3


def test_a_script_in_a_reason_or_a_command_is_text(config: Config, study: optuna.Study, tmp_path: Path) -> None:
    trials = [
        trial if trial.state != "failed" else replace(trial, reason=HOSTILE)
        for trial in read_trials(study, build_space(config), tmp_path)
    ]
    page = write_report(config, config, study, trials, tmp_path / "report.html", HOSTILE).read_text()
    assert_escaped(page)
    assert page.count("&lt;script&gt;hacked()") == 2
    assert "no trial was better than the start values" in page


def test_a_stopped_trial_is_never_the_best(config: Config, study: optuna.Study, tmp_path: Path) -> None:
    trials = read_trials(study, build_space(config), tmp_path)
    lowest = min(trials, key=lambda trial: 9.0 if trial.value is None else trial.value)
    assert lowest.state == "stopped"
    assert ranked(trials, "min")[0].state == "finished"
    assert ranked(trials, "max")[0].value == max(t.value for t in trials if t.state == "finished")  # type: ignore[type-var]
    assert 12 not in [number for number, _ in best_so_far(trials, "min")]
    with pytest.raises(RunError, match="the loss is <nan>"):
        ranked([trial for trial in trials if trial.state != "finished"], "min")


def test_importances_find_the_key_that_mattered(config: Config, study: optuna.Study, tmp_path: Path) -> None:
    trials = read_trials(study, build_space(config), tmp_path)
    shares = importances(study, trials)
    assert next(iter(shares)) == "model.dropout"
    assert shares["model.dropout"] > 0.8
    assert importances(study, trials[:3]) == {}


def test_axes_and_table_hold_every_trial(config: Config, study: optuna.Study, tmp_path: Path) -> None:
    trials = read_trials(study, build_space(config), tmp_path)
    order = ranked(trials, "min")
    axes = {axis.label: axis for axis in parallel_figure(config, order).data[0].dimensions}
    assert set(axes) == {*config.tuning.space, "val_frr"}
    assert set(axes["augmentation.speed"]["values"]) <= {0, 1}
    frame = trials_frame(trials)
    assert frame["state"].value_counts().to_dict() == {"finished": 12, "stopped": 1, "failed": 1}
    assert frame["model.dropout"].tolist() == [trial.values["model.dropout"] for trial in trials]
