"""`wakeword dashboard BUNDLE`: the endpoint with the Gradio dashboard at /ui."""

from __future__ import annotations

import argparse

from wakeword.cli.serve import add_serving_arguments, run_endpoint


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("dashboard", help="runs, reports and live detection in the browser")
    add_serving_arguments(parser)
    parser.set_defaults(func=lambda args: run_endpoint(args, dashboard=True))
