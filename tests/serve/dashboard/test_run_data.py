"""The dashboard's view of a folder of runs."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from serve.dashboard import run_data
from tests.bundles import write_tone_bundle
from wakeword.config import save_config, validate_config
from wakeword.errors import DataError


def make_run(runs_dir: Path, name: str, epochs: int, **training: object) -> Path:
    folder = runs_dir / name
    folder.mkdir(parents=True)
    config = validate_config({"name": name, "words": [{"label": "alpha"}], "training": {"epochs": 4, **training}})
    save_config(config, folder / "config.yaml")
    lines = [{"epoch": e, "step": e, "loss": 1 / e, "val_frr": abs(e - 3) / 10} for e in range(1, epochs + 1)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_the_state_of_runs(tmp_path: Path) -> None:
    running = make_run(tmp_path, "running", 2)
    dead = make_run(tmp_path, "dead", 2)
    for path in dead.iterdir():
        os.utime(path, (time.time() - 3600,) * 2)
    trained = make_run(tmp_path, "trained", 4)
    done = make_run(tmp_path, "done", 4)
    write_tone_bundle(done / "bundle")
    found = run_data.find_runs(tmp_path)
    status = {name: run_data.summarise(name, folder).status for name, folder in found.items()}
    assert status == {"running": "running", "dead": "interrupted", "trained": "trained", "done": "exported"}
    (done / "evaluation").mkdir()
    (done / "evaluation" / "report.json").write_text("{}")
    (done / "evaluation" / "report.html").write_text("<p>report</p>")
    summary = run_data.summarise("done", done)
    assert (summary.status, summary.epochs, summary.best_epoch, summary.best_val_frr) == ("evaluated", "4/4", 3, 0.0)
    assert list(found)[-1] == "dead"
    assert run_data.summarise("trained", trained).words == "alpha"
    assert run_data.summarise("done", done).words == "alpha, beta"
    manifest = json.loads((done / "bundle" / "wake.json").read_text())
    point = {"fah_target": 0.5, "threshold": 0.7, "state": "promising", "verdict": "promising: for now"}
    manifest["words"][0] |= {"threshold": 0.7, "operating_points": [point]}
    (done / "bundle" / "wake.json").write_text(json.dumps(manifest))
    assert run_data.summarise("done", done).words == "alpha (promising), beta"
    assert list(run_data.find_reports(tmp_path)) == ["done"]
    assert list(run_data.find_bundles(tmp_path, running / "bundle")) == ["served: bundle", "done"]


def test_only_listed_names_become_paths(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "one", 1)
    (tmp_path / "secret").mkdir()
    for name in ("../secret", str(tmp_path / "secret"), "", None):
        with pytest.raises(DataError):
            run_data.bundle_named(tmp_path / "runs", None, name)
    with pytest.raises(DataError, match="train and export"):
        run_data.bundle_named(tmp_path / "nothing", None, "x")


def test_curves_and_differences(tmp_path: Path) -> None:
    folders = {name: make_run(tmp_path, name, 3, learning_rate=rate) for name, rate in (("a", 1e-3), ("b", 2e-3))}
    lines = {name: run_data.read_metrics(folder / "metrics.jsonl") for name, folder in folders.items()}
    assert run_data.metric_names(lines) == ["val_frr", "loss"]
    assert run_data.curve(lines["a"], "loss") == ([1, 2, 3], [1.0, 0.5, 1 / 3])
    assert run_data.curve([{"epoch": 1, "loss": None}], "loss") == ([], [])
    headers, rows = run_data.differing_settings(folders)
    assert headers == ["setting", "a", "b"]
    assert rows == [["training.learning_rate", "0.001", "0.002"]]
