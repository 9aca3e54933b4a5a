"""`wakeword new PHRASE`: a recipe for a phrase, from the packaged one; with --run, a detector."""

from __future__ import annotations

import argparse
import re
import unicodedata
from pathlib import Path
from typing import Any

from wakeword.errors import ConfigError
from wakeword.system.files import user_path


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("new", help="write a recipe for a phrase (and run it)")
    parser.add_argument("phrase", metavar="PHRASE", help='what is said, such as "hey nova"')
    parser.add_argument("overrides", metavar="key=value", nargs="*", help="values that the recipe shall have")
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=lambda text: Path(user_path(text)),
        help="recipe to write (default: LABEL.yaml here)",
    )
    parser.add_argument("--label", help="name in detections (default: made from the phrase)")
    parser.add_argument("--force", action="store_true", help="overwrite a recipe that is there")
    parser.add_argument("--run", action="store_true", help="run the whole pipeline on it")
    parser.set_defaults(func=_new)


def require_letters(phrase: str) -> None:
    """Refuse what nobody can say.

    Raises:
        ConfigError: the phrase has no letters.
    """
    if not any(character.isalpha() for character in phrase):
        raise ConfigError(
            f"the phrase {phrase!r} has no letters: give the words that shall be said, such as 'hey nova'"
        )


def label_of(phrase: str) -> str:
    """A label from a phrase: `Hey, Café!` becomes `hey_cafe`.

    Raises:
        ConfigError: the phrase has no letters of the Latin alphabet.
    """
    plain = unicodedata.normalize("NFKD", phrase).encode("ascii", "ignore").decode().lower()
    label = "_".join(re.findall(r"[a-z0-9]+", plain.replace("'", "")))
    if not re.search("[a-z]", label):
        raise ConfigError(f"no label can be made from {phrase!r}: give one with --label, such as --label hey_nova")
    return label


def recipe_for(phrase: str, label: str) -> dict[str, Any]:
    """The packaged demo recipe with this phrase in the place of its own."""
    import yaml

    from wakeword.cli.recipes import recipe_path

    tree = yaml.safe_load(recipe_path("demo").read_text(encoding="utf-8"))
    spoken = " ".join(phrase.split())
    return {**tree, "name": label, "words": [{"label": label, "phrase": spoken}]}


def _new(args: argparse.Namespace) -> int:
    from wakeword.cli.console import print_next
    from wakeword.config import load_config, validate_config
    from wakeword.config.loading import apply_override
    from wakeword.errors import MissingExtraError
    from wakeword.system.files import write_text
    from wakeword.system.log import configure_logging

    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("Making recipes", "train", error) from error
    require_letters(args.phrase)
    label = args.label or label_of(args.phrase)
    path: Path = args.out or Path(f"{label}.yaml")
    if path.exists() and not args.force:
        raise ConfigError(
            f"{path} is there already: use it, or write another with --out FILE, or overwrite with --force"
        )
    tree = recipe_for(args.phrase, label)
    for override in args.overrides:
        apply_override(tree, override)
    validate_config(tree, str(path))
    head = f"# Detector for {' '.join(args.phrase.split())!r}. All options: `wakeword config show {path}`.\n"
    write_text(path, head + yaml.safe_dump(tree, sort_keys=False, allow_unicode=True))
    print(f"wrote {path}")
    if not args.run:
        print_next(f"wakeword pipeline {path}")
        return 0
    from wakeword.cli.stages import finish, run_stages

    config = load_config(path)
    configure_logging(config.tracking)
    finish(run_stages(config))
    return 0
