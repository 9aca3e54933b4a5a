"""`wakeword evaluate`: another precision of a bundle, finished evaluations side by side, wrong usage."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from tests.evaluation import known
from wakeword.cli.main import main
from wakeword.config import load_config
from wakeword.evaluation.evaluate import evaluate
from wakeword.evaluation.results import EvaluationReport
from wakeword.pipeline import prepared_folder, run_folder
from wakeword.runtime.bundle import VARIANTS, seal_manifest
from wakeword.system.files import sha256_of

NEAR = {"resembles": "alpha", "phoneme_distance": 1}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose bundle holds, as its int8 model, a graph with a third of the scores."""
    folder = tmp_path_factory.mktemp("evaluate")
    path = folder / "recipe.yaml"
    path.write_text(
        f"name: tones\nruns_dir: {folder}\nwords: [{{label: alpha}}]\n"
        "evaluation: {snr_db: [0.0], far: false, near: false, codecs: []}\n"
    )
    config = load_config(path)
    rows = [r for split in ("val", "test") for r in known.tone_rows(split, 30, 3, ("alpha",))]
    for split in ("val", "test"):
        near = known.tone_clip("alpha", known.np.random.default_rng(5))
        rows += [known.row(split, "confusable", "near_miss", near, n, **NEAR) for n in range(6)]
    known.prepared(prepared_folder(config), rows)
    bundle = known.tone_bundle(run_folder(config) / "bundle", ("alpha",))
    small = bundle / VARIANTS["int8"]
    onnx.save(known._graph(("alpha",), 0.3), small)
    manifest = json.loads((bundle / "wake.json").read_text())
    manifest["files"][small.name] = {"sha256": sha256_of(small), "bytes": small.stat().st_size}
    (bundle / "wake.json").write_text(seal_manifest({k: v for k, v in manifest.items() if k != "checksum"}))
    evaluate(bundle, prepared_folder(config), config, run_folder(config) / "evaluation")
    return path


def test_another_precision_and_both_side_by_side(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_folder(load_config(recipe))
    before = (run / "bundle" / "wake.json").read_bytes()
    assert main(["evaluate", str(recipe), "--variant", "int8"]) == 0
    printed = capsys.readouterr().out
    assert f"--compare {run / 'evaluation'} {run / 'evaluation-int8'}" in printed
    assert "near misses that fire, by phonemes: 1 away 100 % of 6" in printed
    plain, small = (EvaluationReport.load(run / name / "report.json") for name in ("evaluation", "evaluation-int8"))
    assert (plain.provenance["precision"], small.provenance["precision"]) == ("float32", "int8")
    # Bins from 0.325 up: the weaker graph reaches none of them.
    assert sum(plain.words[0].histogram["clean"][13:]) == 30
    assert sum(small.words[0].histogram["clean"][13:]) == 0
    assert (run / "bundle" / "wake.json").read_bytes() == before
    assert main(["evaluate", "--compare", str(run / "evaluation"), str(run / "evaluation-int8")]) == 0
    printed = capsys.readouterr().out
    assert "0 / 0 of 30" in printed
    assert "alpha: is B better than A? cannot tell" in printed


def test_the_report_lists_near_misses_by_distance(recipe: Path) -> None:
    page = (run_folder(load_config(recipe)) / "evaluation" / "report.html").read_text()
    body = page[page.index("</head>") :]
    assert "<td>1 phoneme away</td><td>100 % of 6 (61.0-100.0)</td>" in body
    assert "the phrase itself, by the same 4 voices" in body
    assert "near misses that fire, %" in body


def test_wrong_usage_is_one_sentence(recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, sentence in (
        ([], "evaluate needs a recipe"),
        (["--compare", str(tmp_path)], "at least two evaluation folders"),
        (["--compare", str(tmp_path), str(tmp_path)], "report.json cannot be read"),
        ([str(recipe), "--compare", str(tmp_path), str(tmp_path)], "leave out the recipe"),
        ([str(recipe), "--out", str(tmp_path)], "--out needs --from-scores"),
        (["--from-scores", str(tmp_path), "--variant", "int8"], "--variant needs a recipe"),
        ([str(recipe), "--from-scores", str(tmp_path)], "remove the recipe"),
        (["--from-scores", str(tmp_path)], "holds no scores.parquet"),
    ):
        assert main(["evaluate", *arguments]) in (2, 3)
        printed = capsys.readouterr().err
        assert sentence in printed
        assert printed.count("\n") == 1
