"""`run.json` and the lock on a run's folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from wakeword.errors import RunError
from wakeword.system.run_record import RunRecord, lock_folder


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


def test_another_process_holds_the_folder_until_it_dies(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from wakeword.system.run_record import lock_folder\n"
        f"with lock_folder(Path({str(tmp_path)!r}), '.lock'): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="another process works on"), lock_folder(tmp_path, ".lock"):
            pass
        child.kill()
    with lock_folder(tmp_path, ".lock", wait=True):
        pass
