"""Section `model`: the class of its family holds the section, with the keys of that family alone."""

from __future__ import annotations

from typing import Any

import pytest

from wakeword.config import config_schema, config_yaml, load_config, validate_config
from wakeword.config.keys import key_fault
from wakeword.config.model import FAMILY_CONFIGS, GRUConfig, ModelConfig, TCResNetConfig
from wakeword.config.schema import Config
from wakeword.errors import ConfigError
from wakeword.tuning.space import apply, build_space

WORDS = [{"label": "one"}]


def of(**model: Any) -> Config:
    return validate_config({"words": WORDS, "model": model})


def test_the_family_chooses_the_class_and_its_defaults() -> None:
    assert type(of().model) is TCResNetConfig
    found = of(family="gru", step_frames=2).model
    assert type(found) is GRUConfig
    assert (found.window_steps, found.step_frames, found.layers) == (12, 2, 1)


@pytest.mark.parametrize("family", FAMILY_CONFIGS)
def test_every_family_survives_yaml_and_overrides(family: str, tmp_path: Any) -> None:
    config = of(family=family, width=0.5)
    path = tmp_path / "config.yaml"
    path.write_text(config_yaml(config), encoding="utf-8")
    assert load_config(path) == config
    assert load_config(path, ["model.width=2"]).model.width == 2


def test_a_config_of_before_still_loads() -> None:
    """A run stored every key with its value, `heads` of families with one head too."""
    before = {"width": 0.5, "frame_stride": 2, "dropout": 0.1, "pool_frames": 8, "heads": 1}
    for family in ("tc_resnet", "bc_resnet", "ds_tcn", "speech_embedding"):
        assert of(family=family, **before).model.model_dump() == {"family": family, **before}


def test_a_key_of_another_family_is_refused_with_the_keys_of_this_one() -> None:
    with pytest.raises(ConfigError, match=r"unknown key model\.stacks = 4; allowed here: dropout, .*window_steps"):
        of(family="gru", stacks=4)
    with pytest.raises(ConfigError, match=r"unknown key model\.window_step = 4; did you mean 'window_steps'"):
        of(family="gru", window_step=4)
    with pytest.raises(ConfigError, match=r"model\.window_steps = 1: input should be greater than or equal to 2"):
        of(family="gru", window_steps=1)


def test_an_unknown_family_has_the_keys_of_all_families() -> None:
    """A family that a user registers needs no class here; the registry names an unknown one."""
    assert type(of(family="mine", width=2).model) is ModelConfig
    with pytest.raises(ConfigError, match=r"unknown key model\.layers = 4; allowed here: dropout, family"):
        of(family="mine", layers=4)


def test_values_that_are_made_in_code_become_those_of_the_family() -> None:
    plain = ModelConfig(family="gru", width=2.0)
    assert plain.of_family() == GRUConfig(width=2.0)
    assert plain.of_family().of_family() == plain.of_family()
    assert Config(words=tuple(WORDS), model=plain).model == GRUConfig(width=2.0)


def test_a_field_belongs_to_one_class() -> None:
    """So that a key means the same in all families that have it."""
    owners: dict[str, set[type]] = {}
    for kind in FAMILY_CONFIGS.values():
        for name in kind.model_fields:
            first = [one for one in kind.__mro__ if name in getattr(one, "model_fields", {})][-1]
            owners.setdefault(name, set()).add(first)
    assert all(len(classes) == 1 for classes in owners.values())


def test_keys_of_families_are_keys_of_the_section() -> None:
    assert not key_fault(Config, "model.window_steps")
    assert not key_fault(Config, "model.kernels.1.0")
    assert "there is no 'window_stepz' in model; did you mean 'window_steps'?" in key_fault(
        Config, "model.window_stepz"
    )


def test_the_schema_for_editors_has_every_family() -> None:
    schema = config_schema()
    names = [entry["$ref"].rpartition("/")[2] for entry in schema["properties"]["model"]["anyOf"]]
    assert len(names) == 1 + len(FAMILY_CONFIGS)
    assert "window_steps" in schema["$defs"]["GRUConfig"]["properties"]
    assert schema["$defs"]["GRUConfig"]["properties"]["window_steps"]["description"]
    assert set(names) <= set(schema["$defs"])


def test_a_search_over_families_leaves_the_keys_of_the_other_family_out() -> None:
    space = {"model.family": {"type": "choice", "values": ["gru", "tc_resnet", "conformer"]}}
    config = validate_config(
        {"words": WORDS, "model": {"family": "gru", "width": 0.5, "window_steps": 8}, "tuning": {"space": space}}
    )
    build_space(config)
    assert apply(config, {"model.family": "gru"}).model == config.model
    other = apply(config, {"model.family": "conformer", "model.left_frames": 8}).model
    assert (other.family, other.width, other.model_dump()["left_frames"]) == ("conformer", 0.5, 8)
