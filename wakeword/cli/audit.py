"""`wakeword audit BUNDLE FOLDER|- --out DIR`: false alarms of a bundle in days of recordings."""

from __future__ import annotations

import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from wakeword.cli.console import print_next, print_table
from wakeword.cli.options import Bundle, FahTarget, Threshold, path, path_argument, require_one, value
from wakeword.errors import ConfigError, DataError

if TYPE_CHECKING:
    from wakeword.evaluation.audit.results import AuditReport

_FOLDER = "folder of recordings with its subfolders; or - for 16 kHz mono int16 samples on standard input"


def audit(
    bundle: Bundle,
    folder: Annotated[str, path_argument("FOLDER", _FOLDER)],
    out: Annotated[str, path("DIR", "folder of the journal, the clips and audit.json")],
    before: Annotated[float, value("S", "seconds of a clip before the peak")] = 3.0,
    after: Annotated[float, value("S", "seconds of a clip after the peak")] = 2.0,
    confidence: Annotated[float, value("C", "confidence of every interval")] = 0.95,
    threshold: Threshold = None,
    fah_target: FahTarget = None,
) -> int:
    """Count a bundle's false alarms in days of recordings, and keep a clip of each.

    After an interruption the same command continues where it stopped. Recordings that cannot be used are listed with a
    reason; the exit code is then 3.
    """
    from wakeword.evaluation.audit.run import REPORT_NAME, ClipSpan, audit_folder, audit_stream
    from wakeword.runtime import load_bundle
    from wakeword.stages.progress import Progress
    from wakeword.system.log import configure_logging

    require_one(threshold, fah_target)
    if not (0 < before <= 60 and 0 < after <= 60):
        raise ConfigError(f"--before {before:g} --after {after:g}: both must lie between 0 and 60 s")
    if not (0.5 < confidence < 1):
        raise ConfigError(f"--confidence must lie between 0.5 and 1, got {confidence:g}")
    loaded = load_bundle(bundle)
    configure_logging()
    with Progress("audit", unit="recordings") as progress:

        def show(done: int, files: int, hours: float, triggers: int) -> None:
            progress.to(done, files or None, f"{math.floor(hours * 100) / 100:.2f} h scored, {triggers} triggers")

        thresholds = loaded.thresholds_for(fah_target, threshold, verified=True)
        settings = (thresholds, ClipSpan(before, after), confidence, show)
        if folder == "-":
            report = audit_stream(loaded, sys.stdin.buffer, out, *settings)
        else:
            report = audit_folder(loaded, folder, out, *settings)
    _print(report, Path(out) / REPORT_NAME)
    if report.triggers:
        given = (before, 3.0), (after, 2.0), (confidence, 0.95), (threshold, None), (fah_target, None)
        names = ("--before", "--after", "--confidence", "--threshold", "--fah-target")
        options = [(name, f"{x:g}") for name, (x, default) in zip(names, given, strict=True) if x != default]
        again = ["wakeword", "audit", bundle, folder, "--out", out, *(part for pair in options for part in pair)]
        print(f"clips: {Path(out) / 'clips'}")
        print(f"\nmove clips that contain the word to {Path(out) / 'said'}, then run this again:")
        print(f"  {shlex.join(again)}{' < /dev/null' if folder == '-' else ''}")
    else:
        print_next(f"wakeword listen {bundle}")
    return DataError.exit_code if report.bad else 0


def _print(report: AuditReport, path: Path) -> None:
    header, rows = report.table()
    of = f" of {report.recordings + len(report.bad)}" if report.bad else ""
    print_table(f"{report.hours:.2f} h in {report.recordings}{of} recordings", header, rows)
    for line in report.evidence():
        print(line)
    if report.odd:
        print_table("recordings scored with a note", ("recording", "note"), [(o.recording, o.note) for o in report.odd])
    if report.other_files:
        print(f"{report.other_files} other files are not audio")
    if report.bad:
        reasons = [(bad.recording, bad.reason) for bad in report.bad]
        print_table("recordings that could not be used", ("recording", "reason"), reasons)
    print(f"\naudit: {path}")
