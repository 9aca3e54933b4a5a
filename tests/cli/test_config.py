"""`wakeword config`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from wakeword.cli.main import main


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text("name: mine\nwords: [{label: hey_nova}]\n")
    return path


def test_show_writes_every_default_out(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", str(recipe), "training.epochs=7"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["name"] == "mine"
    assert printed["training"]["epochs"] == 7
    assert printed["detector"]["refractory_s"] > 0


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    assert "training" in json.loads(capsys.readouterr().out)["properties"]


def test_validate_names_the_fault(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "validate", str(recipe)]) == 0
    assert capsys.readouterr().out == f"{recipe}: valid, 1 word(s): hey_nova\n"
    assert main(["config", "validate", str(recipe), "--set", "training.epochs=0"]) == 2
    assert "training.epochs = 0" in capsys.readouterr().err


def test_validate_takes_values_in_any_order(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "validate", "training.epochs=3", str(recipe)]) == 0
    assert main(["config", "validate", str(recipe), "training.epochs=0"]) == 2
    assert "training.epochs = 0" in capsys.readouterr().err
    assert main(["config", "validate", "training.epochs=3"]) == 2
    assert "needs a recipe" in capsys.readouterr().err
