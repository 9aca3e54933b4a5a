"""The check of effects can fail: for what the product does not read, and for what does not change."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.config.effects.effect import Effect, check, config_with, falls, leaves, readers_of, rises
from wakeword.config import Config
from wakeword.training.step import make_optimizer

FIELD = "training.learning_rate"


def rate(config: Config, folder: Path) -> float:
    import torch

    return make_optimizer(torch.nn.Linear(1, 1), config.training).param_groups[0]["lr"]


def test_an_effect_of_the_product_passes() -> None:
    check(FIELD, Effect(rate, to=0.1, holds=rises))


def test_a_test_that_reads_the_field_itself_is_refused() -> None:
    with pytest.raises(AssertionError, match="read by the test itself in tests/config/effects/test_check"):
        check(FIELD, Effect(lambda config, folder: config.training.learning_rate, to=0.1))


def test_a_field_that_no_code_reads_is_refused() -> None:
    with pytest.raises(AssertionError, match="read by no code of the product"):
        check("training.ema_decay", Effect(rate, to=0.1))


@pytest.mark.parametrize(
    ("effect", "message"),
    [
        (Effect(lambda config, folder: rate(config, folder) > 0, to=0.1), "before True, after True"),
        (Effect(rate, to=0.1, holds=falls), "before 0.003, after 0.1"),
        (Effect(rate, to=3e-3), "is the value before"),
    ],
)
def test_no_change_or_one_in_the_wrong_direction_is_refused(effect: Effect, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check(FIELD, effect)


def test_what_is_not_the_same_twice_is_refused() -> None:
    counter = itertools.count()

    def counted(config: Config, folder: Path) -> Any:
        return next(counter), rate(config, folder)

    with pytest.raises(AssertionError, match="observed twice"):
        check(FIELD, Effect(counted, to=0.1))


def test_fields_of_lists_and_mappings_are_leaves() -> None:
    found = leaves(Config)
    assert [section.__name__ for section in found["tuning.space.*.low"]] == ["Config", "TuningConfig", "RangeConfig"]
    assert {"words.*.label", "data.sources.*.kind", "synthesis.commands.*.argv", "frontend.pcen.gain"} <= set(found)
    given = {"data.sources": [{"type": "csv", "uri": "a"}], "data.sources.*.limit": 3}
    assert config_with(given).data.sources[0].limit == 3


def test_a_property_of_the_schema_counts_for_who_asks_for_it() -> None:
    from wakeword.data.words import check_phrases

    config = config_with({})
    with readers_of("words.*.phrase") as readers:
        check_phrases(config.words)
    assert {path.name for path in readers} == {"words.py"}
    with readers_of("words.*.phrase") as readers:
        assert config.words[0].text == "nova"
    assert {path.name for path in readers} == {Path(__file__).name}
