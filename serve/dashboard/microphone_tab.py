"""Microphone: the browser's microphone, scored live by the same detector."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from wakeword.errors import WakewordError

from . import run_data
from .listening import EVENT_COLUMNS, LiveSession, event_rows, read_threshold
from .plots import detection_figure
from .settings import DashboardSettings

_CHUNK_S = 0.5
_QUEUE = "microphone"
"""Chunks and the end of a recording share a queue with one worker: the end comes after the last chunk."""
_SESSION_S = 900
"""Gradio forgets an abandoned page's detector after this long."""


def _send_whole_chunks(audio: gr.Audio) -> gr.Audio:
    """Tell the browser how long a chunk is.

    Gradio 6.31 does not pass `stream_every` on, and the browser then sends ten chunks a second. A chunk that arrives
    while the one before is being worked on replaces it, so on a busy machine audio would be lost. (A subclass would
    make Gradio write a stub file beside this one.)
    """
    config = audio.get_config
    audio.get_config = lambda cls=None: {**config(cls), "stream_every": _CHUNK_S}  # type: ignore[method-assign]
    return audio


def _listen(chunk: tuple[int, np.ndarray] | None, live: LiveSession | None) -> tuple[Any, ...]:
    """Score a chunk: the live detector, what it says, its detections and, from time to time, the plot."""
    if chunk is None or live is None:
        return gr.skip(), gr.skip(), gr.skip(), gr.skip()
    try:
        live.hear(*chunk)
    except WakewordError as error:
        raise gr.Error(str(error), duration=10) from error
    now = f"Heard {live.heard_s:.1f} s, **{len(live.events)}** detections, score now **{live.score_now:.2f}**."
    if not live.plot_due():
        return live, now, event_rows(reversed(live.events)), gr.skip()
    window = live.window()
    figure = detection_figure(
        window.wave, window.score_times_s, window.scores, window.words, window.thresholds, window.events
    )
    return live, now, event_rows(reversed(live.events)), figure


def _end(live: LiveSession | None) -> tuple[Any, ...]:
    """Detections that were still pending."""
    if live is None:
        return gr.skip(), gr.skip()
    live.finish()
    said = f"Stopped after {live.heard_s:.1f} s with **{len(live.events)}** detections."
    return said, event_rows(reversed(live.events))


def build_microphone_tab(settings: DashboardSettings, page: gr.Blocks) -> None:
    """Add the tab's contents to the current Blocks."""
    session = gr.State(None, time_to_live=_SESSION_S)
    with gr.Row(equal_height=True):
        with gr.Column(scale=2):
            audio = _send_whole_chunks(
                gr.Audio(sources=["microphone"], streaming=True, type="numpy", label="Microphone of this browser")
            )
        with gr.Column(scale=1):
            chosen = gr.Dropdown([], label="Bundle")
            threshold = gr.Textbox("", label="Threshold", placeholder="the bundle's own", max_lines=1)
    summary = gr.Markdown("Press *Record* and say the phrase.", elem_id="live-state")
    events = gr.Dataframe(headers=EVENT_COLUMNS, interactive=False, label="Detections", elem_id="live-detections")
    plot = gr.Plot(show_label=False)

    def refresh(selected: str | None) -> Any:
        names = list(run_data.find_bundles(settings.runs_dir, settings.served))
        return gr.Dropdown(choices=names, value=selected if selected in names else next(iter(names), None))

    def begin(bundle: str | None, limit: str) -> tuple[LiveSession, str, list[Any]]:
        try:
            where = run_data.bundle_named(settings.runs_dir, settings.served, bundle)
            return LiveSession(where, read_threshold(limit)), "Listening.", []
        except WakewordError as error:
            raise gr.Error(str(error), duration=10) from error

    page.load(refresh, chosen, chosen, api_visibility="private")
    audio.start_recording(
        begin, [chosen, threshold], [session, summary, events], show_progress="hidden", api_visibility="private"
    )
    audio.stream(
        _listen,
        [audio, session],
        [session, summary, events, plot],
        stream_every=_CHUNK_S,
        # The default mode drops the chunks that come while one is being scored; one worker keeps them in order.
        trigger_mode="multiple",
        concurrency_limit=1,
        concurrency_id=_QUEUE,
        show_progress="hidden",
        api_visibility="private",
    )
    audio.stop_recording(
        _end, session, [summary, events], show_progress="hidden", concurrency_id=_QUEUE, api_visibility="private"
    )
