"""Plotly figures of the report on data; histograms are counted here, so that a page holds bins and no clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from wakeword.data.manifest import KINDS, SPLITS, VOICED
from wakeword.data.report.advice import MALE_BELOW_HZ
from wakeword.data.report.facts import DataFacts
from wakeword.system.html_page import COLOURS, styled


@dataclass(frozen=True)
class Axis:
    """Bins of one measure: `(low, high)` in its unit, how many, and what the axis is called.

    What lies outside is counted in the first or the last bin.
    """

    low: float
    high: float
    bins: int
    title: str


AXES = {
    "pitch_hz": Axis(60, 400, 34, "median pitch of a clip, Hz"),
    "loudness_db": Axis(-70, 0, 35, "level of the speech, dBFS"),
    "snr_db": Axis(-10, 80, 30, "speech above the pauses, dB"),
    "duration_s": Axis(0, 30, 60, "length of a clip, s"),
}


def hours_figure(facts: DataFacts) -> go.Figure | None:
    """Hours of each kind, a bar per split; None without clips."""
    kinds = [kind for kind in KINDS if facts.clips(kinds=kind)]
    if not kinds:
        return None
    figure = go.Figure()
    for place, split in enumerate(SPLITS):
        figure.add_bar(
            x=kinds,
            y=[facts.hours(split, kind) for kind in kinds],
            name=split,
            marker={"color": COLOURS[place]},
            customdata=[facts.clips(split, kind) for kind in kinds],
            hovertemplate="%{y:.2f} h, %{customdata} clips<extra>%{x}, " + split + "</extra>",
        )
    figure.update_yaxes(title="hours", rangemode="tozero")
    return styled(figure)


def by_split_figure(facts: DataFacts, measure: str) -> go.Figure | None:
    """Share of a split's voiced clips per bin of `measure`, a line per split; None where nothing was measured."""
    series = {split: _joined(facts, measure, split) for split in SPLITS}
    figure = _histogram(measure, {name: values for name, values in series.items() if len(values)})
    if figure is not None and measure == "pitch_hz":
        figure.add_vline(x=MALE_BELOW_HZ, line={"dash": "dot", "color": "#5a6472", "width": 1})
    return figure


def by_kind_figure(facts: DataFacts, measure: str) -> go.Figure | None:
    """Share of a kind's clips per bin of `measure`, over all splits, a line per kind; None where nothing was measured.

    Wake words and other speech whose lines lie apart can be told by level or noise alone.
    """
    found: dict[str, list[np.ndarray]] = {}
    for (_, kind), values in facts.values.get(measure, {}).items():
        found.setdefault(kind, []).append(values)
    return _histogram(measure, {kind: np.concatenate(found[kind]) for kind in KINDS if kind in found})


def _joined(facts: DataFacts, measure: str, split: str) -> np.ndarray:
    parts = [values for (own, kind), values in facts.values.get(measure, {}).items() if own == split and kind in VOICED]
    return np.concatenate(parts) if parts else np.zeros(0)


def _histogram(measure: str, series: dict[str, np.ndarray]) -> go.Figure | None:
    if not series:
        return None
    axis = AXES[measure]
    edges = np.linspace(axis.low, axis.high, axis.bins + 1)
    figure = go.Figure()
    for place, (name, values) in enumerate(series.items()):
        counts, _ = np.histogram(np.clip(values, axis.low, axis.high), edges)
        figure.add_scatter(
            x=((edges[:-1] + edges[1:]) / 2).tolist(),
            y=(100 * counts / len(values)).tolist(),
            mode="lines",
            line={"shape": "hvh", "color": COLOURS[place % len(COLOURS)], "width": 2},
            name=f"{name} ({len(values)})",
            hovertemplate="%{x:.4g}: %{y:.1f} %<extra>" + name + "</extra>",
        )
    figure.update_xaxes(title=axis.title, range=[axis.low, axis.high])
    figure.update_yaxes(title="clips, %", rangemode="tozero")
    return styled(figure)
