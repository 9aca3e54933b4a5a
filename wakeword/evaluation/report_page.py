"""Pieces of an HTML report: style, sections, tables, figures."""

from __future__ import annotations

import html
from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

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
.examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 14px; }
.example { margin: 0; border: 1px solid var(--line); border-radius: 8px; padding: 10px; min-width: 0; }
.example img { width: 100%; height: auto; display: block; } .example audio { width: 100%; height: 34px; }
.example figcaption { font-size: .84rem; margin: 0 0 6px; overflow-wrap: anywhere; }
@media (min-width: 860px) { .two { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); } }
@media (max-width: 560px) { section { padding: 14px; } .verdict { flex-direction: column; gap: 6px; } }
"""


def page(title: str, body: Sequence[str]) -> str:
    """The whole file: readable offline and on a phone; plotly's script is inside once."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_CSS}</style>"
        f"<script>{get_plotlyjs()}</script></head><body><main>{''.join(body)}</main></body></html>\n"
    )


def section(title: str, content: str) -> str:
    """A titled box; `content` is HTML."""
    return f"<section><h2>{html.escape(title)}</h2>{content}</section>"


def plot(figure: go.Figure | None, absent: str) -> str:
    """A figure, or `absent` where there is nothing to draw."""
    if figure is None:
        return f'<p class="note">{html.escape(absent)}: nothing to draw.</p>'
    options = {"displayModeBar": False, "responsive": True}
    return figure.to_html(full_html=False, include_plotlyjs=False, config=options, default_width="100%")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], marked: Sequence[bool] = ()) -> str:
    """A table of plain text; `marked` rows stand out."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    lines = []
    for place, row in enumerate(rows):
        style = ' class="main"' if place < len(marked) and marked[place] else ""
        cells = (f"<td{_wide(cell)}>{html.escape(cell)}</td>" for cell in row)
        lines.append(f"<tr{style}>{''.join(cells)}</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _wide(cell: str) -> str:
    return ' class="text"' if len(cell) > 44 else ""
