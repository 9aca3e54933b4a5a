"""`wakeword evaluate CONFIG`: choose thresholds, measure the bundle, write the report."""

from __future__ import annotations

import argparse

from wakeword.cli.options import add_config_arguments
from wakeword.cli.stages import evaluate_command


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("evaluate", help="choose thresholds, measure the bundle, write the report")
    add_config_arguments(parser)
    parser.set_defaults(func=evaluate_command)
