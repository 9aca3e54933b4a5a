"""The HTML report: one offline file that says what the figures say, drawn by a real browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.evaluation import known
from wakeword.config import validate_config
from wakeword.errors import DataError
from wakeword.evaluation.evaluate import evaluate
from wakeword.evaluation.report import write_html
from wakeword.evaluation.results import EvaluationReport


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> EvaluationReport:
    folder = tmp_path_factory.mktemp("report")
    rows = [row for split in ("val", "test") for row in known.tone_rows(split, 4, 2)]
    rows[-1]["licence"] = "CC-BY <4.0>"
    bundle, prepared = known.tone_bundle(folder / "b"), known.prepared(folder / "p", rows)
    config = validate_config({"words": [{"label": "alpha"}, {"label": "beta"}], "evaluation": {"snr_db": [10.0]}})
    return evaluate(bundle, prepared, config, folder / "out")


@pytest.fixture
def page(report, tmp_path) -> Path:
    lines = [{"epoch": n, "loss": 1 / n, "val_frr": 0.5 / n} for n in range(1, 5)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    write_html(report, tmp_path / "report.html", run_dir=tmp_path, command="wakeword evaluate B P --out 'x & y'")
    return tmp_path / "report.html"


def test_it_is_one_offline_file_that_names_all_it_should(page) -> None:
    text = page.read_text()
    body = text[text.index("</head>") :]
    assert text.count("<script>/**\n* plotly.js") == 1
    assert "http" not in body  # nothing is fetched
    assert "misses none of 4 clean test words" in body
    assert "CC-BY &lt;4.0&gt;" in body
    assert "wakeword evaluate B P --out &#x27;x &amp; y&#x27;" in body
    assert '"val_frr"' in body
    assert body.count("Plotly.newPlot") == 6  # conditions, DET and scores of two words, training


def test_damaged_training_curves_are_named(report, tmp_path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n{"epoch": ')
    with pytest.raises(DataError, match="line 2"):
        write_html(report, tmp_path / "report.html", run_dir=tmp_path)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1100])
def test_a_browser_draws_it_without_errors_and_without_scrolling_sideways(page, width) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed: this test looks at the report in one")
    from playwright.sync_api import sync_playwright

    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        view = browser.new_page(viewport={"width": width, "height": 800})
        view.on("pageerror", lambda error: faults.append(str(error)))
        view.goto(page.as_uri(), timeout=150_000)
        view.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 12", timeout=60_000)
        wide = view.evaluate("document.documentElement.scrollWidth")
        bars = view.evaluate("document.querySelectorAll('.js-plotly-plot')[0].querySelectorAll('.point').length")
        browser.close()
    assert not faults
    assert wide <= width
    assert bars >= 6
