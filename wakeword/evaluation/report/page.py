"""`report.html`: the report as one file that needs no network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wakeword.evaluation.cascade.store import TriggerStore
from wakeword.evaluation.report import cascade, figures, wording
from wakeword.evaluation.report.word import word_values
from wakeword.evaluation.results import EvaluationReport
from wakeword.evaluation.scoring.store import ScoreStore
from wakeword.evaluation.statistics import numbers
from wakeword.pages.page import render
from wakeword.system.files import write_text

TONES = {"proven": "good", "promising": "fair", "not ready": "bad"}
"""Colour of the badge of each state: green, amber, red."""


def write_html(
    report: EvaluationReport,
    path: Path,
    run_dir: Path | None = None,
    command: str = "",
    store: ScoreStore | None = None,
    triggers: TriggerStore | None = None,
) -> None:
    """Write the report as one HTML file, atomically.

    Args:
        report: the results.
        path: the HTML file; `examples/` beside it holds the audio of the examples.
        run_dir: folder of the `metrics.jsonl` with the training curves, if there are any.
        command: the command that reproduces the report.
        store: the scores, drawn below the spectrograms of the examples.
        triggers: what the bundle's verifier found, drawn on the scores.

    Raises:
        DataError: `metrics.jsonl` is damaged.
    """
    name = report.provenance.get("bundle", "wakeword")
    columns, rows = wording.table_rows(report)
    known = {**report.provenance, "detector": report.detector, "evaluation": report.evaluation_config}
    page = render(
        "evaluation.html.j2",
        title=f"{name}: evaluation",
        heading=name,
        subtitle=f"{numbers.number(report.audio_hours)} h of continuous audio scored with the exported model; "
        "thresholds are chosen on val, and all results below are from test",
        banners=wording.banners(report),
        headlines=_headlines(report),
        targets={"columns": columns, "rows": rows, "marked": [n for n, row in enumerate(rows) if "*" in row[2]]},
        confidence=numbers.whole(report.confidence),
        wait_s=f"{cascade.wait_s(report):g}",
        detector_reason=f" Detector times: {report.detector_reason}." if report.detector_reason else "",
        conditions=figures.conditions_figure(report),
        words=[word_values(word, report, path.parent, store, triggers) for word in report.words],
        training=figures.training_figure(run_dir) if run_dir else None,
        notes=report.notes,
        licences=report.licences,
        command=command,
        settings=json.dumps(known, indent=2, sort_keys=True),
    )
    write_text(path, page)


def _headlines(report: EvaluationReport) -> list[dict[str, Any]]:
    """A verdict per word, and whether the test hours prove its target."""
    return [
        {
            "badge": word.state,
            "tone": TONES[word.state],
            "text": wording.headline(word, report.confidence),
            "about": wording.capitalised(f"{word.reason}."),
        }
        for word in report.words
    ]
