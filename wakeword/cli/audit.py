"""`wakeword audit BUNDLE FOLDER|- --out DIR`: false alarms of a bundle over days of household recordings."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wakeword.cli.console import print_next, print_table
from wakeword.errors import ConfigError, DataError
from wakeword.system.files import user_path

if TYPE_CHECKING:
    from wakeword.evaluation.audit.results import AuditReport

PARTLY_FAILED = DataError.exit_code


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "audit",
        help="count a bundle's false alarms over days of recordings, with a clip of each",
        description="Count a bundle's false alarms over a folder of household recordings, or a stream of 16 kHz mono"
        " int16 samples on standard input, and keep a clip of each. Ended in any way, the same command goes on where it"
        f" stopped. Recordings that cannot be used are listed with a reason; the exit code is then {PARTLY_FAILED}.",
    )
    parser.add_argument("bundle", metavar="BUNDLE", type=user_path, help="folder or zip that `wakeword export` wrote")
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        type=user_path,
        help="folder of recordings (searched to its depth), or - for a stream",
    )
    parser.add_argument(
        "--out", metavar="DIR", type=user_path, required=True, help="folder of the journal, the clips and audit.json"
    )
    parser.add_argument("--before", type=float, default=3.0, metavar="S", help="seconds of a clip before the peak (3)")
    parser.add_argument("--after", type=float, default=2.0, metavar="S", help="seconds of a clip after the peak (2)")
    parser.add_argument("--confidence", type=float, default=0.95, metavar="C", help="of every interval (0.95)")
    limit = parser.add_mutually_exclusive_group()
    limit.add_argument("--threshold", type=float, metavar="X", help="threshold for every word, from 0 to 1")
    limit.add_argument(
        "--fah-target", type=float, metavar="N", help="take the bundle's operating point for N false alarms per hour"
    )
    parser.set_defaults(func=_audit)


def _audit(args: argparse.Namespace) -> int:
    from wakeword.evaluation.audit.run import REPORT_NAME, ClipSpan, audit_folder, audit_stream
    from wakeword.runtime import load_bundle
    from wakeword.stages.progress import Progress
    from wakeword.system.log import configure_logging

    if not (0 < args.before <= 60 and 0 < args.after <= 60):
        raise ConfigError(f"a clip has 0 to 60 s on either side, got --before {args.before:g} --after {args.after:g}")
    if not (0.5 < args.confidence < 1):
        raise ConfigError(f"a confidence lies between 0.5 and 1, got {args.confidence:g}")
    bundle = load_bundle(args.bundle)
    thresholds = bundle.thresholds_for(args.fah_target, args.threshold)
    configure_logging()
    with Progress("audit", unit="recordings") as progress:

        def show(done: int, files: int, hours: float, triggers: int) -> None:
            text = f"{math.floor(hours * 100) / 100:.2f} h heard, {triggers} triggers"
            progress.to(done, files or None, text)

        options = (thresholds, ClipSpan(args.before, args.after), args.confidence, show)
        if args.folder == "-":
            report = audit_stream(bundle, sys.stdin.buffer, args.out, *options)
        else:
            report = audit_folder(bundle, args.folder, args.out, *options)
    _print(report, Path(args.out) / REPORT_NAME)
    if report.triggers:
        print(f"clips: {Path(args.out) / 'clips'}")
        moved = f"move clips in which the word was said to {Path(args.out) / 'said'}, then run this again:"
        print(f"\n{moved}\n  {_again(args)}")
    else:
        print_next(f"wakeword listen {args.bundle}")
    return PARTLY_FAILED if report.bad else 0


def _print(report: AuditReport, path: Path) -> None:
    header, rows = report.table()
    of = f" of {report.recordings + len(report.bad)}" if report.bad else ""
    print_table(f"{report.hours:.2f} h in {report.recordings}{of} recordings", header, rows)
    for line in report.evidence():
        print(line)
    if report.odd:
        print_table("recordings heard with a note", ["recording", "note"], [[o.recording, o.note] for o in report.odd])
    if report.other_files:
        print(f"{report.other_files} other files are no audio")
    if report.bad:
        print_table(
            "recordings that could not be used", ["recording", "reason"], [[b.recording, b.reason] for b in report.bad]
        )
    print(f"\naudit: {path}")


def _again(args: argparse.Namespace) -> str:
    parts = ["wakeword", "audit", args.bundle, args.folder, "--out", args.out]
    for name in ("before", "after", "confidence", "threshold", "fah_target"):
        value = getattr(args, name)
        if value is not None and value != {"before": 3.0, "after": 2.0, "confidence": 0.95}.get(name):
            parts += [f"--{name.replace('_', '-')}", f"{value:g}"]
    return " ".join(shlex.quote(part) for part in parts) + (" < /dev/null" if args.folder == "-" else "")
