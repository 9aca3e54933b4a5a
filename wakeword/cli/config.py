"""`wakeword config show|schema|validate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from typer import Option

from wakeword.cli.options import Overrides, Recipe, path_argument
from wakeword.errors import ConfigError

_SET = "a value that replaces that of every recipe; may be repeated"


def show(config: Recipe, overrides: Overrides) -> None:
    """Print the resolved recipe with every default written out."""
    from wakeword.config import config_yaml, load_config

    print(config_yaml(load_config(config, overrides)), end="")


def schema() -> None:
    """Print the JSON schema of a recipe, for editors."""
    from wakeword.config import config_schema

    print(json.dumps(config_schema(), indent=2))


def validate(
    configs: Annotated[list[str], path_argument("CONFIG|KEY=VALUE", "YAML recipes, and values that replace theirs")],
    overrides: Annotated[list[str] | None, Option("--set", metavar="KEY=VALUE", help=_SET)] = None,
) -> None:
    """Validate recipes and report the first error."""
    from wakeword.config import load_config

    values = [given for given in configs if "=" in given and not Path(given).exists()]
    recipes = [given for given in configs if given not in values]
    if not recipes:
        raise ConfigError("config validate needs a recipe beside values: give the path of a YAML file")
    for path in recipes:
        loaded = load_config(path, [*values, *(overrides or [])])
        print(f"{path}: valid, {len(loaded.words)} word(s): {', '.join(loaded.labels)}")
