"""`wakeword dashboard [BUNDLE]`: runs, reports and detection in the browser, in one process without Ray."""

from __future__ import annotations

import argparse
from pathlib import Path

from wakeword.cli.options import OVERRIDES_HELP
from wakeword.system.files import user_path


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("dashboard", help="runs, reports and live detection in the browser")
    parser.add_argument(
        "bundle", metavar="BUNDLE", type=user_path, nargs="?", help="offered beside the bundles of the runs"
    )
    parser.add_argument("overrides", metavar="key=value", nargs="*", help=OVERRIDES_HELP)
    parser.add_argument(
        "--config", type=user_path, help="recipe whose sections serving and tracking and whose runs_dir are used"
    )
    parser.add_argument("--host", help="serving.host")
    parser.add_argument("--port", type=int, help="serving.dashboard_port")
    parser.set_defaults(func=_dashboard)


def _dashboard(args: argparse.Namespace) -> int:
    from wakeword.cli.served import served
    from wakeword.config import load_config
    from wakeword.runtime.bundle import load_bundle
    from wakeword.system.log import configure_logging

    overrides, bundle = list(args.overrides), args.bundle
    if bundle and "=" in bundle and not Path(bundle).exists():
        overrides.insert(0, bundle)
        bundle = None
    if bundle:
        load_bundle(bundle)  # a damaged one is refused before anything starts
    if not args.config:
        # A config needs words; the dashboard reads those of each run and bundle.
        overrides.append("words=[{label: any}]")
    for name, value in (("host", args.host), ("dashboard_port", args.port)):
        if value is not None:
            overrides.append(f"serving.{name}={value}")
    config = load_config(args.config, overrides)
    configure_logging(config.tracking)
    served("dashboard.launch").run_dashboard(config, bundle)
    return 0
