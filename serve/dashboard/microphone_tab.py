"""Microphone: the browser's microphone, scored live by the runtime's detector."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from wakeword.errors import WakewordError

from . import run_data
from .detect_tab import bundle_inputs
from .detection import EVENT_COLUMNS, LiveSession, event_rows, read_threshold
from .plots import detection_figure
from .settings import DashboardSettings

_CHUNK_S = 0.5
_QUEUE = "microphone"
"""Chunks and the end of a recording share a queue with one worker, so that the end comes after the last chunk."""
_SESSION_S = 900
"""Gradio deletes an abandoned page's detector after this time."""


def _send_whole_chunks(audio: gr.Audio) -> gr.Audio:
    """Set the length of the browser's chunks.

    Gradio 6.31 does not pass `stream_every` on, and the browser then sends ten chunks a second. A chunk that arrives
    while the previous one is processed replaces it, so audio would be lost on a busy machine. (A subclass would make
    Gradio write a stub file beside this one.)
    """
    config = audio.get_config
    audio.get_config = lambda cls=None: {**config(cls), "stream_every": _CHUNK_S}  # type: ignore[method-assign]
    return audio


def _score(chunk: tuple[int, np.ndarray] | None, live: LiveSession | None) -> tuple[Any, ...]:
    """Score a chunk: the live detector, its state, its detections and, once per second, the plot."""
    if chunk is None or live is None:
        return gr.skip(), gr.skip(), gr.skip(), gr.skip()
    try:
        live.push(*chunk)
    except WakewordError as error:
        raise gr.Error(str(error), duration=10) from error
    now = f"Scored {live.audio_s:.1f} s, **{len(live.events)}** detections, score now **{live.score_now:.2f}**."
    figure = detection_figure(live.window()) if live.plot_due() else gr.skip()
    return live, now, event_rows(reversed(live.events)), figure


def _end(live: LiveSession | None) -> tuple[Any, ...]:
    """Pending detections."""
    if live is None:
        return gr.skip(), gr.skip()
    live.finish()
    text = f"Stopped after {live.audio_s:.1f} s with **{len(live.events)}** detections."
    return text, event_rows(reversed(live.events))


def build_microphone_tab(settings: DashboardSettings, page: gr.Blocks) -> None:
    """Add the tab's contents to the current Blocks."""
    session = gr.State(None, time_to_live=_SESSION_S)
    with gr.Row(equal_height=True):
        with gr.Column(scale=2):
            audio = _send_whole_chunks(
                gr.Audio(sources=["microphone"], streaming=True, type="numpy", label="Microphone of this browser")
            )
        with gr.Column(scale=1):
            chosen, threshold = bundle_inputs(settings, page)
    summary = gr.Markdown("Press *Record* and say the phrase.", elem_id="live-state")
    events = gr.Dataframe(headers=EVENT_COLUMNS, interactive=False, label="Detections", elem_id="live-detections")
    plot = gr.Plot(show_label=False)

    def begin(bundle: str | None, limit: str) -> tuple[LiveSession, str, list[Any]]:
        try:
            where = run_data.bundle_named(settings.runs_dir, settings.served, bundle)
            return LiveSession(where, read_threshold(limit)), "Listening.", []
        except WakewordError as error:
            raise gr.Error(str(error), duration=10) from error

    audio.start_recording(
        begin, [chosen, threshold], [session, summary, events], show_progress="hidden", api_visibility="private"
    )
    audio.stream(
        _score,
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
