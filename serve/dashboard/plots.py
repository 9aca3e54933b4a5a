"""Plotly figures of the dashboard."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from wakeword.runtime.events import Detection

PALETTE = ("#4f46e5", "#0d9488", "#d97706", "#dc2626", "#7c3aed", "#2563eb", "#65a30d", "#db2777")
_WAVE_COLUMNS = 1500


@dataclass(frozen=True)
class ScoredAudio:
    """A stretch of audio with its smoothed scores `(n, words)` and events; all times in seconds of the stream."""

    audio_s: float
    wave: tuple[NDArray[Any], NDArray[Any]]
    """Times and values of `wave_envelope`."""
    score_times_s: NDArray[Any]
    scores: NDArray[Any]
    words: list[str]
    thresholds: list[float]
    events: list[Detection]


def _finish(figure: Any, height: int) -> Any:
    return figure.update_layout(
        template="plotly_white",
        height=height,
        font={"family": "system-ui, sans-serif", "size": 13},
        margin={"l": 60, "r": 20, "t": 30, "b": 45},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="x unified",
    )


def curves_figure(curves: dict[str, tuple[list[int], list[float]]], metric: str) -> Any:
    """One line per run: `curves` maps the run to epochs and values of `metric`."""
    figure = go.Figure()
    for (name, (epochs, values)), colour in zip(curves.items(), cycle(PALETTE), strict=False):
        line = {"color": colour, "width": 2}
        figure.add_scatter(x=epochs, y=values, name=name, mode="lines+markers", line=line, marker={"size": 5})
    figure.update_xaxes(title="epoch", rangemode="tozero")
    figure.update_yaxes(title=metric.replace("_", " "), rangemode="tozero")
    figure.update_layout(showlegend=True)
    return _finish(figure, 380)


def wave_envelope(
    audio: NDArray[np.float32], rate_hz: int, columns: int = _WAVE_COLUMNS
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Times and values: minimum and maximum of `audio (samples,)` in at most `columns` stretches."""
    width = max(1, -(-audio.size // columns))
    padded = np.pad(audio, (0, -audio.size % width)).reshape(-1, width)
    values = np.stack([padded.min(axis=1), padded.max(axis=1)], axis=1).reshape(-1)
    return np.repeat(np.arange(len(padded)) * width / rate_hz, 2), values


def detection_figure(found: ScoredAudio) -> Any:
    """Waveform above, smoothed scores with each word's threshold below, events marked in both."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.35, 0.65], vertical_spacing=0.06)
    grey = {"color": "#94a3b8", "width": 1}
    figure.add_scatter(x=found.wave[0], y=found.wave[1], mode="lines", line=grey, showlegend=False, hoverinfo="skip")
    colours = dict(zip(found.words, cycle(PALETTE), strict=False))
    for (word, colour), scores, threshold in zip(colours.items(), found.scores.T, found.thresholds, strict=True):
        line = {"color": colour, "width": 2}
        figure.add_scatter(x=found.score_times_s, y=scores, name=word, mode="lines", line=line, row=2, col=1)
        limit = {"color": colour, "width": 1, "dash": "dash"}
        figure.add_hline(y=min(threshold, 1.0), line=limit, row=2, col=1)
    for event in found.events:
        marked = {"fillcolor": colours[event.word], "opacity": 0.15, "line_width": 0}
        figure.add_vrect(x0=event.start_s, x1=event.end_s, **marked, row="all", col=1)
    figure.update_yaxes(title="audio", range=[-1, 1], showticklabels=False, row=1, col=1)
    figure.update_yaxes(title="score", range=[0, 1.02], row=2, col=1)
    figure.update_xaxes(title="seconds", row=2, col=1)
    return _finish(figure, 430)
