"""Arguments that several commands share: a recipe and its overrides."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from wakeword.system.files import user_path

if TYPE_CHECKING:
    from wakeword.config import Config

VARIANTS = ("float32", "int8", "tflite")
"""Forms of a bundle's model: the keys of `wakeword.runtime.bundle.VARIANTS`, without importing it for a help text."""
OVERRIDES_HELP = "overrides of the recipe, such as training.epochs=5 data.sources.0.limit=100"


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """`CONFIG.yaml [key=value …]`."""
    parser.add_argument("config", metavar="CONFIG", type=user_path, help="a YAML recipe, such as configs/demo.yaml")
    parser.add_argument("overrides", metavar="key=value", nargs="*", help=OVERRIDES_HELP)


def add_variant_argument(parser: argparse.ArgumentParser) -> None:
    """`--variant`: which of a bundle's models to take."""
    parser.add_argument(
        "--variant",
        choices=VARIANTS,
        default=VARIANTS[0],
        help="form of the bundle's model (int8 needs export.int8=true, tflite export.tflite=true at the export)",
    )


def read_config(args: argparse.Namespace) -> Config:
    """The validated config of a command line; logging follows it from here on.

    Raises:
        ConfigError: the recipe or an override is wrong.
    """
    from wakeword.config import load_config
    from wakeword.system.log import configure_logging

    config = load_config(args.config, args.overrides)
    configure_logging(config.tracking)
    return config


def command_text(command: str, args: argparse.Namespace) -> str:
    """The line to type for another command on the same recipe."""
    import shlex

    return " ".join(["wakeword", command, *(shlex.quote(part) for part in [args.config, *args.overrides])])
