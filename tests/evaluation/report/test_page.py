"""The HTML report: one offline file that says what the figures say, drawn by a real browser."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.evaluation import known
from tests.evaluation.report.browser import look_at
from tests.pages.hostile import HOSTILE, assert_escaped
from wakeword.config import validate_config
from wakeword.errors import DataError
from wakeword.evaluation.evaluate import evaluate
from wakeword.evaluation.report.examples import EACH, audio_name
from wakeword.evaluation.report.page import write_html
from wakeword.evaluation.report.plots import miss_table, write_plots
from wakeword.evaluation.results import EvaluationReport
from wakeword.evaluation.scoring.store import ScoreStore


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory) -> tuple[EvaluationReport, Path]:
    folder = tmp_path_factory.mktemp("report")
    rows = [row for split in ("val", "test") for row in known.tone_rows(split, 4, 2)]
    rows[-1]["licence"] = "CC-BY <4.0>"
    bundle, prepared = known.tone_bundle(folder / "b"), known.prepared(folder / "p", rows)
    config = validate_config({"words": [{"label": "alpha"}, {"label": "beta"}], "evaluation": {"snr_db": [10.0]}})
    return evaluate(bundle, prepared, config, folder / "out"), folder / "out"


@pytest.fixture
def report(evaluated) -> EvaluationReport:
    return evaluated[0]


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
    assert "wakeword evaluate B P --out &#39;x &amp; y&#39;" in body
    assert '"val_frr"' in body
    # conditions, training; DET, scores, tail, timeline, two of slices, reliability of two words
    assert body.count("Plotly.newPlot") == 16
    assert "audio not available" in body


def test_damaged_training_curves_are_named(report, tmp_path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n{"epoch": ')
    with pytest.raises(DataError, match="line 2"):
        write_html(report, tmp_path / "report.html", run_dir=tmp_path)
    assert not (tmp_path / "report.html").exists()


@pytest.fixture
def hostile(report, tmp_path) -> Path:
    """The report's page with a script in each text that a user or a corpus gives."""
    word = report.words[0]
    example = word.examples[0].model_copy(update=dict.fromkeys(("track", "speaker", "source", "condition"), HOSTILE))
    target = word.operating.model_copy(update={"reason": HOSTILE, "verdict": HOSTILE})
    words = (word.model_copy(update={"phrase": HOSTILE, "examples": (example,), "targets": (target,)}),)
    update = {"words": words, "notes": (HOSTILE,), "licences": ((HOSTILE, HOSTILE, "test", 1),)}
    update["provenance"] = {**report.provenance, "bundle": HOSTILE}
    write_html(report.model_copy(update=update), tmp_path / "hostile.html", command=HOSTILE)
    return tmp_path / "hostile.html"


def test_a_script_in_a_phrase_or_a_name_is_text(hostile) -> None:
    text = hostile.read_text()
    assert_escaped(text)
    assert text.count("&lt;script&gt;hacked()") >= 12


@pytest.mark.browser
def test_a_browser_runs_no_script_of_a_phrase(hostile) -> None:
    found = look_at(hostile)
    assert not found.faults
    assert not found.fetched


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1100])
def test_a_browser_draws_it_plays_it_and_does_not_scroll_sideways(evaluated, width) -> None:
    found = look_at(evaluated[1] / "report.html", width)
    assert not found.faults
    assert not found.fetched
    assert found.width <= width
    assert found.plots >= 14  # two layers each: conditions, and DET, scores, timeline of two words
    assert found.bars >= 6
    report = evaluated[0]
    examples = [example for word in report.words for example in word.examples]
    assert len(found.played_s) == len(found.pictures) == len(examples) > 0
    for seconds, example in zip(found.played_s, examples, strict=True):
        assert seconds == pytest.approx(example.end_s - example.start_s, abs=0.02)
    assert min(found.pictures) > 300


def test_examples_are_the_worst_and_sound_as_they_were_scored(evaluated) -> None:
    report, out = evaluated
    for word in report.words:
        scores = [example.score for example in word.examples if example.kind == "nearest"]
        assert scores == sorted(scores, reverse=True)
        assert all(score < word.operating.threshold for score in scores)
        missed = [example for example in word.examples if example.kind == "miss"]
        total = sum(result.missed for result in word.operating.test.conditions)
        assert len(missed) == min(total, EACH)
    assert {path.name for path in (out / "examples").iterdir()} == {
        audio_name(example) for word in report.words for example in word.examples
    }
    store = ScoreStore(out)
    example = report.words[0].examples[0]
    audio, rate_hz = soundfile.read(out / "examples" / audio_name(example), dtype="float32")
    assert rate_hz == 16_000
    # The tone detector's own arithmetic on the example's audio gives the score of the example.
    first = round(example.start_s / store.step_s)
    scores = store.scores(example.track, "alpha")[first : first + int(len(audio) / 320)]
    offset = round(first * 320 - example.start_s * 16_000)
    steps = audio[offset:][: 320 * ((len(audio) - offset) // 320)].reshape(-1, 320)
    wave = np.exp(2j * np.pi * known.TONES_HZ["alpha"] * np.arange(320) / 16_000) * np.sqrt(2 / 320)
    share = np.abs(steps @ wave) ** 2 / (np.square(steps).sum(axis=1) + 1e-4)
    np.testing.assert_allclose(scores[1 : len(share)], share[1 : len(scores)], atol=0.02)


def test_plots_are_written_for_model_cards(evaluated) -> None:
    names = {path.name for path in (evaluated[1] / "plots").iterdir()}
    of_words = {f"{label}-{what}.png" for label in ("alpha", "beta") for what in ("det", "scores", "tail")}
    assert names == {"conditions.png", "misses.png"} | of_words
    for path in (evaluated[1] / "plots").iterdir():
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert path.stat().st_size > 10_000


def test_the_heat_map_holds_every_target_and_condition(report) -> None:
    table = miss_table(report)
    assert list(table.columns) == [result.condition for result in report.words[0].operating.test.conditions]
    for word in report.words:
        for target in word.targets:
            row = table.loc[f"{word.label}, {target.fah_target:g} per hour"]
            assert row.tolist() == [100 * result.frr for result in target.test.conditions]


def test_a_phrase_with_dollar_signs_is_no_formula(report, tmp_path) -> None:
    (tmp_path / "old.png").write_bytes(b"")
    words = tuple(word.model_copy(update={"phrase": r"$\oops$"}) for word in report.words)
    written = write_plots(report.model_copy(update={"words": words}), tmp_path)
    assert len(written) == 8
    assert set(tmp_path.iterdir()) == set(written), "a figure of an earlier report is removed"
