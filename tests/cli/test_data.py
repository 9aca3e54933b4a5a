"""`wakeword data report`: tables, advice, the page, exit codes and the next command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.corpus import config_for, write_corpus
from tests.evaluation import known
from wakeword.cli.main import main
from wakeword.config import save_config
from wakeword.data.prepare import prepare
from wakeword.pipeline import prepared_folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["data", "report", *map(str, arguments)])
    return (code, *capsys.readouterr())


def test_a_recipe_is_reported_after_it_was_prepared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = config_for(write_corpus(tmp_path / "corpus"), runs_dir=str(tmp_path / "runs"))
    recipe = tmp_path / "a recipe.yaml"
    save_config(config, recipe)
    code, out, error = run(capsys, recipe)
    assert (code, out) == (3, "")
    assert error == f"error: {recipe} is not prepared yet: run `wakeword prepare '{recipe}'` first\n"
    prepare(config, prepared_folder(config), runner="local")
    code, out, error = run(capsys, recipe)
    assert code == 0
    assert "error" not in error
    row = next(line for line in out.splitlines() if line.startswith("wakeword  marvin"))
    assert "h)" in row
    assert "few_speakers: marvin has" in out
    assert "can be trained on: " in out
    assert out.endswith(f"next:\n  wakeword data report '{recipe}' --html data.html\n")
    # The recipe's targets decide what is too small.
    assert "test_hours" in out
    code, out, _ = run(capsys, recipe, "evaluation.operating_fah=1e6", "--html", tmp_path / "data.html")
    assert code == 0
    assert "test_hours" not in out
    assert out.endswith(f"next:\n  wakeword train '{recipe}' evaluation.operating_fah=1e6\n")
    page = (tmp_path / "data.html").read_text()
    assert "evaluation.operating_fah=1e6 --html" in page


def test_a_speaker_in_two_splits_ends_with_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row for split in ("train", "val", "test") for row in known.tone_rows(split, 4, 2)]
    good = known.prepared(tmp_path / "good", rows)
    code, out, _ = run(capsys, good)
    assert code == 0
    assert out.endswith(f"next:\n  wakeword data report {good} --html data.html\n")
    rows[0]["speaker"] = "test-1"
    bad = known.prepared(tmp_path / "bad", rows)
    code, out, error = run(capsys, bad, "--html", tmp_path / "bad.html")
    assert (code, error) == (3, "")
    assert "ERROR speaker_overlap: 1 speaker in more than one split: test-1 (train and test)" in out
    assert "not to be trained on: 1 error" in out
    assert out.endswith("next:\n  wakeword prepare CONFIG\n")
    assert "in more than one split: 1" in (tmp_path / "bad.html").read_text()


def test_faults_are_one_sentence_and_their_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for code, printed, arguments in [
        (2, "does not exist", (tmp_path / "absent.yaml",)),
        (3, "holds no prepared data", (tmp_path,)),
        (2, "which applies to recipes only", (tmp_path, "words.0.label=x")),
    ]:
        status, out, error = run(capsys, *arguments)
        assert (status, out) == (code, ""), error
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        assert printed in error
