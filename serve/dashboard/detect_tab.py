"""Detect: events in an uploaded file, from the runtime's detector."""

from __future__ import annotations

from typing import Any

import gradio as gr

from wakeword.errors import WakewordError

from . import run_data
from .detection import EVENT_COLUMNS, analyse_file, event_rows, read_threshold
from .plots import detection_figure
from .settings import DashboardSettings


def bundle_inputs(settings: DashboardSettings, page: gr.Blocks) -> tuple[gr.Dropdown, gr.Textbox]:
    """Inputs for bundle and threshold; the list of bundles is read again whenever the page is opened."""
    chosen = gr.Dropdown([], label="Bundle")
    threshold = gr.Textbox("", label="Threshold", placeholder="the bundle's own", max_lines=1)

    def refresh(selected: str | None) -> Any:
        names = list(run_data.find_bundles(settings.runs_dir, settings.served))
        return gr.Dropdown(choices=names, value=selected if selected in names else next(iter(names), None))

    page.load(refresh, chosen, chosen, api_visibility="private")
    return chosen, threshold


def build_detect_tab(settings: DashboardSettings, page: gr.Blocks) -> None:
    """Add the tab's contents to the current Blocks."""
    with gr.Row(equal_height=True):
        with gr.Column(scale=2):
            audio = gr.Audio(
                sources=["upload"], type="filepath", label=f"Recording (at most {settings.max_upload_mb:g} MB)"
            )
        with gr.Column(scale=1):
            chosen, threshold = bundle_inputs(settings, page)
            start = gr.Button("Detect", variant="primary")
    summary = gr.Markdown()
    events = gr.Dataframe(headers=EVENT_COLUMNS, interactive=False, label="Detections", elem_id="detections")
    plot = gr.Plot(show_label=False)

    def detect(path: str | None, bundle: str | None, limit: str) -> tuple[str, Any, Any]:
        if path is None:
            raise gr.Error("Upload a recording first.", duration=6)
        try:
            where = run_data.bundle_named(settings.runs_dir, settings.served, bundle)
            found = analyse_file(path, where, read_threshold(limit), settings.max_upload_s)
        except WakewordError as error:
            raise gr.Error(str(error), duration=10) from error
        count = len(found.events)
        text = f"**{count} detection{'' if count == 1 else 's'}** in {found.audio_s:.2f} s of audio."
        return text, event_rows(found.events), detection_figure(found)

    for event in (start.click, audio.upload):
        event(detect, [audio, chosen, threshold], [summary, events, plot], api_visibility="private")
