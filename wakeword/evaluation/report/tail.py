"""Figure of the false alarms' tail on val: the rate per hour against the threshold, with its band and the hours."""

from __future__ import annotations

import plotly.graph_objects as go
from matplotlib.axes import Axes
from scipy.special import expit, logit

from wakeword.evaluation.results import WordResult
from wakeword.evaluation.statistics.numbers import number, whole
from wakeword.evaluation.statistics.records import TailCurve
from wakeword.pages.figures import GREY, INK, SOFT_INK, colour, styled

BAND = "rgba(31,95,191,0.15)"


def _hours(tail: TailCurve) -> str:
    return f"{tail.events} highest events in {number(tail.hours)} h of val"


def _counted(tail: TailCurve) -> list[float | None]:
    """Counted rates, without the zeros, which a logarithmic axis has not."""
    return [rate or None for rate in tail.counted]


def tail_figure(word: WordResult) -> go.Figure | None:
    """Counted and estimated rate with the band, the targets and their thresholds; None without negatives."""
    tail = word.tail
    if tail is None:
        return None
    figure = go.Figure()
    blue, score = colour(0), [float(expit(level)) for level in tail.level]
    for rates, fill in ((tail.low, None), (tail.high, "tonexty")):
        figure.add_scatter(
            x=tail.level,
            y=rates,
            mode="lines",
            line={"width": 0},
            fill=fill,
            fillcolor=BAND,
            name=f"band ({whole(tail.confidence)})",
            showlegend=fill is not None,
            hoverinfo="skip",
        )
    hover = "threshold %{customdata:.4f}: %{y:.2g} per hour<extra>"
    for name, values, line in (
        ("estimate", list(tail.middle), {"color": blue, "width": 2}),
        ("counted", _counted(tail), {"color": INK, "width": 1.5, "shape": "hv"}),
    ):
        figure.add_scatter(
            x=tail.level, y=values, mode="lines", line=line, name=name, customdata=score,
            hovertemplate=f"{hover}{name}</extra>",
        )  # fmt: skip
    reached = [target for target in word.targets if target.threshold < 1]
    figure.add_scatter(
        x=[float(logit(target.threshold)) for target in reached],
        y=[target.fah_target for target in reached],
        mode="markers",
        marker={"color": colour(3), "size": 9, "symbol": "diamond"},
        name="targets and their thresholds",
        customdata=[target.threshold for target in reached],
        hovertemplate="threshold %{customdata:.4f} for %{y:g} per hour<extra></extra>",
    )
    figure.add_hline(y=word.operating_fah, line={"dash": "dot", "color": SOFT_INK, "width": 1})
    figure.update_xaxes(title=f"threshold in log odds<br>({_hours(tail)})")
    figure.update_yaxes(type="log", title="false alarms per hour", range=_decades(tail))
    return styled(figure, 380)


def _decades(tail: TailCurve) -> list[float]:
    """Powers of ten of the rate's axis: from a tenth of an alarm in the hours to the highest counted rate."""
    from math import log10

    return [log10(0.1 / tail.hours), log10(2 * max(1 / tail.hours, *tail.counted))]


def draw_tail(axes: Axes, word: WordResult, tail: TailCurve) -> None:
    """The same as an image."""
    axes.fill_between(tail.level, tail.low, tail.high, color=colour(0), alpha=0.15, linewidth=0)
    axes.plot(tail.level, tail.middle, color=colour(0), label=f"estimate, band {whole(tail.confidence)}")
    counted = [rate or float("nan") for rate in tail.counted]
    axes.step(tail.level, counted, where="post", color=INK, linewidth=1, label="counted")
    for target in word.targets:
        if target.threshold < 1:
            axes.plot(float(logit(target.threshold)), target.fah_target, "D", color=colour(3), markersize=5)
    axes.axhline(word.operating_fah, color=SOFT_INK, linestyle=":", linewidth=1)
    axes.axvline(tail.start, color=GREY, linestyle=":", linewidth=1)
    low, high = (10**power for power in _decades(tail))
    axes.set(yscale="log", ylim=(low, high), xlabel=f"threshold in log odds ({_hours(tail)})")
    name = (word.phrase or word.label).replace("$", r"\$")
    axes.set(ylabel="false alarms per hour", title=f"{name}, val; diamonds: targets and their thresholds")
    axes.legend(fontsize="small")
