"""Figures of misses and false alarms: the DET curve with its interval, and the false alarms over time."""

from __future__ import annotations

import plotly.graph_objects as go

from wakeword.evaluation.results import WordResult
from wakeword.evaluation.statistics.intervals import poisson_interval, wilson
from wakeword.evaluation.statistics.numbers import number, whole
from wakeword.pages.figures import GREY, SOFT_INK, colour, styled

PUBLISHED = (
    ("openWakeWord alexa", 0.5, 0.04, "10 dB noise and rooms, DiPCo 5.5 h (its documentation)"),
    ("microWakeWord alexa", 0.45, 0.035, "clips also used for model selection (its benchmark plot)"),
    ("microWakeWord okay nabu", 0.122, 0.02, "synthetic voices (its documentation)"),
    ("Porcupine, mean of 6 words", 0.1, 0.027, "10 dB noise, LibriSpeech (Picovoice's benchmark)"),
    ("Snowboy, mean of 6 words", 0.1, 0.319, "10 dB noise, LibriSpeech (Picovoice's benchmark)"),
)
"""Published results: name, false alarms per hour, miss rate, and test data, from the projects' own pages."""
PUBLISHED_NOTE = (
    "Grey crosses: published results of other detectors for their own words and test audio. They indicate the order "
    "of magnitude and are not a ranking, because words, clips and counting methods differ."
)


def det_figure(word: WordResult, confidence: float) -> go.Figure | None:
    """FRR against false alarms per hour (log), with a step line per condition and a mark at each operating point.

    A rate of zero is drawn at half a false alarm in the available hours, and the axis states this. None without a
    curve.
    """
    test = word.operating.test
    if not word.det or test is None or test.alarms.hours <= 0:
        return None
    least = 0.5 / test.alarms.hours
    figure = go.Figure()
    _band(figure, word, least, confidence)
    for place, name in enumerate(result.condition for result in test.conditions):
        if name not in word.det:
            continue
        det = word.det[name]
        x = [max(rate, least) for rate in det.fah]
        top = max(x[-1], 100.0)
        figure.add_scatter(
            x=[*x, top],
            y=[100 * frr for frr in (*det.frr, det.frr[-1])],
            mode="lines",
            line={"shape": "hv", "color": colour(place), "width": 2},
            name=name,
            hovertemplate="%{x:.2f} per hour, %{y:.1f} % missed<extra>" + name + "</extra>",
        )
        result = test.condition(name)
        if result is not None:
            figure.add_scatter(
                x=[max(test.alarms.fah or 0.0, least)],
                y=[100 * result.frr],
                mode="markers",
                marker={"color": colour(place), "size": 10, "line": {"color": "white", "width": 1.5}},
                showlegend=False,
                hovertemplate=f"threshold {word.operating.threshold:.3f}: %{{y:.1f}} % missed<extra>{name}</extra>",
            )
    _published(figure)
    figure.add_vline(x=word.operating_fah, line={"dash": "dot", "color": SOFT_INK, "width": 1})
    figure.update_xaxes(type="log", title=f"false alarms per hour<br>(left edge: none in {test.alarms.hours:.2f} h)")
    figure.update_yaxes(title="missed words, %", rangemode="tozero")
    return styled(figure, 420)


def _band(figure: go.Figure, word: WordResult, least: float, confidence: float) -> None:
    """Wilson's interval of the clean curve at each of its corners."""
    clean = word.operating.test.condition("clean") if word.operating.test else None
    if clean is None or "clean" not in word.det:
        return
    det = word.det["clean"]
    x = [max(rate, least) for rate in det.fah]
    x.append(max(x[-1], 100.0))
    bounds = [wilson(round(frr * clean.words), clean.words, confidence) for frr in (*det.frr, det.frr[-1])]
    for side, fill in ((0, None), (1, "tonexty")):
        figure.add_scatter(
            x=x,
            y=[100 * bound[side] for bound in bounds],
            mode="lines",
            line={"shape": "hv", "width": 0},
            fill=fill,
            fillcolor="rgba(31,95,191,0.12)",
            showlegend=False,
            hoverinfo="skip",
        )


def _published(figure: go.Figure) -> None:
    figure.add_scatter(
        x=[fah for _, fah, _, _ in PUBLISHED],
        y=[100 * frr for _, _, frr, _ in PUBLISHED],
        mode="markers",
        marker={"symbol": "x-thin", "size": 9, "line": {"color": GREY, "width": 2}},
        name="published results of others",
        customdata=[[name, about] for name, _, _, about in PUBLISHED],
        hovertemplate="%{customdata[0]}: %{y:.1f} % at %{x:g} per hour<br>%{customdata[1]}<extra></extra>",
    )


def timeline_figure(word: WordResult, confidence: float) -> go.Figure | None:
    """Cumulative false alarms over the hours of negative audio, with the target as a line; None without hours.

    The axis title states the interval of the rate.
    """
    times = word.alarm_times
    if times.total_h <= 0:
        return None
    order = sorted(range(len(times.at_h)), key=lambda place: times.at_h[place])
    x = [0.0, *(times.at_h[place] for place in order), times.total_h]
    y = [*range(len(order) + 1), len(order)]
    figure = go.Figure()
    figure.add_scatter(
        x=x,
        y=y,
        mode="lines",
        line={"shape": "hv", "color": colour(3), "width": 2},
        name="false alarms",
        customdata=["start", *(times.kinds[place] for place in order), "end"],
        hovertemplate="%{y} after %{x:.2f} h (%{customdata})<extra></extra>",
    )
    figure.add_scatter(
        x=[0, times.total_h],
        y=[0, word.operating_fah * times.total_h],
        mode="lines",
        line={"dash": "dot", "color": SOFT_INK, "width": 1.5},
        name=f"{word.operating_fah:g} per hour",
        hoverinfo="skip",
    )
    low, high = poisson_interval(len(order), times.total_h, confidence)
    figure.update_xaxes(
        title=f"hours of negative audio<br>(rate {number(low)} to {number(high)} per hour at {whole(confidence)})"
    )
    top = max(1.0, len(order), word.operating_fah * times.total_h)
    figure.update_yaxes(title="false alarms", range=[0, 1.05 * top])
    return styled(figure, 300)
