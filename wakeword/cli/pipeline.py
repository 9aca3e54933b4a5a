"""`wakeword pipeline CONFIG`: all stages: prepare, train, export, evaluate."""

from __future__ import annotations

import argparse

from wakeword.cli.options import add_config_arguments
from wakeword.cli.stages import pipeline_command


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("pipeline", help="all stages: prepare, train, export, evaluate")
    add_config_arguments(parser)
    parser.set_defaults(func=pipeline_command)
