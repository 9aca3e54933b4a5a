"""`report.html`: one file, readable offline and on a phone; plotly's script is inside once."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from wakeword.evaluation import figures, wording
from wakeword.evaluation.results import EvaluationReport, TargetResult, WordResult
from wakeword.system.files import write_text

_CSS = """
:root { color-scheme: light; --ink: #1d2430; --soft: #5a6472; --line: #e3e7ec; --good: #0f7a5c; --bad: #a8322a; }
* { box-sizing: border-box; }
body { margin: 0; background: #f6f7f9; color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 28px 16px 64px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 1.15rem; margin: 0 0 10px; }
h3 { font-size: 1rem; margin: 18px 0 6px; }
.sub, .note, td small { color: var(--soft); }
.sub { margin: 0 0 20px; }
section { background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 18px 20px; margin: 0 0 16px; }
.verdict { display: flex; gap: 12px; align-items: baseline; margin: 0 0 10px; }
.verdict p { margin: 0; font-size: 1.12rem; }
.badge { flex: none; border-radius: 99px; padding: 2px 11px; font-size: .82rem; font-weight: 600; color: #fff; }
.badge.ready { background: var(--good); } .badge.not { background: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
td.text { white-space: normal; min-width: 15rem; }
th { color: var(--soft); font-weight: 600; }
tr.main td { font-weight: 600; background: #f2f6fc; }
pre { background: #f2f4f7; border-radius: 8px; padding: 12px; overflow-x: auto; font-size: .85rem; margin: 8px 0; }
ul { margin: 6px 0; padding-left: 20px; }
.two { display: grid; grid-template-columns: minmax(0, 1fr); gap: 8px 24px; }
@media (min-width: 860px) { .two { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); } }
@media (max-width: 560px) { section { padding: 14px; } .verdict { flex-direction: column; gap: 6px; } }
"""


def write_html(
    report: EvaluationReport, path: Path, run_dir: Path | None = None, command: str = "", title: str = ""
) -> None:
    """Write the report as one HTML file, atomically.

    Args:
        report: what to show.
        path: the file.
        run_dir: its `metrics.jsonl`, where there is one, gives the training curves.
        command: the exact command to reproduce the report.
        title: heading; the bundle's name by default.

    Raises:
        DataError: `metrics.jsonl` is damaged.
    """
    name = title or report.provenance.get("bundle", "wakeword")
    training = figures.training_figure(run_dir) if run_dir else None
    body = [
        f"<h1>{html.escape(name)}</h1>",
        f'<p class="sub">{wording.number(report.audio_hours)} h of continuous audio scored by the shipped graph; '
        "thresholds chosen on val, every figure below from test</p>",
        _headlines(report),
        _section("At each target", _table(report) + _small_print(report)),
        _section("Missed words by condition", _plot(figures.conditions_figure(report), "no test words")),
        *(_word_section(word, report) for word in report.words),
    ]
    if training is not None:
        body.append(_section("Training", _plot(training, "")))
    body += [_notes(report), _licences(report), _reproduce(report, command)]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(name)}: evaluation</title><style>{_CSS}</style>"
        f"<script>{get_plotlyjs()}</script></head><body><main>{''.join(body)}</main></body></html>\n"
    )
    write_text(path, page)


def _section(title: str, content: str) -> str:
    return f"<section><h2>{html.escape(title)}</h2>{content}</section>"


def _plot(figure: go.Figure | None, absent: str) -> str:
    if figure is None:
        return f'<p class="note">{html.escape(absent)}: nothing to draw.</p>'
    options = {"displayModeBar": False, "responsive": True}
    return figure.to_html(full_html=False, include_plotlyjs=False, config=options, default_width="100%")


def _rows(header: Sequence[str], rows: Sequence[Sequence[str]], marked: Sequence[bool] = ()) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    lines = []
    for place, row in enumerate(rows):
        style = ' class="main"' if place < len(marked) and marked[place] else ""
        cells = (f"<td{_wide(cell)}>{html.escape(cell)}</td>" for cell in row)
        lines.append(f"<tr{style}>{''.join(cells)}</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _wide(cell: str) -> str:
    return ' class="text"' if len(cell) > 44 else ""


def _headlines(report: EvaluationReport) -> str:
    lines = []
    for word in report.words:
        badge = '<span class="badge ready">ready</span>' if word.ready else '<span class="badge not">not ready</span>'
        text = html.escape(wording.headline(word, report.confidence))
        lines.append(f'<div class="verdict">{badge}<p>{text}</p></div>')
        about = f"{word.reason}; {wording.evidence(word.operating, report.confidence)}."
        lines.append(f'<p class="note">{html.escape(about[0].upper() + about[1:])}</p>')
    return f"<section>{''.join(lines)}</section>"


def _table(report: EvaluationReport) -> str:
    header, rows = wording.table_rows(report)
    return _rows(header, rows, ["*" in row[1] for row in rows])


def _small_print(report: EvaluationReport) -> str:
    hold_s = report.detector["peak_hold_s"]
    return (
        '<p class="note">FAH: false alarms per hour with Garwood’s interval; FRR: share of words missed with Wilson’s '
        f"interval; both {wording.whole(report.confidence)}. * the operating point. Oracle: the best threshold for the "
        "test audio itself, which nobody knows beforehand. Latency is from the end of the word to the peak of the "
        f"score; the detector reports it {hold_s:g} s later, when nothing higher came.</p>"
    )


def _word_section(word: WordResult, report: EvaluationReport) -> str:
    target = word.operating
    clip = word.clip_level
    ranking = "Clip level: not given, test lacks clips of the word or other speech."
    if clip:
        ranking = (
            f"Clip level ({clip.positives} clips of the word, {clip.negatives} of other speech): EER "
            f"{wording.percent(clip.eer)}, partial AUC (FPR up to 0.1) {clip.pauc:.3f}, ROC AUC {clip.roc_auc:.3f}."
        )
    parts = [
        '<div class="two"><div><h3>Misses against false alarms</h3>',
        _plot(figures.det_figure(word), "test lacks words or negatives"),
        "</div><div><h3>Scores</h3>",
        _plot(figures.histogram_figure(word), "no clips were scored"),
        "</div></div>",
        f'<p class="note">{html.escape(ranking)} Threshold {target.threshold:.3f}: {html.escape(target.reason)}.</p>',
        _condition_table(target),
        _alarm_table(target),
        *_near_misses(word),
    ]
    return _section(f"“{word.phrase or word.label}”", "".join(parts))


def _condition_table(target: TargetResult) -> str:
    rows = []
    for result in target.test.conditions if target.test else ():
        spread = "says nothing here"
        if result.bootstrap is not None:
            spread = f"{100 * result.bootstrap[0]:.1f}-{100 * result.bootstrap[1]:.1f} %"
        late = "-"
        if result.latency_p50_s is not None and result.latency_p95_s is not None:
            late = f"{wording.seconds(result.latency_p50_s)} / {wording.seconds(result.latency_p95_s)} s"
        counts = [f"{result.missed} of {result.words}", str(result.speakers), wording.share_with_interval(result)]
        rows.append([result.condition, *counts, spread, late, str(result.duplicates), str(result.false_alarms)])
    header = ["condition", "missed", "speakers", "FRR (Wilson)", "by speaker (bootstrap)", "latency p50 / p95"]
    return "<h3>Words at the operating point</h3>" + _rows([*header, "twice", "false alarms beside"], rows)


def _alarm_table(target: TargetResult) -> str:
    rows = []
    for split, result in (("val", target.val), ("test", target.test)):
        for kind, rate in result.by_kind.items() if result else ():
            rows.append([split, kind, str(rate.false_alarms), wording.rate_with_interval(rate)])
        if result and result.near_misses:
            near = result.near_misses
            rows.append([split, "near misses (outside FAH)", str(near.fired), wording.fired_share(near)])
    return "<h3>False alarms by kind of audio</h3>" + _rows(["split", "audio", "count", "per hour"], rows)


def _near_misses(word: WordResult) -> list[str]:
    """Which near misses fire, by distance, beside the same voices' own phrase; nothing where there are none."""
    near = word.operating.test.near_misses if word.operating.test else None
    if near is None:
        return []
    rows = [[wording.away(name), wording.fired_share(part)] for name, part in near.by_distance.items()]
    if near.own_phrase is None:
        told = "No voice says both: the phrase itself cannot be set beside them."
    else:
        rows.append(
            [f"the phrase itself, by the same {near.shared_speakers} voices", wording.fired_share(near.own_phrase)]
        )
        told = "A voice that training heard scores higher than people do, and so do its near misses."
    return [
        "<h3>Phrases that only resemble it (test, outside FRR and FAH)</h3>",
        _rows(["clips", "fire"], rows),
        f'<p class="note">{html.escape(told)}</p>',
        _plot(figures.near_miss_figure(word), "test lacks clean words"),
    ]


def _notes(report: EvaluationReport) -> str:
    if not report.notes:
        return ""
    items = "".join(f"<li>{html.escape(note)}</li>" for note in report.notes)
    return _section("What this report could not do", f"<ul>{items}</ul>")


def _licences(report: EvaluationReport) -> str:
    rows = [[source, licence, split, str(count)] for source, licence, split, count in report.licences]
    return _section("Recordings used", _rows(["source", "licence", "split", "clips"], rows))


def _reproduce(report: EvaluationReport, command: str) -> str:
    told = f"<pre>{html.escape(command)}</pre>" if command else ""
    known = {**report.provenance, "detector": report.detector, "evaluation": report.evaluation_config}
    text = html.escape(json.dumps(known, indent=2, sort_keys=True))
    return _section("To reproduce", f"{told}<details><summary>Hashes and settings</summary><pre>{text}</pre></details>")
