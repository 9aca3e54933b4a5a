"""`wakeword export CONFIG`: write the bundle of a trained run and check its parity."""

from __future__ import annotations

import argparse

from wakeword.cli.options import VARIANTS, add_config_arguments
from wakeword.cli.stages import export_command


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("export", help="write the bundle of a trained run and check its parity")
    add_config_arguments(parser)
    parser.add_argument(
        "--variant",
        choices=VARIANTS[1:],
        action="append",
        default=[],
        help="add this form of the model, as export.int8=true or export.tflite=true does; may be given for each",
    )
    parser.set_defaults(func=export_command)
