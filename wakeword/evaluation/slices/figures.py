"""Plotly figures of slices: a dot with its interval per slice, red where the slice is worse than the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from wakeword.evaluation.slices.slices import BY_AUDIO, alarms_by
from wakeword.evaluation.statistics.numbers import number
from wakeword.evaluation.statistics.records import Rate
from wakeword.evaluation.statistics.slice_records import SliceReport, WordSlice
from wakeword.pages.figures import GREY, colour, error_bars, styled

_ROW_PX = 24
_FRAME_PX = 110
_Dot = tuple[float, float, float, str] | None
"""Value, bounds and hover text; None with too little data."""


class _Row(NamedTuple):
    dimension: str
    name: str
    too_little: str | None
    dot: _Dot


def slices_figure(report: SliceReport) -> go.Figure | None:
    """FRR per slice with the interval by speaker, grouped by property; None without words."""

    def dot(part: WordSlice) -> _Dot:
        if part.frr is None:
            return None
        low, high = part.by_speaker or part.wilson or (0.0, 1.0)
        text = f"{part.missed} of {part.words} words of {part.speakers} speakers missed"
        return 100 * part.frr, 100 * low, 100 * high, text

    rows = [
        _Row(group.name, part.name, part.too_little, dot(part)) for group in report.dimensions for part in group.slices
    ]
    worse = {(part.dimension, part.name) for part in report.worse}
    return _figure(rows, worse, "missed words, %", "%{x:.1f} %")


def alarms_figure(report: SliceReport) -> go.Figure | None:
    """False alarms per hour per slice of the negative audio, with the Poisson interval; None without negatives."""

    def dot(rate: Rate | None) -> _Dot:
        if rate is None or rate.fah is None or rate.low is None or rate.high is None:
            return None
        return rate.fah, rate.low, rate.high, f"{rate.false_alarms} in {number(rate.hours)} h"

    rows = [
        _Row(group.name, part.name, part.too_little, dot(part.rate)) for group in report.alarms for part in group.slices
    ]
    worse = {(name, part.name) for part in report.worse for name in BY_AUDIO if part.dimension == alarms_by(name)}
    return _figure(rows, worse, "false alarms per hour", "%{x:.2f} per hour")


def _figure(rows: Sequence[_Row], worse: set[tuple[str, str]], title: str, value: str) -> go.Figure | None:
    """Rows from top to bottom in their order, grouped by dimension; `value` is the hover text's format of x."""
    if not rows:
        return None
    figure = go.Figure()
    # An invisible first trace fixes the order of the rows, which would otherwise be that of the traces.
    figure.add_scatter(x=[None] * len(rows), y=_names(rows), mode="markers", hoverinfo="skip")
    for is_worse, ink in ((False, colour(0)), (True, colour(3))):
        own = [row for row in rows if row.dot and ((row.dimension, row.name) in worse) == is_worse]
        dots = [row.dot for row in own if row.dot]
        values = [dot[0] for dot in dots]
        figure.add_scatter(
            x=values,
            y=_names(own),
            error_x=error_bars(values, [dot[1:3] for dot in dots]),
            mode="markers",
            marker={"color": ink, "size": 9},
            cliponaxis=False,
            customdata=[dot[3] for dot in dots],
            hovertemplate=value + ": %{customdata}<extra>%{y}</extra>",
        )
    empty = [row for row in rows if row.dot is None]
    figure.add_scatter(
        x=[0] * len(empty),
        y=_names(empty),
        mode="text",
        text=[row.too_little for row in empty],
        textposition="middle right",
        textfont={"color": GREY, "size": 12},
        hoverinfo="skip",
    )
    figure.update_traces(showlegend=False)
    figure.update_yaxes(autorange="reversed", automargin=True, showdividers=True)
    figure.update_xaxes(title=title, rangemode="tozero")
    return styled(figure, _FRAME_PX + _ROW_PX * len(rows))


def _names(rows: Sequence[_Row]) -> list[list[str]]:
    return [[row.dimension for row in rows], [row.name for row in rows]]
