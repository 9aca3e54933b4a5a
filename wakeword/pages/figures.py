"""The look that the plotly figures of all pages share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go

COLOURS = ("#1f5fbf", "#0f8a6c", "#c77700", "#b3372f", "#6b4fb3", "#5a6472", "#008ea1", "#a8407f")
INK, SOFT_INK, GREY = "#1d2430", "#5a6472", "#9aa4b2"
"""Text, reference lines, and what is only background (audio without the word)."""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def colour(place: int) -> str:
    """Colour of the series at `place`; the colours repeat after eight."""
    return COLOURS[place % len(COLOURS)]


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
