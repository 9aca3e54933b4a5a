"""Reliability diagram: share of clips with the word against probability, without and with the probability map."""

from __future__ import annotations

import plotly.graph_objects as go

from wakeword.evaluation.results import CalibrationFigures
from wakeword.pages.figures import GREY, colour, styled


def reliability_figure(before: CalibrationFigures | None, after: CalibrationFigures | None) -> go.Figure | None:
    """A dot per bin of clips, larger for more clips. None without `before`.

    `before`: scores used as probabilities; `after`: with the probability map, None without a map.
    """
    if before is None:
        return None
    figure = go.Figure()
    dotted = {"dash": "dot", "color": GREY, "width": 1.5}
    figure.add_scatter(x=[0, 100], y=[0, 100], mode="lines", line=dotted, showlegend=False, hoverinfo="skip")
    for place, (name, part) in enumerate([("raw score", before), ("probability", after)]):
        if part is None:
            continue
        figure.add_scatter(
            x=[100 * one.mean for one in part.reliability],
            y=[100 * one.share for one in part.reliability],
            mode="lines+markers",
            line={"color": colour(place), "width": 1.5},
            marker={"size": [6 + 30 * one.clips / part.clips for one in part.reliability]},
            name=name,
            customdata=[one.clips for one in part.reliability],
            hovertemplate="probability %{x:.1f} %, word in %{y:.1f} % of %{customdata} clips<extra></extra>",
        )
    figure.update_xaxes(title="probability (mean of the bin), %", range=[-2, 102])
    figure.update_yaxes(title="clips with the word, %", range=[-2, 102])
    return styled(figure, 380)
