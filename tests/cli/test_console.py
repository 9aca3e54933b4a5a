"""Tables for pipes and files."""

from __future__ import annotations

import pytest

from wakeword.cli.console import plain_table, print_table


def test_columns_line_up() -> None:
    lines = plain_table("runs", ("name", "s"), [["a", "1.0"], ["longer", "12.0"]]).splitlines()
    assert lines[1:] == ["runs", "name    s", "------  ----", "a       1.0", "longer  12.0"]


def test_brackets_and_nothing_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("parts", ("part", "note"), [("wakeword[train]", None)])
    assert "wakeword[train]" in capsys.readouterr().out
