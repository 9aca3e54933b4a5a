"""`wakeword data cut`: counts, clips, and the lines to add to the recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from wakeword.cli.main import main
from wakeword.config import save_config

pytest.importorskip("transformers", reason="the extra [teachers] (transformers) is not installed")
from tests.data.cutting import test_cut as corpus
from tests.data.cutting.tones import write_model


def test_from_a_count_to_the_next_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = corpus.recipe(corpus.write_tones(tmp_path / "speech"), Path("pocketsphinx"))
    path = tmp_path / "recipe.yaml"
    save_config(config, path)
    assert main(["data", "cut", str(path)]) == 2
    assert capsys.readouterr().err == (
        "error: wakeword data cut needs either --out FOLDER to cut words out, or --count to count them\n"
    )
    assert main(["data", "cut", str(path), "--count"]) == 0
    out = capsys.readouterr().out
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert "bad_cab bad cab phrase 3 (1) 1 (1) 0 (0)" in rows
    assert out.endswith(f"next:\n  wakeword data cut {path} --out cuts\n")
    model, folder = write_model(tmp_path / "model"), tmp_path / "cuts"
    arguments = ["--aligner", f"ctc:{model}", "--out", str(folder), "--local"]
    assert main(["data", "cut", str(path), *arguments]) == 0
    out = capsys.readouterr().out
    assert "bad_cab  joined" in out
    assert "left out: 1 missing_file, 1 undecodable (see" in out
    assert "note: 4 recordings contain a phrase" in out
    assert f"add to data.sources of {path}:\n    - type: csv\n      uri: " in out
    assert out.endswith(f"next:\n  wakeword prepare {path}\n")
    assert main(["data", "cut", str(path), "cutting.aligner=nobody", "--out", str(folder), "--local"]) == 2
