"""Coverage of the last `make test` by room: `python -m tests.coverage_by_room`."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from pathlib import Path

import coverage


def room_of(path: str) -> str:
    """`wakeword/data/report/page.py` as `wakeword/data`; files outside a room as their folder."""
    parts = Path(path).parts
    return "/".join(parts[: min(2, len(parts) - 1)])


def by_room(files: dict[str, tuple[int, int]]) -> list[tuple[str, int, int, float]]:
    """Room, lines, lines that ran and their share in per cent, by name; `files` has the two counts of each file."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for path, (lines, ran) in files.items():
        total = sums[room_of(path)]
        total[0] += lines
        total[1] += ran
    return [(room, lines, ran, 100 * ran / max(1, lines)) for room, (lines, ran) in sorted(sums.items())]


def measured() -> dict[str, tuple[int, int]]:
    """Lines and lines that ran of every file below the sources of `[tool.coverage.run]`."""
    report = coverage.Coverage()
    report.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coverage.json"
        report.json_report(outfile=str(path))
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
    return {name: (file["summary"]["num_statements"], file["summary"]["covered_lines"]) for name, file in files.items()}


def main() -> None:
    rooms = by_room(measured())
    lines, ran = (sum(room[column] for room in rooms) for column in (1, 2))
    print(f"{'room':<24}{'lines':>8}{'ran':>8}{'%':>7}")
    for room, *numbers in [*rooms, ("all", lines, ran, 100 * ran / max(1, lines))]:
        print(f"{room:<24}{numbers[0]:>8}{numbers[1]:>8}{numbers[2]:>7.1f}")
    print("not counted: what runs in Ray's workers and other child processes")


if __name__ == "__main__":
    main()
