"""Plotly figures of slices, in the style of the report's others."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from wakeword.evaluation.report.figures import NEGATIVE_COLOUR, colour
from wakeword.evaluation.report.wording import number
from wakeword.evaluation.slices.results import SliceReport, WordSlice
from wakeword.system.html_page import styled

_ROW_PX = 24
_FRAME_PX = 110
_INK = "#1d2430"
_WORSE = colour(3)


def slices_figure(report: SliceReport) -> go.Figure | None:
    """FRR per slice with the interval that heeds speakers, grouped by property; None without words.

    Slices with too little data are named in grey and have no dot; those that are surely worse have a red one.
    """
    rows = [(dimension.name, part) for dimension in report.dimensions for part in dimension.slices]
    if not rows:
        return None
    worse = {(part.dimension, part.name) for part in report.worse}
    figure = go.Figure()
    for dimension in report.dimensions:
        for is_worse in (False, True):
            parts = [
                part
                for part in dimension.slices
                if part.frr is not None and ((dimension.name, part.name) in worse) == is_worse
            ]
            _add_slices(figure, dimension.name, parts, _WORSE if is_worse else colour(0))
    for dimension_name, part in rows:
        if part.too_little:
            _add_note(figure, [dimension_name, part.name], part.too_little)
    return _by_name(figure, [(name, part.name) for name, part in rows], "missed words, %")


def _add_slices(figure: go.Figure, dimension: str, parts: Sequence[WordSlice], ink: str) -> None:
    if not parts:
        return
    bounds = [part.by_speaker or part.wilson or (0.0, 1.0) for part in parts]
    rates = [part.frr or 0.0 for part in parts]
    _add_dots(
        figure,
        [[dimension] * len(parts), [part.name for part in parts]],
        [100 * rate for rate in rates],
        [(100 * low, 100 * high) for low, high in bounds],
        ink,
        [f"{part.missed} of {part.words} words of {part.speakers} speakers missed" for part in parts],
        "%{x:.1f} %",
    )


def alarms_figure(report: SliceReport) -> go.Figure | None:
    """False alarms per hour per slice of the negative audio, with Garwood's interval; None without negatives."""
    rows = [(dimension.name, part) for dimension in report.alarms for part in dimension.slices]
    if not rows:
        return None
    worse = {(part.dimension, part.name) for part in report.worse}
    figure = go.Figure()
    for name, part in rows:
        rate = part.rate
        if rate is None or rate.fah is None or rate.low is None or rate.high is None:
            _add_note(figure, [name, part.name], part.too_little or "")
            continue
        ink = _WORSE if (f"false alarms by {name}", part.name) in worse else colour(0)
        told = f"{rate.false_alarms} in {number(rate.hours)} h"
        _add_dots(figure, [[name], [part.name]], [rate.fah], [(rate.low, rate.high)], ink, [told], "%{x:.2f} per hour")
    return _by_name(figure, [(name, part.name) for name, part in rows], "false alarms per hour")


def _add_dots(
    figure: go.Figure,
    y: list[list[str]],
    x: list[float],
    bounds: list[tuple[float, float]],
    ink: str,
    told: list[str],
    value: str,
) -> None:
    figure.add_scatter(
        x=x,
        y=y,
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - at for at, (_, high) in zip(x, bounds, strict=True)],
            "arrayminus": [at - low for at, (low, _) in zip(x, bounds, strict=True)],
            "thickness": 1.5,
        },
        mode="markers",
        marker={"color": ink, "size": 9},
        cliponaxis=False,
        customdata=told,
        hovertemplate=value + ": %{customdata}<extra>%{y}</extra>",
        showlegend=False,
    )


def _add_note(figure: go.Figure, row: list[str], text: str) -> None:
    figure.add_scatter(
        x=[0],
        y=[[row[0]], [row[1]]],
        mode="text",
        text=[text],
        textposition="middle right",
        textfont={"color": NEGATIVE_COLOUR, "size": 12},
        hoverinfo="skip",
        showlegend=False,
    )


def _by_name(figure: go.Figure, rows: Sequence[tuple[str, str]], title: str) -> go.Figure:
    """Rows from the top in the order of `rows`, grouped by their first name."""
    # An invisible first trace fixes the order of the rows, which would else be that of the traces.
    figure.add_scatter(
        x=[None] * len(rows),
        y=[[name for name, _ in rows], [part for _, part in rows]],
        mode="markers",
        showlegend=False,
        hoverinfo="skip",
    )
    figure.data = (figure.data[-1], *figure.data[:-1])
    figure.update_yaxes(autorange="reversed", automargin=True, tickfont={"color": _INK}, showdividers=True)
    figure.update_xaxes(title=title, rangemode="tozero")
    return styled(figure, _FRAME_PX + _ROW_PX * len(rows))
