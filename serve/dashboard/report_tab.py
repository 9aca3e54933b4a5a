"""Report: the evaluation report of a run."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import gradio as gr

from . import run_data
from .settings import DashboardSettings


def report_frame(path: Path | None) -> str:
    """The report inside a frame whose scripts run without access to the page around it."""
    if path is None:
        return "<p>No run has a report yet: <code>wakeword evaluate</code> writes one.</p>"
    content = html.escape(path.read_text(encoding="utf-8"), quote=True)
    style = "width:100%;height:78vh;border:1px solid #e2e8f0;border-radius:8px;background:white"
    return f'<iframe title="evaluation report" sandbox="allow-scripts" style="{style}" srcdoc="{content}"></iframe>'


def build_report_tab(settings: DashboardSettings, page: gr.Blocks) -> None:
    """Add the tab's contents to the current Blocks."""
    with gr.Row():
        chosen = gr.Dropdown([], label="Run", scale=6)
        refresh = gr.Button("Refresh", scale=1, min_width=100)
    frame = gr.HTML()

    def load(selected: str | None) -> tuple[Any, str]:
        reports = run_data.find_reports(settings.runs_dir)
        name = selected if selected in reports else next(iter(reports), None)
        return gr.Dropdown(choices=list(reports), value=name), report_frame(reports[name] if name else None)

    for event in (page.load, refresh.click, chosen.input):
        event(load, chosen, [chosen, frame], api_visibility="private")
