"""`wakeword config show|schema|validate`."""

from __future__ import annotations

import argparse
import json

from wakeword.cli.options import OVERRIDES_HELP, add_config_arguments
from wakeword.system.files import user_path


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("config", help="show, check or describe the configuration")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    show = verbs.add_parser("show", help="the resolved recipe, every default written out")
    add_config_arguments(show)
    show.set_defaults(func=_show)
    schema = verbs.add_parser("schema", help="JSON schema of a recipe, for editors")
    schema.set_defaults(func=_schema)
    validate = verbs.add_parser("validate", help="check recipes")
    validate.add_argument("configs", metavar="CONFIG", type=user_path, nargs="+")
    validate.add_argument(
        "--set", dest="overrides", metavar="key=value", action="append", default=[], help=OVERRIDES_HELP
    )
    validate.set_defaults(func=_validate)


def _show(args: argparse.Namespace) -> int:
    from wakeword.config import config_yaml, load_config

    print(config_yaml(load_config(args.config, args.overrides)), end="")
    return 0


def _schema(args: argparse.Namespace) -> int:
    from wakeword.config import config_schema

    print(json.dumps(config_schema(), indent=2))
    return 0


def _validate(args: argparse.Namespace) -> int:
    from wakeword.config import load_config

    for path in args.configs:
        config = load_config(path, args.overrides)
        print(f"{path}: valid, {len(config.words)} word(s): {', '.join(config.labels)}")
    return 0
