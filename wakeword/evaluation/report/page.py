"""`report.html`: one file, readable offline and on a phone; plotly's script is inside once."""

from __future__ import annotations

import html
import json
from pathlib import Path

from wakeword.evaluation.report import figures, wording
from wakeword.evaluation.report.example_section import examples_part
from wakeword.evaluation.report.word import word_section
from wakeword.evaluation.results import EvaluationReport
from wakeword.evaluation.scoring.store import ScoreStore
from wakeword.evaluation.statistics import numbers
from wakeword.system.files import write_text
from wakeword.system.html_page import folded, items, note, page, plot, section, table, verdict


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
    training = figures.training_figure(run_dir) if run_dir else None
    body = [
        _headlines(report),
        section("At each target", _table(report) + _small_print(report)),
        section("Missed words by condition", plot(figures.conditions_figure(report), "no test words")),
        *(
            word_section(word, report) + examples_part(word, path.parent, store, report.detector)
            for word in report.words
        ),
    ]
    if training is not None:
        body.append(section("Training", plot(training, "")))
    body += [_notes(report), _licences(report), _reproduce(report, command)]
    subtitle = (
        f"{numbers.number(report.audio_hours)} h of continuous audio scored by the shipped graph; thresholds chosen on "
        "val, every figure below from test"
    )
    write_text(path, page(f"{name}: evaluation", name, subtitle, body))


def _headlines(report: EvaluationReport) -> str:
    lines = []
    for word in report.words:
        badge = "ready" if word.ready else "not ready"
        lines.append(verdict(badge, word.ready, wording.headline(word, report.confidence)))
        about = f"{word.reason}; {wording.evidence(word.operating, report.confidence)}."
        lines.append(note(about[0].upper() + about[1:]))
    return f"<section>{''.join(lines)}</section>"


def _table(report: EvaluationReport) -> str:
    header, rows = wording.table_rows(report)
    return table(header, rows, ["*" in row[1] for row in rows])


def _small_print(report: EvaluationReport) -> str:
    hold_s = report.detector["peak_hold_s"]
    times = f" Detector times: {report.detector_reason}." if report.detector_reason else ""
    return note(
        "FAH: false alarms per hour with Garwood’s interval; FRR: share of words missed with Wilson’s interval; both "
        f"{numbers.whole(report.confidence)}. * the operating point. Oracle: the best threshold for the test audio "
        "itself, which nobody knows beforehand. Latency is from the end of the word to the peak of the score; the "
        f"detector reports it {hold_s:g} s later, when nothing higher came.{times}"
    )


def _notes(report: EvaluationReport) -> str:
    return section("What this report could not do", items(report.notes)) if report.notes else ""


def _licences(report: EvaluationReport) -> str:
    rows = [[source, licence, split, str(count)] for source, licence, split, count in report.licences]
    return section("Recordings used", table(["source", "licence", "split", "clips"], rows))


def _reproduce(report: EvaluationReport, command: str) -> str:
    told = f"<pre>{html.escape(command)}</pre>" if command else ""
    known = {**report.provenance, "detector": report.detector, "evaluation": report.evaluation_config}
    text = html.escape(json.dumps(known, indent=2, sort_keys=True))
    return section("To reproduce", told, folded("Hashes and settings", f"<pre>{text}</pre>"))
