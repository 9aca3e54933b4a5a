"""`wakeword distill CONFIG`: train a student that also follows a teacher's scores."""

from __future__ import annotations

import argparse

from wakeword.cli.options import add_config_arguments
from wakeword.cli.stages import distill_command
from wakeword.system.files import user_path


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("distill", help="train a student that also follows a teacher's scores")
    add_config_arguments(parser)
    parser.add_argument(
        "--teacher", metavar="RUN", type=user_path, default="", help="folder of a trained run that teaches"
    )
    parser.set_defaults(func=distill_command)
