"""Plotly figures of the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from wakeword.errors import DataError
from wakeword.evaluation.results import EvaluationReport, NearMissCurve, TargetResult, WordResult
from wakeword.pages.figures import GREY, INK, colour, error_bars, styled


def conditions_figure(report: EvaluationReport) -> go.Figure | None:
    """FRR per condition at the operating point, with Wilson intervals; None without words."""
    figure = go.Figure()
    drawn = False
    for place, word in enumerate(report.words):
        results = word.operating.test.conditions if word.operating.test else ()
        drawn |= bool(results)
        frr = [100 * result.frr for result in results]
        figure.add_scatter(
            mode="markers",
            x=[result.condition for result in results],
            y=frr,
            error_y=error_bars(frr, [(100 * result.wilson[0], 100 * result.wilson[1]) for result in results]),
            marker={"color": colour(place), "size": 10},
            cliponaxis=False,
            name=word.phrase or word.label,
            customdata=[[result.missed, result.words] for result in results],
            hovertemplate="%{customdata[0]} of %{customdata[1]} missed: %{y:.1f} %<extra>%{x}</extra>",
        )
    # Dots of several words are drawn side by side.
    figure.update_xaxes(ticklabelstandoff=8)
    figure.update_layout(scattermode="group", scattergap=0.6)
    figure.update_yaxes(title="missed words, %", rangemode="tozero")
    return styled(figure, 380) if drawn else None


def histogram_figure(word: WordResult) -> go.Figure | None:
    """Share of clips per score bin, for some conditions of the word and for other speech; None without clips."""
    names = [name for name in ("clean", "10 dB", "0 dB", "far", "other speech") if name in word.histogram]
    if not names:
        return None
    figure = go.Figure()
    for place, name in enumerate(names):
        counts = word.histogram[name]
        bins = len(counts)
        other = name == "other speech"
        figure.add_scatter(
            x=[(bin_ + 0.5) / bins for bin_ in range(bins)],
            y=[100 * count / max(1, sum(counts)) for count in counts],
            mode="lines",
            line={"shape": "hvh", "color": GREY if other else colour(place), "width": 2},
            fill="tozeroy" if other else None,
            name=f"{name} ({sum(counts)} clips)",
            hovertemplate="score %{x:.2f}: %{y:.1f} % of the clips<extra>" + name + "</extra>",
        )
    figure.add_vline(x=min(word.operating.threshold, 1.0), line={"dash": "dot", "color": INK, "width": 1.5})
    figure.update_xaxes(title="highest score of the clip<br>(dotted: threshold)", range=[0, 1])
    figure.update_yaxes(title="clips, %", rangemode="tozero")
    return styled(figure, 420)


def near_miss_figure(word: WordResult) -> go.Figure | None:
    """Clean miss rate against the share of near misses that fires, at all thresholds; None without the curve.

    A bundle with a verifier has a curve of the detector alone beside that of both.
    """
    if word.near_miss_curve is None:
        return None
    figure = go.Figure()
    _near_miss_curve(figure, "both" if word.cascade else "", word.near_miss_curve, word.operating, colour(0))
    for stage in word.cascade.stages if word.cascade else ():
        if stage.name == "detector" and stage.near_miss_curve is not None:
            _near_miss_curve(figure, "detector alone", stage.near_miss_curve, stage.operating, GREY)
    figure.update_xaxes(title="near misses that fire, %", range=[0, 100])
    figure.update_yaxes(title="missed words, %", rangemode="tozero")
    return styled(figure, 320)


def _near_miss_curve(figure: go.Figure, name: str, curve: NearMissCurve, target: TargetResult, ink: str) -> None:
    """A curve over all thresholds with a dot at the operating point."""
    figure.add_scatter(
        x=[100 * share for share in curve.fired_share],
        y=[100 * frr for frr in curve.frr],
        mode="lines",
        line={"color": ink, "width": 2},
        customdata=curve.threshold,
        hovertemplate="threshold %{customdata:.3f}: %{x:.0f} % of near misses fire, %{y:.1f} % missed<extra></extra>",
        name=name,
        showlegend=bool(name),
    )
    near = target.test.near_misses if target.test else None
    clean = target.test.condition("clean") if target.test else None
    if near and clean:
        figure.add_scatter(
            x=[100 * near.share],
            y=[100 * clean.frr],
            mode="markers",
            marker={"color": ink, "size": 10, "line": {"color": "white", "width": 1.5}},
            showlegend=False,
            hovertemplate="operating point<extra></extra>",
        )


def training_figure(run_dir: Path) -> go.Figure | None:
    """Curves of the run's `metrics.jsonl` on two axes (losses left, rates right); None without the file.

    Raises DataError when a line is not JSON.
    """
    path = run_dir / "metrics.jsonl"
    if not path.is_file():
        return None
    rows: list[dict[str, Any]] = []
    for place, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}, line {place}: not JSON ({error})") from error
        if isinstance(row, dict):
            rows.append(row)
    figure = go.Figure()
    names = sorted({name for row in rows for name in row if _is_curve(name)})
    for place, name in enumerate(names):
        points = [
            (row.get("epoch", at), row[name]) for at, row in enumerate(rows) if isinstance(row.get(name), int | float)
        ]
        figure.add_scatter(
            x=[x for x, _ in points],
            y=[y for _, y in points],
            mode="lines",
            name=name,
            line={"color": colour(place), "width": 2},
            yaxis="y" if "loss" in name else "y2",
        )
    right = {"overlaying": "y", "side": "right", "title": "rate", "showgrid": False, "tickmode": "auto"}
    figure.update_layout(yaxis2={**right, "rangemode": "tozero"}, yaxis={"rangemode": "tozero"})
    figure.update_xaxes(title="epoch")
    figure.update_yaxes(title="loss", selector={"side": None})
    return styled(figure, 380).update_layout(margin={"r": 56}) if names else None


def _is_curve(name: str) -> bool:
    return "loss" in name or name in ("val_frr", "val_eer", "val_auc", "val_pauc")
