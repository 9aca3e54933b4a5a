"""One HTML file, readable offline and on a phone: sections, tables, plotly figures; plotly's script is in it once."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLOURS = ("#1f5fbf", "#0f8a6c", "#c77700", "#b3372f", "#6b4fb3", "#5a6472", "#008ea1", "#a8407f")
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
WIDE_CELL = 44
"""A longer cell may break into lines."""
_WIDE = ' class="text"'
_CSS = """
:root { color-scheme: light; --ink: #1d2430; --soft: #5a6472; --line: #e3e7ec; --good: #0f7a5c; --bad: #a8322a; }
* { box-sizing: border-box; }
body { margin: 0; background: #f6f7f9; color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 28px 16px 64px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 0 0 10px; }
h3 { font-size: 1rem; margin: 18px 0 6px; }
.sub, .note, td small { color: var(--soft); overflow-wrap: anywhere; }
.sub { margin: 0 0 20px; }
section { background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 18px 20px; margin: 0 0 16px; }
.verdict { display: flex; gap: 12px; align-items: baseline; margin: 0 0 10px; }
.verdict p { margin: 0; font-size: 1.12rem; }
.badge { flex: none; border-radius: 99px; padding: 2px 11px; font-size: .82rem; font-weight: 600; color: #fff; }
.badge.good { background: var(--good); } .badge.bad { background: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
td.text { white-space: normal; min-width: 15rem; overflow-wrap: anywhere; }
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


def page(title: str, heading: str, subtitle: str, parts: Sequence[str], plots: bool = True) -> str:
    """The whole file; `parts` are HTML, the rest is text. `plots`: put the script of the figures (4 MB) in."""
    script = ""
    if plots:
        from plotly.offline import get_plotlyjs

        script = f"<script>{get_plotlyjs()}</script>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_CSS}</style>{script}</head><body><main>"
        f'<h1>{html.escape(heading)}</h1><p class="sub">{html.escape(subtitle)}</p>{"".join(parts)}'
        "</main></body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    """A card with a heading; `parts` are HTML."""
    return f"<section><h2>{html.escape(title)}</h2>{''.join(parts)}</section>"


def verdict(badge: str, good: bool, text: str) -> str:
    """A coloured badge and a sentence beside it."""
    colour = "good" if good else "bad"
    return (
        f'<div class="verdict"><span class="badge {colour}">{html.escape(badge)}</span><p>{html.escape(text)}</p></div>'
    )


def note(text: str) -> str:
    """A paragraph in grey."""
    return f'<p class="note">{html.escape(text)}</p>'


def items(texts: Sequence[str]) -> str:
    """A list of sentences."""
    return f"<ul>{''.join(f'<li>{html.escape(text)}</li>' for text in texts)}</ul>"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], marked: Sequence[bool] = ()) -> str:
    """A table that scrolls by itself where it is wider than the screen; `marked` rows stand out."""
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    lines = []
    for place, row in enumerate(rows):
        style = ' class="main"' if place < len(marked) and marked[place] else ""
        cells = (f"<td{_WIDE if len(cell) > WIDE_CELL else ''}>{html.escape(cell)}</td>" for cell in row)
        lines.append(f"<tr{style}>{''.join(cells)}</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def folded(summary: str, content: str) -> str:
    """HTML that opens with a click."""
    return f"<details><summary>{html.escape(summary)}</summary>{content}</details>"


def plot(figure: go.Figure | None, absent: str) -> str:
    """A figure, or a sentence where there is none."""
    if figure is None:
        return note(f"{absent}: nothing to draw.")
    options = {"displayModeBar": False, "responsive": True}
    return str(figure.to_html(full_html=False, include_plotlyjs=False, config=options, default_width="100%"))


def styled(figure: go.Figure, height: int = 320) -> go.Figure:
    """The look that all figures share."""
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 56, "r": 16, "t": 24, "b": 52},
        font={"family": FONT, "size": 13, "color": "#1d2430"},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        hovermode="closest",
        bargap=0.25,
    )
    return figure
