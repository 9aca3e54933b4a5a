"""The table of coverage by room, from a measurement of an example project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.coverage_by_room import by_room, room_of


def test_rooms_are_the_folders_of_the_package() -> None:
    assert room_of("wakeword/data/report/page.py") == "wakeword/data"
    assert room_of("wakeword/errors.py") == "wakeword"
    assert room_of("serve/app.py") == "serve"
    files = {"a/b/one.py": (10, 10), "a/b/c/two.py": (30, 10), "a/empty.py": (0, 0)}
    assert by_room(files) == [("a", 0, 0, 0.0), ("a/b", 40, 20, 50.0)]


def test_a_measurement_becomes_a_table(tmp_path: Path) -> None:
    (tmp_path / "house" / "room").mkdir(parents=True)
    for name, text in {
        "house/__init__.py": "",
        "house/room/__init__.py": "def f(x):\n    if x:\n        return 1\n    return 2\n\n\nf(1)\n",
        "house/never.py": "x = 1\n",
        ".coveragerc": "[run]\nsource = house\n",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "run.py").write_text("import house.room\n", encoding="utf-8")
    subprocess.run([sys.executable, "-m", "coverage", "run", "run.py"], cwd=tmp_path, check=True)
    root = str(Path(__file__).parents[1])
    code = f"import sys; sys.path.insert(0, {root!r}); from tests.coverage_by_room import main; main()"
    table = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines()}
    assert rows["house/room"] == ["5", "4", "80.0"]
    assert rows["house"] == ["1", "0", "0.0"]
    assert rows["all"] == ["6", "4", "66.7"]
