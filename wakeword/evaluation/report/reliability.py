"""Plotly figure of calibration."""

from __future__ import annotations

import plotly.graph_objects as go

from wakeword.evaluation.metrics.calibration_results import CalibrationFigures
from wakeword.evaluation.statistics.numbers import percent
from wakeword.pages.figures import GREY, colour, styled


def reliability_figure(before: CalibrationFigures | None, after: CalibrationFigures | None) -> go.Figure | None:
    """What scores say against what comes true, before and after calibration; None without either.

    A dot is a bin of about as many clips, with Wilson's interval; below, how many clips lie where. On the dotted line
    the score means a probability.
    """
    both = [(name, found) for name, found in (("as scored", before), ("calibrated", after)) if found is not None]
    if not both:
        return None
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 100],
        y=[0, 100],
        mode="lines",
        line={"dash": "dot", "color": GREY, "width": 1.5},
        showlegend=False,
        hoverinfo="skip",
    )
    for place, (name, found) in enumerate(both):
        _add_reliability(figure, name, found, colour(place))
    figure.update_layout(
        barmode="overlay",
        xaxis={"title": "probability that is given (mean of the bin), %", "range": [-2, 102], "anchor": "y2"},
        yaxis={"title": "clips that hold the word, %", "range": [-2, 102], "domain": [0.28, 1]},
        yaxis2={"title": "clips", "domain": [0, 0.2], "rangemode": "tozero"},
    )
    return styled(figure, 460)


def _add_reliability(figure: go.Figure, name: str, found: CalibrationFigures, ink: str) -> None:
    table = found.reliability
    figure.add_scatter(
        x=[100 * part.mean for part in table],
        y=[100 * part.share for part in table],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [100 * (part.wilson[1] - part.share) for part in table],
            "arrayminus": [100 * (part.share - part.wilson[0]) for part in table],
            "thickness": 1.3,
        },
        mode="lines+markers",
        line={"color": ink, "width": 1.5},
        marker={"size": 8},
        name=f"{name}: error {percent(found.ece)} (by chance up to {percent(found.ece_by_chance)})",
        customdata=[[part.positives, part.clips] for part in table],
        hovertemplate="said %{x:.1f} %, came true %{y:.1f} % (%{customdata[0]} of %{customdata[1]} clips)"
        f"<extra>{name}</extra>",
    )
    figure.add_bar(
        x=[100 * part.mean for part in table],
        y=[part.clips for part in table],
        width=2,
        opacity=0.6,
        marker={"color": ink},
        yaxis="y2",
        showlegend=False,
        hovertemplate="%{y} clips around %{x:.1f} %<extra>" + name + "</extra>",
    )
