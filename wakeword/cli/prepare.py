"""`wakeword prepare CONFIG`: recordings and synthesis to checked, split shards."""

from __future__ import annotations

import argparse

from wakeword.cli.options import add_config_arguments
from wakeword.cli.stages import prepare_command


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("prepare", help="recordings and synthesis to checked, split shards")
    add_config_arguments(parser)
    parser.set_defaults(func=prepare_command)
