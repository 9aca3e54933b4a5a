"""What all benchmarks share: bars with a target, the machine they were measured on, a table, a JSON file."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from wakeword.system.files import write_json

ROOT = Path(__file__).resolve().parent.parent
RECORDINGS = ROOT.parent / "shared" / "data"


@dataclass(frozen=True)
class Bar:
    """One claim: a measured value against its target, or a figure that is only told (`target` None)."""

    name: str
    value: float
    unit: str
    target: float | None = None
    at: Literal["most", "least"] = "most"

    @property
    def ok(self) -> bool:
        """Whether the claim holds."""
        if self.target is None:
            return True
        return self.value <= self.target if self.at == "most" else self.value >= self.target


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "cpus": usable,
        "load_1min": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


def commit() -> str:
    """The commit that was measured, with `+` where the working tree differs from it; unknown outside git."""
    try:
        found = _git("rev-parse", "--short=12", "HEAD")
        return found + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (FileNotFoundError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    ).stdout.strip()


def table(bars: Sequence[Bar]) -> str:
    """The bars as text, a line each."""
    width = max(len(bar.name) for bar in bars)
    lines = []
    for bar in bars:
        sign = "    " if bar.target is None else "ok  " if bar.ok else "MISS"
        target = "" if bar.target is None else f"  at {bar.at} {bar.target:g}"
        lines.append(f"{sign}  {bar.name:<{width}}  {bar.value:>10.4g} {bar.unit}{target}")
    return "\n".join(lines)


def run(
    name: str,
    measure: Callable[[argparse.Namespace], list[Bar]],
    arguments: Callable[[argparse.ArgumentParser], None] | None = None,
    argv: Sequence[str] | None = None,
) -> int:
    """Measure, print the table, write the JSON.

    Args:
        name: of the benchmark.
        measure: takes the parsed arguments (`quick` among them), returns the bars.
        arguments: adds arguments of the benchmark's own.
        argv: command line; None takes the process's.

    Returns:
        0 when all bars hold, 1 otherwise: the exit code.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--quick", action="store_true", help="smaller, for a check that it runs")
    parser.add_argument("--json", type=Path, help="write machine, commit and bars here")
    if arguments:
        arguments(parser)
    args = parser.parse_args(argv)
    bars = measure(args)
    print(table(bars))
    if args.json:
        record = [{**asdict(bar), "ok": bar.ok} for bar in bars]
        write_json(
            args.json,
            {"name": name, "quick": args.quick, "machine": machine(), "commit": commit(), "bars": record},
        )
    return 0 if all(bar.ok for bar in bars) else 1
