"""`wakeword new PHRASE`: a recipe for a phrase, from the packaged one; with --run, a detector."""

from __future__ import annotations

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
    phrase: Annotated[str, Argument(metavar="PHRASE", help='words to say, such as "hey nova"')],
    overrides: Overrides,
    out: Annotated[str | None, path("FILE", "recipe to write", "LABEL.yaml in the working folder")] = None,
    label: Annotated[str | None, value("LABEL", "name of the word in detections", "made from the phrase")] = None,
    language: Annotated[str | None, value("TAG", "language of the phrase, such as de, fr or zh", "en")] = None,
    force: Annotated[bool, Option("--force", help="overwrite a recipe that exists")] = False,
    run: Annotated[bool, Option("--run", help="run the whole pipeline on the recipe")] = False,
) -> None:
    """Write a recipe for a phrase, and run it with --run."""
    from wakeword.data.synthesis.recipe import make_recipe
    from wakeword.system.log import configure_logging

    recipe = make_recipe(phrase, label, language, overrides)
    target = Path(out or f"{recipe.tree['name']}.yaml")
    if target.exists() and not force:
        raise ConfigError(
            f"{target} is there already: use it, or write another with --out FILE, or overwrite with --force"
        )
    if recipe.guessed:
        print(f"language {recipe.guessed}, which the script of the phrase tells; --language names another")
    if recipe.config.synthesis.enabled:
        _print_reading(recipe.config)
    recipe.write(target)
    print(f"wrote {target}")
    if run:
        configure_logging(recipe.config.tracking)
        finish(run_stages(recipe.config))
    else:
        print_next(f"wakeword pipeline {target}")


def _print_reading(config: Config) -> None:
    """How the voices read the phrase, where they are installed."""
    try:
        from wakeword.data.synthesis.recipe import COLUMNS, reading_table

        rows, notes = reading_table(config)
    except (ImportError, MissingExtraError) as error:
        print(
            f"the reading of the phrase was not checked, because voices are missing here ({error}): run "
            "`pip install 'wakeword[train,tts]'` to let them speak"
        )
        return
    print_table("how the phrase is read", COLUMNS, rows)
    for note in notes:
        print(f"note: {note}")
