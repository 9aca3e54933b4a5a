"""Colours and layout of the plotly figures of all pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLOURS = ("#1f5fbf", "#0f8a6c", "#c77700", "#b3372f", "#6b4fb3", "#5a6472", "#008ea1", "#a8407f")
INK, SOFT_INK, GREY = "#1d2430", "#5a6472", "#9aa4b2"
"""Colours of text, of reference lines, and of background data such as audio without the word."""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def colour(place: int) -> str:
    """Colour of the series with number `place`; the colours repeat after eight."""
    return COLOURS[place % len(COLOURS)]


def error_bars(values: Sequence[float], bounds: Iterable[tuple[float, float]]) -> dict[str, Any]:
    """Plotly's `error_x` or `error_y` for `values` with asymmetric `(low, high)` bounds."""
    pairs = list(zip(values, bounds, strict=True))
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - at for at, (_, high) in pairs],
        "arrayminus": [at - low for at, (low, _) in pairs],
        "thickness": 1.5,
    }


def styled(figure: go.Figure, height: int = 320) -> go.Figure:
    """The same figure with the shared fonts, margins (px) and legend, `height` px high."""
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 56, "r": 16, "t": 24, "b": 52},
        font={"family": FONT, "size": 13, "color": INK},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0, "traceorder": "normal"},
        hovermode="closest",
        bargap=0.25,
    )
    return figure
