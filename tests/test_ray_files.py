"""The runner of Ray and browser files finds the marked files, and reports a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import ray_files


def test_files_with_a_mark_are_found(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text("@pytest.mark.ray\ndef test(): ...\n", encoding="utf-8")
    (tmp_path / "test_two.py").write_text("@pytest.mark.slow\ndef test(): ...\n", encoding="utf-8")
    (tmp_path / "three.py").write_text("@pytest.mark.browser\n", encoding="utf-8")
    assert [path.name for path in ray_files.marked_files(tmp_path)] == ["test_one.py"]
    marked = [str(path.relative_to(ray_files.TESTS)) for path in ray_files.marked_files(ray_files.TESTS)]
    assert set(ray_files.ALONE) <= set(marked)
    assert {name for group in ray_files.GROUPS for name in group} <= set(marked)


def test_each_file_is_in_one_process() -> None:
    files = ray_files.marked_files(ray_files.TESTS)
    processes = ray_files.in_groups(files)
    assert sorted(path for paths in processes for path in paths) == sorted(files)
    assert [len(paths) for paths in processes[: len(ray_files.GROUPS)]] == [len(group) for group in ray_files.GROUPS]


@pytest.mark.parametrize(("value", "code"), [("True", 0), ("False", 1)])
def test_a_failure_is_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str, code: int
) -> None:
    program = f"import pytest\n\n\n@pytest.mark.ray\ndef test_it():\n    assert {value}\n"
    (tmp_path / "test_it.py").write_text(program, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    ray\n    browser\n    slow\n", encoding="utf-8")
    monkeypatch.setattr(ray_files, "TESTS", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert ray_files.main(["-p", "no:cacheprovider"]) == code
    assert ("FAILED test_it.py" in capsys.readouterr().out) == bool(code)
