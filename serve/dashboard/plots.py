"""Plotly figures of the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from wakeword.runtime.events import Detection

PALETTE = ("#4f46e5", "#0d9488", "#d97706", "#dc2626", "#7c3aed", "#2563eb", "#65a30d", "#db2777")
_WAVE_COLUMNS = 1500
_FONT = {"family": "system-ui, sans-serif", "size": 13}


def _finish(figure: Any, height: int) -> Any:
    figure.update_layout(
        template="plotly_white",
        height=height,
        font=_FONT,
        margin={"l": 60, "r": 20, "t": 30, "b": 45},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="x unified",
    )
    return figure


def curves_figure(curves: dict[str, tuple[list[int], list[float]]], metric: str) -> Any:
    """One line per run: `curves` maps the run to epochs and values of `metric`."""
    figure = go.Figure()
    for index, (name, (epochs, values)) in enumerate(curves.items()):
        colour = PALETTE[index % len(PALETTE)]
        figure.add_scatter(
            x=epochs, y=values, name=name, mode="lines+markers", line={"color": colour, "width": 2}, marker={"size": 5}
        )
    figure.update_xaxes(title="epoch", rangemode="tozero")
    figure.update_yaxes(title=metric.replace("_", " "), rangemode="tozero")
    figure.update_layout(showlegend=True)
    return _finish(figure, 380)


def wave_envelope(
    audio: NDArray[np.float32], rate_hz: int, columns: int = _WAVE_COLUMNS
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Times and values that draw `audio (samples,)` as lowest and highest of at most `columns` stretches."""
    width = max(1, -(-audio.size // columns))
    padded = np.pad(audio, (0, -audio.size % width)).reshape(-1, width)
    values = np.stack([padded.min(axis=1), padded.max(axis=1)], axis=1).reshape(-1)
    times = np.repeat(np.arange(len(padded)) * width / rate_hz, 2)
    return times, values


def detection_figure(
    wave: tuple[NDArray[Any], NDArray[Any]],
    score_times_s: NDArray[Any],
    scores: NDArray[Any],
    words: Sequence[str],
    thresholds: Sequence[float],
    events: Sequence[Detection],
) -> Any:
    """Waveform above, smoothed `scores (n, words)` with each word's threshold below, events marked in both."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.35, 0.65], vertical_spacing=0.06)
    figure.add_scatter(
        x=wave[0], y=wave[1], mode="lines", line={"color": "#94a3b8", "width": 1}, showlegend=False, hoverinfo="skip"
    )
    for index, word in enumerate(words):
        colour = PALETTE[index % len(PALETTE)]
        figure.add_scatter(
            x=score_times_s,
            y=scores[:, index],
            name=word,
            mode="lines",
            line={"color": colour, "width": 2},
            row=2,
            col=1,
        )
        figure.add_hline(
            y=min(thresholds[index], 1.0), line={"color": colour, "width": 1, "dash": "dash"}, row=2, col=1
        )
    for event in events:
        colour = PALETTE[list(words).index(event.word) % len(PALETTE)]
        figure.add_vrect(
            x0=event.start_s, x1=event.end_s, fillcolor=colour, opacity=0.15, line_width=0, row="all", col=1
        )
    figure.update_yaxes(title="audio", range=[-1, 1], showticklabels=False, row=1, col=1)
    figure.update_yaxes(title="score", range=[0, 1.02], row=2, col=1)
    figure.update_xaxes(title="seconds", row=2, col=1)
    return _finish(figure, 430)
