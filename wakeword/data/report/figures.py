"""Plotly figures of the report on data: a page holds the bins of histograms, not the clips."""

from __future__ import annotations

from typing import Literal

import numpy as np
import plotly.graph_objects as go

from wakeword.data.manifest import KINDS, SPLITS, VOICED
from wakeword.data.report.advice import MALE_BELOW_HZ
from wakeword.data.report.facts import DataFacts
from wakeword.pages.figures import SOFT_INK, colour, styled

AXES = {
    "pitch_hz": (60, 400, 34, "median pitch of a clip, Hz"),
    "loudness_db": (-70, 0, 35, "level of the speech, dBFS"),
    "snr_db": (-10, 80, 30, "speech above the pauses, dB"),
    "duration_s": (0, 30, 60, "length of a clip, s"),
}
"""Lower and upper edge, bins and title. Values outside are counted in the first or the last bin."""


def all_figures(facts: DataFacts) -> dict[str, go.Figure | None]:
    """The figures of the page by name; None where there is nothing to draw."""
    pitch = histogram(facts, "pitch_hz", "split")
    if pitch is not None:
        pitch.add_vline(x=MALE_BELOW_HZ, line={"dash": "dot", "color": SOFT_INK, "width": 1})
    return {
        "hours": hours_figure(facts),
        "pitch": pitch,
        "level": histogram(facts, "loudness_db", "kind"),
        "snr": histogram(facts, "snr_db", "kind"),
        "snr_by_split": histogram(facts, "snr_db", "split"),
        "length": histogram(facts, "duration_s", "kind"),
    }


def hours_figure(facts: DataFacts) -> go.Figure | None:
    """Hours of each kind, a bar per split; None without clips."""
    kinds = [kind for kind in KINDS if facts.clips(kinds=kind)]
    figure = go.Figure()
    for place, split in enumerate(SPLITS):
        hover = "%{y:.2f} h, %{customdata} clips<extra>%{x}, " + split + "</extra>"
        clips, hours = [facts.clips(split, kind) for kind in kinds], [facts.hours(split, kind) for kind in kinds]
        marker = {"color": colour(place)}
        figure.add_bar(x=kinds, y=hours, name=split, marker=marker, customdata=clips, hovertemplate=hover)
    figure.update_yaxes(title="hours", rangemode="tozero")
    return styled(figure) if kinds else None


def histogram(facts: DataFacts, measure: str, by: Literal["split", "kind"]) -> go.Figure | None:
    """Share of clips per bin of `measure`, a line per split (voiced clips) or kind; None without values."""
    clips = facts.measures if by == "kind" else facts.measures[facts.measures["kind"].isin(VOICED)]
    groups = dict(list(clips[np.isfinite(clips[measure].astype(float))].groupby(by)[measure]))
    low, high, bins, title = AXES[measure]
    edges = np.linspace(low, high, bins + 1)
    centres = ((edges[:-1] + edges[1:]) / 2).tolist()
    figure = go.Figure()
    for place, name in enumerate(name for name in (KINDS if by == "kind" else SPLITS) if name in groups):
        values = groups[name]
        shares = (100 * np.histogram(values.clip(low, high), edges)[0] / len(values)).tolist()
        line = {"shape": "hvh", "color": colour(place), "width": 2}
        hover = "%{x:.4g}: %{y:.1f} %<extra>" + name + "</extra>"
        label = f"{name} ({len(values)})"
        figure.add_scatter(x=centres, y=shares, mode="lines", line=line, name=label, hovertemplate=hover)
    figure.update_xaxes(title=title, range=[low, high])
    figure.update_yaxes(title="clips, %", rangemode="tozero")
    return styled(figure) if groups else None
