"""Tables and the epoch bar's source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wakeword.cli.console import last_metrics, plain_table, print_table


def test_columns_line_up() -> None:
    lines = plain_table("runs", ("name", "s"), [["a", "1.0"], ["longer", "12.0"]]).splitlines()
    assert lines[1:] == ["runs", "name    s", "------  ----", "a       1.0", "longer  12.0"]


def test_brackets_and_nothing_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("parts", ("part", "note"), [("wakeword[train]", None)])
    assert "wakeword[train]" in capsys.readouterr().out


def test_a_half_written_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert last_metrics(path) is None
    path.write_text(json.dumps({"epoch": 1}) + "\n" + '{"epoch": 2, "va')
    assert last_metrics(path) == {"epoch": 1}
