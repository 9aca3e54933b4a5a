"""`wakeword doctor`: installed parts, GPUs and missing extras."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from typing import Annotated

from typer import Option

from wakeword.cli.console import print_next, print_table
from wakeword.cli.options import value
from wakeword.errors import ConfigError
from wakeword.system.parts import PARTS, Finding, examine, find_gpus


def doctor(
    as_json: Annotated[bool, Option("--json", help="print the findings as JSON")] = False,
    only: Annotated[list[str] | None, value("PART…", "parts to check, such as torch espeakng-loader", "all")] = None,
) -> int:
    """Check the installed parts and report GPUs and missing extras.

    The exit code is 1 if a part fails its check.
    """
    parts = [part for part in PARTS if not only or part[1] in only]
    unknown = set(only or ()) - {part[1] for part in PARTS}
    if unknown:
        names = ", ".join(part[1] for part in PARTS)
        raise ConfigError(f"--only {' '.join(sorted(unknown))}: unknown part; choose from {names}")
    findings = [examine(*part) for part in parts]
    gpus = find_gpus()
    if as_json:
        machine = {"python": platform.python_version(), "platform": platform.platform(), "gpus": gpus}
        print(json.dumps({**machine, "parts": [asdict(finding) for finding in findings]}, indent=2))
    else:
        _print(findings, gpus)
    return 1 if any(f.state == "failed" or (f.state == "missing" and not f.extra) for f in findings) else 0


def _print(findings: list[Finding], gpus: list[str]) -> None:
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"Python {platform.python_version()} on {platform.platform()}, {cpus} CPUs")
    print("GPU: " + ("; ".join(gpus) if gpus else "none (training and evaluation run on the CPU)"))
    rows = [(f.part, f.extra or "core", f.state, f.version, f.detail, f"{f.seconds:.1f}") for f in findings]
    print_table("parts", ("part", "extra", "state", "version", "check", "s"), rows)
    missing = sorted({f.extra for f in findings if f.state == "missing" and not f.version})
    print_next(f"pip install 'wakeword[{','.join(missing)}]'" if missing else "wakeword demo")
