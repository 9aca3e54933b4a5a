"""`wakeword new PHRASE`: write a recipe for a phrase; with --run, run it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from wakeword.cli.console import print_next, print_table
from wakeword.cli.options import Overrides, path, value
from wakeword.cli.stages import finish, run_stages
from wakeword.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from wakeword.config import Config


def new(
    phrase: Annotated[str, Argument(metavar="PHRASE", help='wake phrase, such as "hey nova"')],
    overrides: Overrides,
    out: Annotated[str | None, path("FILE", "recipe to write", "LABEL.yaml in the working folder")] = None,
    label: Annotated[str | None, value("LABEL", "name of the word in detections", "made from the phrase")] = None,
    language: Annotated[str | None, value("TAG", "language of the phrase, such as de, fr or zh", "en")] = None,
    force: Annotated[bool, Option("--force", help="overwrite an existing recipe")] = False,
    run: Annotated[bool, Option("--run", help="run the pipeline on the recipe")] = False,
) -> None:
    """Write a recipe for a phrase; with --run, run it."""
    try:
        from wakeword.data.synthesis.recipe import make_recipe
    except ImportError as error:
        raise MissingExtraError("Writing a recipe", "train", error) from error
    from wakeword.system.log import configure_logging

    recipe = make_recipe(phrase, label, language, overrides)
    target = Path(out or f"{recipe.tree['name']}.yaml")
    if target.exists() and not force:
        raise ConfigError(f"{target} exists: use it, write another with --out FILE, or overwrite it with --force")
    if recipe.guessed:
        print(f"language {recipe.guessed}, detected from the script of the phrase; --language sets another")
    if recipe.config.synthesis.enabled:
        _print_reading(recipe.config)
        _print_forecast(recipe.config, phrase, language)
    recipe.write(target)
    print(f"wrote {target}")
    if run:
        configure_logging(recipe.config.tracking)
        finish(run_stages(recipe.config))
    else:
        print_next(f"wakeword pipeline {target}")


def _print_reading(config: Config) -> None:
    """Print how the installed voices pronounce the phrase."""
    try:
        from wakeword.data.synthesis.recipe import COLUMNS, reading_table

        rows, notes = reading_table(config)
    except (ImportError, MissingExtraError) as error:
        print(
            f"note: the pronunciation of the phrase is not checked, because voices are missing ({error}): run "
            "`pip install 'wakeword[train,tts,phonetics]'` to install them"
        )
        return
    print_table("pronunciation of the phrase", COLUMNS, rows)
    for note in notes:
        print(f"note: {note}")


def _print_forecast(config: Config, phrase: str, language: str | None) -> None:
    """Print how unusual the phrase is by its sounds, and the command that listens."""
    from wakeword.data.forecast.verdict import text_forecast

    try:
        line = text_forecast(config.words[0], config.synthesis.language)
    except ImportError:
        return  # Without espeak its sounds are unknown, which the reading has told.
    more = f" --language {shlex.quote(language)}" if language else ""
    print(f"{line}\nby ear, in seconds and before any training: wakeword try {shlex.quote(phrase)}{more}")
