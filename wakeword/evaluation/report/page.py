"""`report.html`: one file, readable offline and on a phone; plotly's script is inside once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wakeword.evaluation.report import figures, wording
from wakeword.evaluation.report.word import word_values
from wakeword.evaluation.results import EvaluationReport
from wakeword.evaluation.scoring.store import ScoreStore
from wakeword.evaluation.statistics import numbers
from wakeword.pages.page import render
from wakeword.system.files import write_text


def write_html(
    report: EvaluationReport,
    path: Path,
    run_dir: Path | None = None,
    command: str = "",
    title: str = "",
    store: ScoreStore | None = None,
) -> None:
    """Write the report as one HTML file, atomically.

    Args:
        report: what to show.
        path: the file; audio of the examples is taken from `examples/` beside it.
        run_dir: its `metrics.jsonl`, where there is one, gives the training curves.
        command: the exact command to reproduce the report.
        title: heading; the bundle's name by default.
        store: the scores, drawn under the examples.

    Raises:
        DataError: `metrics.jsonl` is damaged.
    """
    name = title or report.provenance.get("bundle", "wakeword")
    columns, rows = wording.table_rows(report)
    known = {**report.provenance, "detector": report.detector, "evaluation": report.evaluation_config}
    page = render(
        "evaluation.html.j2",
        title=f"{name}: evaluation",
        heading=name,
        subtitle=f"{numbers.number(report.audio_hours)} h of continuous audio scored by the shipped graph; thresholds "
        "chosen on val, every figure below from test",
        headlines=_headlines(report),
        targets={"columns": columns, "rows": rows, "marked": [n for n, row in enumerate(rows) if "*" in row[1]]},
        confidence=numbers.whole(report.confidence),
        nms_window_s=f"{report.detector['nms_window_s']:g}",
        detector_reason=f" Detector times: {report.detector_reason}." if report.detector_reason else "",
        conditions=figures.conditions_figure(report),
        words=[word_values(word, report, path.parent, store) for word in report.words],
        training=figures.training_figure(run_dir) if run_dir else None,
        notes=report.notes,
        licences=report.licences,
        command=command,
        settings=json.dumps(known, indent=2, sort_keys=True),
    )
    write_text(path, page)


def _headlines(report: EvaluationReport) -> list[dict[str, Any]]:
    """A verdict per word, with what the test hours can show."""
    lines = []
    for word in report.words:
        about = f"{word.reason}; {wording.evidence(word.operating, report.confidence)}."
        lines.append(
            {
                "badge": "ready" if word.ready else "not ready",
                "ready": word.ready,
                "text": wording.headline(word, report.confidence),
                "about": wording.capitalised(about),
            }
        )
    return lines
