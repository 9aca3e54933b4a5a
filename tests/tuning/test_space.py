"""The search space: what is refused before anything starts, and that samples arrive in the config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optuna
import pytest

from wakeword.cli.main import main
from wakeword.config import Config, validate_config
from wakeword.errors import ConfigError
from wakeword.tuning.space import Dimension, apply, build_space, value_at


def config_with(space: dict[str, Any], **tuning: Any) -> Config:
    return validate_config({"words": [{"label": "nova"}], "tuning": {"space": space, **tuning}})


def draws(config: Config, count: int) -> list[dict[str, Any]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    samples = []
    for _ in range(count):
        trial = study.ask()
        samples.append({key: d.restore(d.suggest(trial)) for key, d in build_space(config).items()})
    return samples


def test_draws_lie_in_their_ranges_and_follow_their_type() -> None:
    config = config_with(
        {
            "training.learning_rate": {"type": "loguniform", "low": 1e-4, "high": 1e-2},
            "model.dropout": {"type": "uniform", "low": 0.1, "high": 0.3},
            "training.batch_size": {"type": "int", "low": 8, "high": 64},
            "augmentation.speed": {"type": "choice", "values": [[0.9, 1.1], [0.8, 1.2]]},
            "frontend.kind": {"type": "choice", "values": ["log_mel", "pcen"]},
        }
    )
    samples = draws(config, 200)
    rates = sorted(sample["training.learning_rate"] for sample in samples)
    assert 1e-4 <= rates[0] <= 1.3e-4
    assert 0.8e-2 <= rates[-1] <= 1e-2
    assert 0.5e-3 < rates[100] < 2e-3, "the median of a loguniform draw is the geometric mean of its ends"
    dropouts = sorted(sample["model.dropout"] for sample in samples)
    assert 0.1 <= dropouts[0] < 0.11
    assert 0.29 < dropouts[-1] <= 0.3
    assert 0.18 < dropouts[100] < 0.22
    sizes = {sample["training.batch_size"] for sample in samples}
    assert all(isinstance(size, int) and 8 <= size <= 64 for size in sizes)
    assert len(sizes) > 30
    applied = [apply(config, sample) for sample in samples]
    assert {one.augmentation.speed for one in applied} == {(0.9, 1.1), (0.8, 1.2)}
    assert {one.frontend.kind for one in applied} == {"log_mel", "pcen"}
    assert [one.training.learning_rate for one in applied] == [s["training.learning_rate"] for s in samples]


def test_apply_changes_the_named_keys_and_nothing_else() -> None:
    config = config_with({"training.learning_rate": {"type": "loguniform", "low": 1e-4, "high": 1e-2}})
    changed = apply(config, {"training.learning_rate": 0.005, "augmentation.gain_db.0": -30.0})
    assert changed.training.learning_rate == 0.005
    assert changed.augmentation.gain_db == (-30.0, 6.0)
    assert apply(changed, {"training.learning_rate": 3e-3, "augmentation.gain_db.0": -18.0}) == config
    assert value_at(changed, "augmentation.gain_db.0") == -30.0


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({}, ["tuning.space is empty"]),
        (
            {"training.lerning_rate": {"type": "uniform", "low": 0, "high": 1}},
            ["training.lerning_rate", "learning_rate"],
        ),
        ({"trainin.epochs": {"type": "int", "low": 1, "high": 2}}, ["trainin", "training"]),
        ({"training.batch_size.x": {"type": "int", "low": 1, "high": 2}}, ["training.batch_size.x", "no config field"]),
        ({"augmentation.gain_db.7": {"type": "uniform", "low": 0, "high": 2}}, ["augmentation.gain_db.7"]),
        ({"training.batch_size": {"type": "int", "low": 0, "high": 8}}, ["training.batch_size.low = 0", "2"]),
        ({"model.dropout": {"type": "uniform", "low": 0.1, "high": 0.95}}, ["model.dropout.high = 0.95", "0.9"]),
        ({"frontend.kind": {"type": "choice", "values": ["pcen", "mfcc"]}}, ["frontend.kind.values.1 = 'mfcc'"]),
        ({"frontend.hop_ms": {"type": "uniform", "low": 10, "high": 40}}, ["frontend.hop_ms.high = 40.0", "window_ms"]),
        ({"synthesis.rates": {"type": "choice", "values": [[1, 1]]}}, ["synthesis.rates", "prepared"]),
        ({"training.epochs": {"type": "int", "low": 1, "high": 9}}, ["training.epochs", "comparable"]),
    ],
)
def test_a_space_that_cannot_be_meant_is_refused(space: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        build_space(config_with(space))
    for word in words:
        assert word in str(refused.value)


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("training.lerning_rate", "there is no 'lerning_rate' in training; did you mean 'learning_rate'?"),
        ("trainin.epochs", "there is no 'trainin' in the configuration; did you mean 'training'?"),
        ("training", "it is a section: name a key in it, such as training.epochs"),
        ("model.dropout.x", "model.dropout is a value that has no 'x'"),
        ("augmentation.gain_db.2", "augmentation.gain_db is a value that has no '2'"),
        ("words.0.lable", "there is no 'lable' in words.0; did you mean 'label'?"),
        ("training.", "there is no '' in training"),
    ],
)
def test_an_unknown_key_is_refused_when_the_config_is_loaded(
    key: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = {"words": [{"label": "nova"}], "tuning": {"space": {key: {"type": "uniform", "low": 0.1, "high": 0.2}}}}
    with pytest.raises(ConfigError) as refused:
        validate_config(recipe)
    assert str(refused.value).startswith(f"config: tuning.space.{key} is no config field: {sentence}")
    path = tmp_path / "sweep.yaml"
    path.write_text(json.dumps(recipe))
    assert main(["config", "validate", str(path)]) == 2
    assert f"tuning.space.{key} is no config field: {sentence}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "key", ["training.learning_rate", "augmentation.gain_db.1", "evaluation.snr_db.7", "words.0.say"]
)
def test_every_kind_of_key_is_known(key: str) -> None:
    config_with({key: {"type": "uniform", "low": 0.1, "high": 0.2}})


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ({"type": "uniform", "low": 2, "high": 1}, "must lie below"),
        ({"type": "loguniform", "low": 0, "high": 1}, "above 0"),
        ({"type": "int", "low": 0.5, "high": 2}, "whole numbers"),
        ({"type": "choice", "low": 1, "values": [1]}, "neither"),
        ({"type": "choice"}, "`values`"),
        ({"type": "uniform", "high": 1}, "`low` and `high`"),
        ({"type": "normal", "low": 0, "high": 1}, "'uniform'"),
        ({"type": "uniform", "lo": 0, "high": 1}, "'low'"),
    ],
)
def test_a_malformed_range_is_refused_with_its_path(entry: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError) as refused:
        config_with({"training.learning_rate": entry})
    assert "tuning.space.training.learning_rate" in str(refused.value)
    assert word in str(refused.value)


def test_scientific_notation_of_yaml_1_1_is_a_number() -> None:
    config = config_with({"training.learning_rate": {"type": "loguniform", "low": "1e-4", "high": "1e-2"}})
    assert config.tuning.space["training.learning_rate"].low == 1e-4


def test_holds_says_whether_the_start_config_can_be_a_trial() -> None:
    config = config_with({"augmentation.speed": {"type": "choice", "values": [[0.88, 1.14], [0.8, 1.2]]}})
    dimension = build_space(config)["augmentation.speed"]
    assert dimension.holds([0.88, 1.14])
    assert not dimension.holds([0.5, 1.14])
    rate = Dimension(
        "training.learning_rate",
        config_with({"model.dropout": {"type": "uniform", "low": 0, "high": 1}}).tuning.space["model.dropout"],
    )
    assert rate.holds(0.5)
    assert not rate.holds(1.5)
    assert not rate.holds(True)
