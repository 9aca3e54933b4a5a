"""`wakeword train CONFIG`: train a recipe's student, or continue where it stopped."""

from __future__ import annotations

import argparse

from wakeword.cli.options import add_config_arguments
from wakeword.cli.stages import train_command


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("train", help="train a recipe's student, or continue where it stopped")
    add_config_arguments(parser)
    parser.set_defaults(func=train_command)
