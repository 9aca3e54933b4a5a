"""`wakeword new PHRASE`: a recipe for a phrase, from the packaged one; with --run, a detector."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from wakeword.cli.console import print_next, print_table
from wakeword.cli.options import Overrides, path, value
from wakeword.cli.stages import finish, run_stages
from wakeword.errors import ConfigError, MissingExtraError
from wakeword.system.files import write_text

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
    from wakeword.config.packaged import recipe_for
    from wakeword.system.log import configure_logging

    tree = recipe_for(phrase, label)
    path = Path(out or f"{tree['name']}.yaml")
    if path.exists() and not force:
        raise ConfigError(
            f"{path} is there already: use it, or write another with --out FILE, or overwrite with --force"
        )
    config = _with_language(tree, overrides, language, str(path))
    if config.synthesis.enabled:
        _print_reading(config)
    _write(path, phrase, tree)
    print(f"wrote {path}")
    if run:
        configure_logging(config.tracking)
        finish(run_stages(config))
    else:
        print_next(f"wakeword pipeline {path}")


def _with_language(tree: dict[str, Any], overrides: list[str], language: str | None, where: str) -> Config:
    """Apply the overrides and the language to the tree, or the language that the phrase's script allows alone."""
    from wakeword.config import validate_config
    from wakeword.config.loading import apply_override
    from wakeword.data.synthesis.languages import language_of_script

    if language:
        tree["synthesis"]["language"] = language
    for override in overrides:
        apply_override(tree, override)
    config = validate_config(tree, where)
    if language or not (guess := language_of_script(config)):
        return config
    tree["synthesis"]["language"] = guess
    print(f"language {guess}, which the script of the phrase tells; --language names another")
    return validate_config(tree, where)


def _print_reading(config: Config) -> None:
    """How the voices read the phrase, where they are installed."""
    try:
        from wakeword.data.synthesis.preview import COLUMNS, reading_table

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


def _write(path: Path, phrase: str, tree: dict[str, Any]) -> None:
    import yaml

    head = f"# Detector for {' '.join(phrase.split())!r}. All options: `wakeword config show {path}`.\n"
    write_text(path, head + yaml.safe_dump(tree, sort_keys=False, allow_unicode=True))
