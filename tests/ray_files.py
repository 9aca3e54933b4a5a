"""Run the test files that start a Ray or a browser: a process per file, two at a time.

A process per file, because Ray keeps the first cluster's authentication for as long as its process lives.

Usage: python -m tests.ray_files [PYTEST_OPTION ...]
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).resolve().parent
AT_A_TIME = 2
ALONE = ("stages/test_ray_data.py",)
"""Files that compare times of a tenth of a second."""
NO_TESTS = 5
"""Exit code of pytest where the marks select nothing."""


def marked_files(folder: Path) -> list[Path]:
    """Test files that use one of the marks `ray` and `browser`."""
    files = sorted(folder.rglob("test_*.py"))
    return [path for path in files if re.search(r"mark\.(ray|browser)\b", path.read_text(encoding="utf-8"))]


def run_file(path: Path, options: Iterable[str]) -> bool:
    """Run one file, print its output when it has ended, and return whether it passed."""
    name = str(path.relative_to(TESTS))
    marks = ["-m", "not slow and (ray or browser)"]
    data = f".coverage.{name.replace('/', '-')}"
    started_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *marks, *options, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COVERAGE_FILE": data},
        check=False,
    )
    if done.returncode != NO_TESTS:
        print(f"== {name}: {time.monotonic() - started_s:.0f} s\n{done.stdout}", flush=True)
    return done.returncode in (0, NO_TESTS)


def main(options: list[str]) -> int:
    """Run all files; 1 when one has failed."""
    files = marked_files(TESTS)
    together = [path for path in files if str(path.relative_to(TESTS)) not in ALONE]
    passed: dict[Path, bool] = {}
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        passed.update(zip(together, pool.map(lambda path: run_file(path, options), together), strict=True))
    for path in set(files) - set(together):
        passed[path] = run_file(path, options)
    failed = [path for path, good in passed.items() if not good]
    for path in failed:
        print(f"FAILED {path.relative_to(TESTS)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
