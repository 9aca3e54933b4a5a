"""The scripts in jobs/ run the commands of the same name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from wakeword.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
NEEDED = {"mine": ("--bundle", "bundle", "--out", "mined")}
"""What a job needs beside its recipe."""
JOBS = sorted(path.stem for path in (ROOT / "jobs").glob("*.py") if path.stem != "__init__")


def _run(job: str, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "jobs" / f"{job}.py"), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def test_every_stage_has_a_job() -> None:
    assert JOBS == ["distill", "evaluate", "export", "mine", "pipeline", "prepare", "train", "tune"]
    assert set(JOBS) <= set(get_command(app).commands)


@pytest.mark.parametrize("job", JOBS)
def test_each_job_reads_its_config_and_overrides(job: str, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("words: [{label: hey_nova}]\n")
    answer = _run(job, *NEEDED.get(job, ()), "--config", str(recipe), "training.epoch=3", cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr == (f"error: {recipe}: unknown key training.epoch = 3; did you mean 'epochs'?\n")


def test_a_job_without_a_config_says_so() -> None:
    answer = _run("pipeline")
    assert answer.returncode == 2
    assert "--config" in answer.stderr


def test_mine_takes_the_options_of_its_command(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"words: [{{label: hey_nova}}]\nruns_dir: {tmp_path}/runs\n")
    answer = _run("mine", *NEEDED["mine"], "--config", str(recipe), "--threshold", "much", cwd=tmp_path)
    assert answer.returncode == 2
    assert "Invalid value for '--threshold'" in answer.stderr
    sources = ("--source", "x", "--source", "y")
    answer = _run("mine", "--config", str(recipe), *NEEDED["mine"], *sources, cwd=tmp_path)
    assert "is not prepared yet" in answer.stderr


def test_distill_takes_the_teacher(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"words: [{{label: hey_nova}}]\nruns_dir: {tmp_path}/runs\ncompute: {{workers: 0}}\n")
    without = _run("distill", "--config", str(recipe), cwd=tmp_path)
    assert without.returncode == 2
    assert "has no distillation.teacher: give --teacher RUN" in without.stderr
    given = _run("distill", "--config", str(recipe), "--teacher", str(tmp_path / "nobody"), cwd=tmp_path)
    assert given.returncode == 2
    assert "has no distillation.teacher" not in given.stderr
