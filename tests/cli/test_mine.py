"""`wakeword mine`, from a prepared recipe to clips that train."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.evaluation import known
from tests.mining.corpus import write_home
from wakeword.cli.main import main
from wakeword.config import load_config
from wakeword.data.mined import read_candidates
from wakeword.data.prepare import prepare
from wakeword.pipeline import prepared_folder


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("recipe")
    tree = {
        "runs_dir": str(root / "runs"),
        "words": [{"label": label} for label in known.TONES_HZ],
        "data": {
            "sources": [{"type": "csv", "uri": str(write_home(root / "home"))}],
            "quality": {"guarded": False},
        },
    }
    path = root / "recipe.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return known.tone_bundle(tmp_path_factory.mktemp("bundle") / "tones")


def test_run_review_and_what_comes_next(recipe, bundle, tmp_path, capsys) -> None:
    out = tmp_path / "mined here"
    arguments = ["mine", "run", str(bundle), str(recipe), "--out", str(out), "--local", "--threshold", "0.4"]
    assert main(arguments) == 3
    assert f"is not prepared yet: run `wakeword prepare {recipe}` first" in capsys.readouterr().err
    config = load_config(recipe)
    prepare(config, prepared_folder(config), runner="local")
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "0.01 h of negatives scored" in printed
    assert "0 kept, 0 discarded, 4 undecided" in printed
    assert f"wakeword mine review '{out}'" in printed
    first, second, *_ = read_candidates(out).column("id").to_pylist()
    assert main(["mine", "review", str(out), "--keep", first, "--discard", second]) == 0
    printed = capsys.readouterr().out
    assert "1 kept, 1 discarded, 2 undecided" in printed
    assert f"- type: mined\n    uri: {out}" in printed
    cluster = str(read_candidates(out).column("cluster").to_pylist()[-1])
    assert main(["mine", "review", str(out), "--discard-cluster", cluster, "--keep-undecided"]) == 0
    assert "0 undecided" in capsys.readouterr().out
    # The same again, with a source of one's own and fewer candidates: decisions stay.
    source = ["--source", f"csv:{recipe.parent / 'home' / 'manifest.csv'}"]
    assert main([*arguments, *source, "--most", "1"]) == 0
    printed = capsys.readouterr().out
    assert "0 undecided" in printed
    assert "left out: 2 contains_word, 2 in_evaluation, 12 is_word" in printed


def test_faults_are_one_sentence_and_their_exit_code(recipe, bundle, tmp_path, capsys) -> None:
    config = load_config(recipe)
    prepare(config, prepared_folder(config), runner="local")
    run = ("mine", "run", bundle, recipe, "--out", tmp_path / "out", "--local")
    for code, output, arguments in [
        (2, "is not a folder", ("mine", "review", tmp_path / "absent")),
        (3, "holds no mined candidates", ("mine", "review", tmp_path)),
        (3, "does not exist", (*run, "--source", tmp_path / "absent")),
        (4, "there is no bundle", ("mine", "run", tmp_path / "absent", recipe, "--out", tmp_path / "out")),
        (4, "a threshold lies between", (*run, "--threshold", 7)),
    ]:
        status = main([*map(str, arguments)])
        printed, error = capsys.readouterr()
        assert (status, printed) == (code, ""), error
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        assert output in error
