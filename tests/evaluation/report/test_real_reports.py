"""The reports of the demo and of the real recipe in a real browser (with little training: looks count here)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluation.report.browser import look_at
from wakeword.config import load_config
from wakeword.pipeline import run_pipeline

ROOT = Path(__file__).resolve().parents[3]
LITTLE = ["training.epochs=1", "training.steps_per_epoch=20", "compute.workers=0"]

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1800)]


@pytest.mark.parametrize(
    ("recipe", "more", "needs"),
    [
        ("demo", ["synthesis.clips_per_word=60", "synthesis.negative_hours=0.05"], "espeakng_loader"),
        ("real", [], ""),
    ],
)
def test_the_report_is_drawn_and_plays(recipe, more, needs, tmp_path, monkeypatch) -> None:
    if needs:
        pytest.importorskip(needs)
    if recipe == "real" and not (ROOT.parent / "shared" / "data" / "manifest.csv").is_file():
        pytest.skip("the real recordings (../shared/data) are not here")
    monkeypatch.chdir(ROOT)
    config = load_config(ROOT / "configs" / f"{recipe}.yaml", [*LITTLE, *more, f"runs_dir={tmp_path}"])
    result = run_pipeline(config, runner="local")
    found = look_at(result.evaluation_dir / "report.html")
    assert result.report is not None
    examples = sum(len(word.examples) for word in result.report.words)
    assert not found.faults
    assert not found.fetched
    assert found.width <= 1100
    assert found.plots >= 2 * (2 + 3 * len(result.report.words))
    assert len(found.played_s) == len(found.pictures) == examples > 0
    assert min(found.played_s) > 0.5
