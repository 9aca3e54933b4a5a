"""`wakeword`: one command per noun, each in a file of its own; this file only finds them and reports errors."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import re
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import wakeword
from wakeword.errors import WakewordError

COMMANDS = (
    "demo",
    "new",
    "prepare",
    "data",
    "train",
    "distill",
    "tune",
    "evaluate",
    "export",
    "pipeline",
    "detect",
    "audit",
    "mine",
    "listen",
    "serve",
    "dashboard",
    "doctor",
    "config",
)

EPILOG = """start with:
  wakeword demo                       a detector for "hey nova" from nothing, in minutes
  wakeword new "computer" --run       the same for your phrase
  wakeword detect BUNDLE FILE.wav     what a trained bundle hears in recordings

exit codes: 0 done, 1 a defect or a demo that failed its check, 2 configuration or usage, 3 data, 4 bundle,
5 device, 6 missing extra, 7 run, 8 serving, 130 interrupted"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; every sub-parser sets `func(args) -> int`."""
    parser = argparse.ArgumentParser(
        prog="wakeword",
        description="Say which phrase should wake a device, and get a small streaming detector.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"wakeword {wakeword.__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"wakeword.cli.{name}").add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code (see `wakeword.errors`)."""
    args = _parsed(build_parser(), argv)
    try:
        with _terminable():
            return int(args.func(args))
    except WakewordError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted: the same command continues where this one stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output (head, less) went away: no fault, but Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parsed(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line, with overrides (`key=value`) at any place: argparse takes them before options only."""
    args, behind = parser.parse_known_args(argv)
    late = [text for text in behind if re.match(r"[A-Za-z_][\w.]*=", text)]
    if behind and (late != behind or not hasattr(args, "overrides")):
        parser.error(f"unrecognized arguments: {' '.join(behind)}")
    if late:
        args.overrides = [*args.overrides, *late]
    return args


class _terminable:
    """SIGTERM ends a command like Ctrl-C: local Ray processes and half-written files are cleaned up on the way out."""

    def __enter__(self) -> None:
        self._before = None
        # ValueError: not the main thread (a test, an embedding program); its owner decides about signals.
        with contextlib.suppress(ValueError):
            self._before = signal.signal(signal.SIGTERM, self._interrupt)

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    @staticmethod
    def _interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
