"""Rooms stay small: lines of files and functions, files of folders. import-linter checks import rules and cycles."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("wakeword", "serve", "jobs", "benchmarks", "tests")
MOST_LINES, MOST_FUNCTION_LINES, MOST_FILES = 400, 60, 20


def python_files(root: Path) -> list[Path]:
    """All Python files of the project, without caches and environments."""
    return sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py"))


def long_files(root: Path) -> Iterator[str]:
    """Files with more than `MOST_LINES` lines."""
    for path in python_files(root):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MOST_LINES:
            yield f"{path.relative_to(root)}: {lines} lines"


def long_functions(root: Path) -> Iterator[str]:
    """Functions with more than `MOST_FUNCTION_LINES` lines."""
    for path in python_files(root):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MOST_FUNCTION_LINES:
                    yield f"{path.relative_to(root)}:{node.lineno} {node.name}: {lines} lines"


def full_folders(root: Path) -> Iterator[str]:
    """Folders of the library with more than `MOST_FILES` Python files."""
    counts = Counter(path.parent for path in (root / "wakeword").rglob("*.py"))
    yield from (f"{folder.relative_to(root)}: {count} files" for folder, count in counts.items() if count > MOST_FILES)


CHECKS = (long_files, long_functions, full_folders)


@pytest.mark.parametrize("check", CHECKS)
def test_rooms_are_small(check) -> None:  # type: ignore[no-untyped-def]
    assert list(check(ROOT)) == []


def test_the_checks_can_fail(tmp_path: Path) -> None:
    room = tmp_path / "wakeword" / "room"
    room.mkdir(parents=True)
    for number in range(MOST_FILES + 1):
        (room / f"file_{number}.py").write_text("", encoding="utf-8")
    (room / "file_0.py").write_text("def f():\n" + "    x = 1\n" * MOST_LINES, encoding="utf-8")
    assert [len(list(check(tmp_path))) for check in CHECKS] == [1, 1, 1]
