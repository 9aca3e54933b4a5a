"""Old keys end in one sentence that names the new key, wherever they are written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, create_model

from tests.bundles import write_tone_bundle
from wakeword.config import Config, load_config, validate_config
from wakeword.config.keys import RENAMED, key_fault, renamed_key
from wakeword.errors import ConfigError
from wakeword.runtime.bundle import load_bundle, manifest_checksum

WORDS = {"words": [{"label": "hey_nova"}]}


class Empty(BaseModel):
    """A schema that has none of the old keys."""


def nested(key: str, value: object) -> dict[str, object]:
    """`{"a": {"b": value}}` for the key `a.b`."""
    section, _, name = key.partition(".")
    return {section: {name: value}}


@pytest.fixture
def old_key(monkeypatch: pytest.MonkeyPatch) -> str:
    """A key that is old in every version of the schema."""
    monkeypatch.setitem(RENAMED, "training.epoch_count", "training.epochs")
    return "training.epoch_count"


@pytest.mark.parametrize("old", RENAMED)
def test_an_old_key_names_the_new_one(old: str) -> None:
    assert renamed_key({**WORDS, **nested(old, 0.5)}, Empty) == f"{old} is now {RENAMED[old]}"
    space = {"tuning": {"space": {f"{old}.0": {"type": "uniform"}}}}
    assert renamed_key(space, Empty) == f"tuning.space.{old}.0: {old} is now {RENAMED[old]}"


@pytest.mark.parametrize("old", RENAMED)
def test_the_schema_has_either_the_old_key_or_the_new_one(old: str) -> None:
    assert bool(key_fault(Config, old)) != bool(key_fault(Config, RENAMED[old]))


@pytest.mark.parametrize("old", RENAMED)
def test_a_key_that_the_schema_still_has_is_not_reported(old: str) -> None:
    section, _, name = old.partition(".")
    inner = create_model("Inner", **{name: (float, 0.0)})  # type: ignore[call-overload]
    assert renamed_key(nested(old, 0.5), create_model("Outer", **{section: (inner, inner())})) == ""  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "tree", [{}, {"augmentation": None}, {"augmentation": [1]}, {"tuning": {"space": "x"}}, [], None]
)
def test_trees_without_an_old_key_pass(tree: object) -> None:
    assert renamed_key(tree, Empty) == ""


def test_recipes_overrides_and_trees_end_in_one_sentence(old_key: str, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({**WORDS, "training": {"epoch_count": 3, "amp": "perhaps"}}))
    message = f"{old_key} is now training.epochs: rename it"
    with pytest.raises(ConfigError) as caught:
        load_config(recipe)
    assert str(caught.value) == f"{recipe}: {message}"
    recipe.write_text(yaml.safe_dump(WORDS))
    with pytest.raises(ConfigError) as caught:
        load_config(recipe, ["training.amp=true", f"{old_key}=3"])
    assert str(caught.value) == f"override 'training.epoch_count=3': {message}"
    with pytest.raises(ConfigError) as caught:
        validate_config({**WORDS, "training": {"epoch_count": 3}}, "worker")
    assert str(caught.value) == f"worker: {message}"
    assert load_config(recipe, ["training.epochs=3"]).training.epochs == 3


def test_a_search_space_over_an_old_key_names_the_new_one(old_key: str) -> None:
    space = {old_key: {"type": "int", "low": 1, "high": 3}}
    with pytest.raises(ConfigError, match=rf"^config: tuning\.space\.{old_key}: {old_key} is now training\.epochs"):
        validate_config({**WORDS, "tuning": {"space": space}})


def test_a_bundle_with_the_old_name_of_the_nms_window_loads(tmp_path: Path) -> None:
    bundle = write_tone_bundle(tmp_path / "bundle")
    manifest = json.loads((bundle / "wake.json").read_text())
    manifest["detector"]["peak_hold_s"] = manifest["detector"].pop("nms_window_s")
    text = json.dumps(manifest)
    checksum = manifest_checksum(text.encode(), manifest["checksum"])
    (bundle / "wake.json").write_text(text.replace(manifest["checksum"], checksum))
    assert load_bundle(bundle).manifest.detector.nms_window_s == manifest["detector"]["peak_hold_s"]
