"""Runs: a table of all runs and the curves of several in one figure."""

from __future__ import annotations

from typing import Any

import gradio as gr

from wakeword.training.tracking import read_metrics

from . import run_data
from .plots import curves_figure
from .settings import DashboardSettings

_FIRST_RUNS = 3


def build_runs_tab(settings: DashboardSettings, page: gr.Blocks) -> None:
    """Add the tab's contents to the current Blocks; the table is read again whenever the page is opened."""
    with gr.Row():
        chosen = gr.Dropdown([], multiselect=True, label="Compare runs", scale=5)
        metric = gr.Dropdown([], label="Curve", scale=2)
        refresh = gr.Button("Refresh", scale=1, min_width=100)
    plot = gr.Plot(show_label=False)
    table = gr.Dataframe(headers=run_data.RUN_COLUMNS, interactive=False, label="Runs", wrap=True)
    differences = gr.Dataframe(interactive=False, label="Settings in which the chosen runs differ", wrap=True)

    def load(selected: list[str] | None, curve: str | None) -> tuple[Any, ...]:
        runs = run_data.find_runs(settings.runs_dir)
        rows = [list(run_data.summarise(name, folder)) for name, folder in runs.items()]
        kept = [name for name in selected or [] if name in runs] or list(runs)[:_FIRST_RUNS]
        return (
            gr.Dropdown(choices=list(runs), value=kept),
            gr.Dataframe(value=rows, label=f"Runs in {settings.runs_dir}"),
            *draw(kept, curve),
        )

    def draw(selected: list[str] | None, curve: str | None) -> tuple[Any, ...]:
        runs = run_data.find_runs(settings.runs_dir)
        folders = {name: runs[name] for name in selected or [] if name in runs}
        lines = {name: read_metrics(folder / "metrics.jsonl") for name, folder in folders.items()}
        names = run_data.metric_names(lines)
        kept = curve if curve in names else ("val_frr" if "val_frr" in names else next(iter(names), None))
        curves = {name: run_data.curve(values, kept) for name, values in lines.items()} if kept else {}
        headers, rows = run_data.differing_settings(folders) if len(folders) > 1 else (["setting"], [])
        return (
            gr.Dropdown(choices=names, value=kept),
            curves_figure(curves, kept or "no metrics yet"),
            gr.Dataframe(headers=headers, value=rows, visible=len(folders) > 1),
        )

    outputs = [metric, plot, differences]
    for event in (page.load, refresh.click):
        event(load, [chosen, metric], [chosen, table, *outputs], api_visibility="private")
    gr.on([chosen.input, metric.input], draw, [chosen, metric], outputs, api_visibility="private")
