"""Plotly figures of slices: a dot with its interval per slice, red where the slice is worse than the rest."""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go

from wakeword.evaluation.slices.results import SliceReport
from wakeword.evaluation.statistics.numbers import number
from wakeword.pages.figures import GREY, colour, styled

_ROW_PX = 24
_FRAME_PX = 110


@dataclass(frozen=True)
class _Row:
    """A slice; `value` and its bounds are None where `text` says that there is too little data."""

    dimension: str
    name: str
    text: str
    value: float | None = None
    low: float = 0.0
    high: float = 0.0
    worse: bool = False


def slices_figure(report: SliceReport) -> go.Figure | None:
    """FRR per slice with the interval that heeds speakers, grouped by property; None without words."""
    worse = {(part.dimension, part.name) for part in report.worse}
    rows = []
    for dimension in report.dimensions:
        for part in dimension.slices:
            if part.frr is None:
                rows.append(_Row(dimension.name, part.name, part.too_little or ""))
                continue
            low, high = part.by_speaker or part.wilson or (0.0, 1.0)
            text = f"{part.missed} of {part.words} words of {part.speakers} speakers missed"
            is_worse = (dimension.name, part.name) in worse
            rows.append(_Row(dimension.name, part.name, text, 100 * part.frr, 100 * low, 100 * high, is_worse))
    return _figure(rows, "missed words, %", "%{x:.1f} %")


def alarms_figure(report: SliceReport) -> go.Figure | None:
    """False alarms per hour per slice of the negative audio, with the Poisson interval; None without negatives."""
    worse = {(part.dimension, part.name) for part in report.worse}
    rows = []
    for dimension in report.alarms:
        for part in dimension.slices:
            rate = part.rate
            if rate is None or rate.fah is None or rate.low is None or rate.high is None:
                rows.append(_Row(dimension.name, part.name, part.too_little or ""))
                continue
            text = f"{rate.false_alarms} in {number(rate.hours)} h"
            is_worse = (f"false alarms by {dimension.name}", part.name) in worse
            rows.append(_Row(dimension.name, part.name, text, rate.fah, rate.low, rate.high, is_worse))
    return _figure(rows, "false alarms per hour", "%{x:.2f} per hour")


def _figure(rows: list[_Row], title: str, value: str) -> go.Figure | None:
    """Rows from top to bottom in their order, grouped by dimension; `value` is the hover text's format of x."""
    if not rows:
        return None
    figure = go.Figure()
    # An invisible first trace fixes the order of the rows, which would otherwise be that of the traces.
    figure.add_scatter(x=[None] * len(rows), y=_names(rows), mode="markers", hoverinfo="skip")
    for is_worse, ink in ((False, colour(0)), (True, colour(3))):
        dots = [(row, row.value) for row in rows if row.value is not None and row.worse == is_worse]
        figure.add_scatter(
            x=[at for _, at in dots],
            y=_names([row for row, _ in dots]),
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [row.high - at for row, at in dots],
                "arrayminus": [at - row.low for row, at in dots],
                "thickness": 1.5,
            },
            mode="markers",
            marker={"color": ink, "size": 9},
            cliponaxis=False,
            customdata=[row.text for row, _ in dots],
            hovertemplate=value + ": %{customdata}<extra>%{y}</extra>",
        )
    empty = [row for row in rows if row.value is None]
    figure.add_scatter(
        x=[0] * len(empty),
        y=_names(empty),
        mode="text",
        text=[row.text for row in empty],
        textposition="middle right",
        textfont={"color": GREY, "size": 12},
        hoverinfo="skip",
    )
    figure.update_traces(showlegend=False)
    figure.update_yaxes(autorange="reversed", automargin=True, showdividers=True)
    figure.update_xaxes(title=title, rangemode="tozero")
    return styled(figure, _FRAME_PX + _ROW_PX * len(rows))


def _names(rows: list[_Row]) -> list[list[str]]:
    return [[row.dimension for row in rows], [row.name for row in rows]]
