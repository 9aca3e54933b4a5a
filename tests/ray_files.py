"""Run the test files that start a Ray or a browser: two processes at a time.

A process per file, because Ray keeps the first cluster's authentication for as long as its process lives. The files of
a group share a process and one Ray, since they only run stages on it.

Usage: python -m tests.ray_files [PYTEST_OPTION ...]
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).resolve().parent
AT_A_TIME = 2
ALONE = ("stages/test_ray_data.py",)
"""Files that compare times of a tenth of a second."""
GROUPS = (
    (
        "data/test_prepare.py",
        "data/cutting/test_cut.py",
        "evaluation/cascade/test_run.py",
        "evaluation/scoring/test_run.py",
        "evaluation/test_evaluate.py",
    ),
    ("mining/test_find.py", "mining/test_phonetic.py", "teachers/test_features.py", "teachers/test_targets.py"),
)
NO_TESTS = 5
"""Exit code of pytest where the marks select nothing."""


def marked_files(folder: Path) -> list[Path]:
    """Test files that use one of the marks `ray` and `browser`."""
    files = sorted(folder.rglob("test_*.py"))
    return [path for path in files if re.search(r"mark\.(ray|browser)\b", path.read_text(encoding="utf-8"))]


def in_groups(files: Iterable[Path]) -> list[tuple[Path, ...]]:
    """The files of each process: the groups, then each other file alone."""
    names = {str(path.relative_to(TESTS)): path for path in files}
    groups = [tuple(names.pop(name) for name in group if name in names) for group in GROUPS]
    return [*(group for group in groups if group), *((path,) for path in names.values())]


def run_files(paths: Sequence[Path], options: Iterable[str]) -> bool:
    """Run files in one process, print its output when it has ended, and return whether they passed."""
    name = ", ".join(str(path.relative_to(TESTS)) for path in paths)
    marks = ["-m", "not slow and (ray or browser)", *(["-p", "tests.one_ray"] if len(paths) > 1 else [])]
    data = f".coverage.{paths[0].relative_to(TESTS).with_suffix('').as_posix().replace('/', '-')}"
    started_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *marks, *options, *map(str, paths)],
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
    alone = [path for path in files if str(path.relative_to(TESTS)) in ALONE]
    processes = in_groups(path for path in files if path not in alone)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        passed = list(pool.map(lambda paths: run_files(paths, options), processes))
    processes += [(path,) for path in alone]
    passed += [run_files((path,), options) for path in alone]
    failed = [paths for paths, good in zip(processes, passed, strict=True) if not good]
    for paths in failed:
        print(f"FAILED {', '.join(str(path.relative_to(TESTS)) for path in paths)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
