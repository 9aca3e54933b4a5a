"""`wakeword serve BUNDLE`: the WebSocket endpoint on Ray Serve."""

from __future__ import annotations

import argparse

from wakeword.cli.options import OVERRIDES_HELP
from wakeword.system.files import user_path


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser("serve", help="serve a bundle: WebSocket /v1/stream on Ray Serve")
    parser.add_argument("bundle", metavar="BUNDLE", type=user_path, help="folder or zip that `wakeword export` wrote")
    parser.add_argument("overrides", metavar="key=value", nargs="*", help=OVERRIDES_HELP)
    parser.add_argument("--config", type=user_path, help="recipe whose sections serving, compute and tracking are used")
    parser.add_argument("--host", help="serving.host")
    parser.add_argument("--port", type=int, help="serving.port")
    parser.add_argument("--dashboard", action="store_true", help="mount the dashboard beside it, at /ui")
    parser.set_defaults(func=_serve)


def _serve(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    from wakeword.cli.served import served
    from wakeword.config import load_config
    from wakeword.runtime.bundle import load_bundle
    from wakeword.system.log import configure_logging

    labels = load_bundle(args.bundle).labels
    overrides = list(args.overrides)
    if not args.config:
        # A config needs words; those of the bundle are what is served.
        overrides.append("words=[" + ", ".join(f"{{label: {label}}}" for label in labels) + "]")
    for name in ("host", "port"):
        if getattr(args, name) is not None:
            overrides.append(f"serving.{name}={getattr(args, name)}")
    if args.dashboard:
        overrides.append("serving.dashboard=true")
    config = load_config(args.config, overrides)
    configure_logging(config.tracking)
    served("app").run(config, args.bundle)
    return 0
