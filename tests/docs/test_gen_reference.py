"""The generator of the reference pages."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from tests.docs.pages import DOCS


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gen_reference", DOCS / "gen_reference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_commands_of_typer_become_tables(generator: ModuleType) -> None:
    typer = pytest.importorskip("typer")
    app, group = typer.Typer(), typer.Typer(help="Look at data.")
    app.add_typer(group, name="data")

    @app.command()
    def train(recipe: str, epochs: int = typer.Option(3, help="How often."), fast: bool = False) -> None:
        """Train a | recipe."""

    @group.command()
    def report(html: str = typer.Option("", "--html", metavar="OUT")) -> None:
        """Write a report."""

    text = "\n".join(generator.click_sections(typer.main.get_command(app), "wakeword"))
    assert "## wakeword train" in text
    assert "Train a | recipe." in text
    row = next(line for line in text.splitlines() if line.startswith("| `--epochs`"))
    assert "How often." in row
    assert "`3`" in row
    assert "## wakeword data report" in text
    assert "Look at data." in text


def test_every_section_and_limit_of_the_configuration_is_there(generator: ModuleType) -> None:
    text = generator.config_page()
    for heading in ("words[]", "frontend.pcen", "data.sources[]", "synthesis.commands.NAME", "tuning.space.NAME"):
        assert f"## {heading}\n" in text
    assert "| `epochs` | int | ≥ 1 | `30` |" in text
    gru = text.partition("## model, family: gru\n")[2].partition("\n## ")[0]
    assert "| `window_steps` | int | ≥ 2, ≤ 64 | `12` |" in gru
    assert "| `width` |" not in gru
    assert "| `snr_db` | list of float |  | `[20, 10, 5, 0]` |" in text


def test_the_modules_of_the_api_pages_are_there(generator: ModuleType) -> None:
    absent = [name for names in generator.API.values() for name in names if importlib.util.find_spec(name) is None]
    assert not absent
