"""The study and the early stopping, with Ray's and Optuna's own objects and no cluster."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from wakeword.config import Config, validate_config
from wakeword.errors import RunError
from wakeword.tuning.space import build_space
from wakeword.tuning.study import Asha, StudySearch, final_trials, open_study
from wakeword.tuning.trial import BestValue, past_epochs

SPACE = {
    "training.learning_rate": {"type": "loguniform", "low": 1e-4, "high": 1e-1},
    "frontend.kind": {"type": "choice", "values": ["log_mel", "pcen"]},
}


def study_config(epochs: int = 9, **tuning: Any) -> Config:
    return validate_config(
        {"words": [{"label": "nova"}], "training": {"epochs": epochs}, "tuning": {"space": SPACE, **tuning}}
    )


def opened(config: Config, folder: Path) -> tuple[optuna.Study, StudySearch]:
    study = open_study(config, folder, build_space(config))
    return study, StudySearch(config, study, build_space(config))


def result(value: float, epoch: int, **flags: Any) -> dict[str, Any]:
    return {"objective": value, "epoch": epoch, "time_total_s": 1.5, **flags}


def test_each_end_of_a_trial_has_its_state(tmp_path: Path) -> None:
    study, search = opened(study_config(), tmp_path)
    for name in "abcd":
        search.suggest(name)
    search.on_trial_result("a", result(0.5, 1))
    search.on_trial_complete("a", result(0.4, 9, finished=True))
    search.on_trial_complete("b", result(0.6, 3))
    search.on_trial_complete("c", result(math.nan, 0, failure="the loss is nan"))
    search.on_trial_complete("d", None, error=True)
    search.fail("d", "the worker died")
    done = final_trials(study)
    assert [trial.state for trial in done] == [
        TrialState.COMPLETE,
        TrialState.PRUNED,
        TrialState.FAIL,
        TrialState.FAIL,
    ]
    assert done[0].value == 0.4
    assert done[0].intermediate_values == {1: 0.5, 9: 0.4}
    assert done[1].intermediate_values == {3: 0.6}, "what ASHA saw when it stopped the trial is kept"
    assert [trial.user_attrs.get("reason") for trial in done[2:]] == ["the loss is nan", "the worker died"]
    assert study.best_trial.number == 0


def test_trials_of_a_killed_driver_are_handed_out_first_under_their_numbers(tmp_path: Path) -> None:
    config = study_config()
    _, search = opened(config, tmp_path)
    first, second = search.suggest("a"), search.suggest("b")
    assert first is not None
    assert second is not None
    search.on_trial_complete("a", result(0.4, 9, finished=True))
    search.on_trial_result("b", result(0.7, 2))

    study, later = opened(config, tmp_path)
    again, fresh = later.suggest("x"), later.suggest("y")
    assert again == second
    assert fresh is not None
    assert fresh["number"] == 2
    later.on_trial_result("x", result(0.7, 2))
    later.on_trial_complete("x", result(0.3, 9, finished=True))
    assert [trial.number for trial in final_trials(study)] == [0, 1]
    assert study.trials[1].intermediate_values == {2: 0.7, 9: 0.3}


def test_a_trial_whose_values_were_half_drawn_is_completed(tmp_path: Path) -> None:
    config = study_config()
    study, _ = opened(config, tmp_path)
    torn = study.ask()
    torn.suggest_float("training.learning_rate", 1e-4, 1e-1, log=True)
    _, later = opened(config, tmp_path)
    sample = later.suggest("x")
    assert sample is not None
    assert sample["number"] == torn.number
    assert sample["training.learning_rate"] == torn.params["training.learning_rate"]
    assert sample["frontend.kind"] in ("log_mel", "pcen")


def test_the_seed_decides_the_draws_and_a_resumed_sweep_does_not_repeat_them(tmp_path: Path) -> None:
    def rates(folder: str, seed: int, count: int = 3) -> list[float]:
        (tmp_path / folder).mkdir(exist_ok=True)
        _, search = opened(study_config(seed=seed), tmp_path / folder)
        drawn = []
        for number in range(count):
            sample = search.suggest(f"{number}")
            assert sample is not None
            drawn.append(sample["training.learning_rate"])
            search.on_trial_complete(f"{number}", result(0.1, 9, finished=True))
        return drawn

    first = rates("a", 0)
    assert first == rates("b", 0)
    assert first[1:] != rates("c", 1)[1:]
    assert not set(first) & set(rates("a", 0))


def test_a_file_that_is_no_study_is_refused(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_bytes(b"no sqlite file, whatever it is called" * 40)
    with pytest.raises(RunError, match="cannot be read as a study"):
        opened(study_config(), tmp_path)


def decisions(config: Config, curves: dict[str, list[float]], finished: Any = ()) -> dict[str, int]:
    """Epoch in which each trial was stopped (0: never), when trials run one after the other."""
    asha = Asha(config, list(finished))
    stopped = dict.fromkeys(curves, 0)
    for name, curve in curves.items():
        trial: Any = SimpleNamespace(trial_id=name)
        asha.on_trial_add(None, trial)  # type: ignore[arg-type]
        for epoch, value in enumerate(curve, start=1):
            if asha.on_trial_result(None, trial, result(value, epoch)) == Asha.STOP:
                stopped[name] = epoch
                break
    return stopped


GOOD, MIDDLING, BAD = [0.1] * 9, [0.3] * 9, [0.9] * 9


def test_asha_stops_by_grace_factor_and_direction() -> None:
    curves = {"good": GOOD, "bad": BAD}
    assert decisions(study_config(grace_epochs=1), curves) == {"good": 0, "bad": 1}
    assert decisions(study_config(grace_epochs=3), curves) == {"good": 0, "bad": 3}
    assert decisions(study_config(grace_epochs=1, mode="max"), curves) == {"good": 0, "bad": 0}
    late = {"good": GOOD, "bad": [0.05, *BAD[1:]]}
    assert decisions(study_config(grace_epochs=1, reduction_factor=2), late)["bad"] == 2
    assert decisions(study_config(grace_epochs=1, reduction_factor=4), late)["bad"] == 4


def test_asha_leaves_a_trial_in_its_last_epoch_alone() -> None:
    curves = {"good": GOOD, "late": [0.05] * 8 + [0.9]}
    assert decisions(study_config(epochs=9, grace_epochs=9), curves) == {"good": 0, "late": 0}
    assert decisions(study_config(epochs=9, grace_epochs=30), curves) == {"good": 0, "late": 0}


def test_asha_compares_with_the_trials_of_earlier_drivers(tmp_path: Path) -> None:
    config = study_config(grace_epochs=1)
    study, search = opened(config, tmp_path)
    search.suggest("a")
    for epoch, value in enumerate(GOOD, start=1):
        search.on_trial_result("a", result(value, epoch))
    search.on_trial_complete("a", result(0.1, 9, finished=True))
    assert decisions(config, {"bad": BAD}) == {"bad": 0}, "alone, it is the best so far"
    assert decisions(config, {"bad": BAD}, final_trials(study)) == {"bad": 1}


def test_a_trial_counts_by_its_best_epoch() -> None:
    lines = [{"epoch": 1, "val_frr": None}, {"epoch": 2, "val_frr": 0.2, "val_auc": 0.5}, {"epoch": 3, "val_frr": 0.4}]
    best = BestValue("val_frr", "min")
    for line in lines:
        best.add(line["epoch"], line)  # type: ignore[arg-type]
    assert (best.value, best.epoch) == (0.2, 3)
    highest = BestValue("val_frr", "max")
    for line in lines:
        highest.add(line["epoch"], line)  # type: ignore[arg-type]
    assert highest.value == 0.4
    with pytest.raises(RunError, match=r"val_eer.*it reports: epoch, val_auc, val_frr"):
        BestValue("val_eer", "min").add(2, lines[1])


def test_a_torn_last_line_of_metrics_is_forgiven_and_a_torn_middle_is_not(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"epoch": 1, "val_frr": 0.5}\n{"epoch": 2, "val_')
    assert past_epochs(tmp_path) == [{"epoch": 1, "val_frr": 0.5}]
    path.write_text('{"epoch": 1, "val_\n{"epoch": 2}\n')
    with pytest.raises(RunError, match="line 1"):
        past_epochs(tmp_path)
