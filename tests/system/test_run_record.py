"""`run.json`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wakeword.errors import RunError
from wakeword.system.run_record import RunRecord


def test_only_complete_stages_have_a_key(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    record = RunRecord(path, "tiny")
    record.put("train", state="running", started="now")
    assert RunRecord(path, "tiny").key("train") is None
    record.put("train", state="complete", key="abc", seconds=1.0)
    again = RunRecord(path, "tiny")
    assert again.key("train") == "abc"
    again.forget(("train", "export"))
    assert RunRecord(path, "tiny").key("train") is None
    body = json.loads(path.read_text())
    assert body["name"] == "tiny"
    assert body["software"]["python"]


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 1}'])
def test_a_damaged_record_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(content)
    with pytest.raises(RunError, match=r"run\.json cannot be read .*: remove it"):
        RunRecord(path, "tiny")
