"""One self-contained HTML page of a sweep: history, what mattered, what the best trial changed, what to do next."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wakeword.config import Config
from wakeword.system.files import write_text
from wakeword.tuning.results import TrialRecord, ranked
from wakeword.tuning.space import leaf_differences

if TYPE_CHECKING:
    import optuna
    import plotly.graph_objects as go

_COLOURS = {"finished": "#1f77b4", "stopped": "#aaaaaa", "failed": "#d62728", "interrupted": "#ff7f0e"}
_STYLE = (
    "body{font-family:system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.3rem .6rem;text-align:right}"
    "td:first-child,th:first-child{text-align:left}code{background:#f2f2f2;padding:.1rem .3rem}"
)


def write_report(
    config: Config, best: Config, study: optuna.Study, trials: list[TrialRecord], path: Path, next_command: str
) -> Path:
    """Write the page atomically; it needs no network to be read.

    Args:
        config: what the sweep started from.
        best: the config of the best trial.
        study: for the importances, which Optuna computes.
        trials: all records of the study.
        path: the HTML file.
        next_command: what to type next.
    """
    order = ranked(trials, config.tuning.mode)
    figures = [
        ("Trials in order", history_figure(config, trials)),
        ("Values of the finished trials", parallel_figure(config, order)),
    ]
    shares = importances(study, trials)
    if shares:
        figures.append((f"What {config.tuning.metric} depended on", importance_figure(shares)))
    plots = "".join(
        f"<h2>{html.escape(title)}</h2>"
        + figure.to_html(full_html=False, include_plotlyjs=number == 0, default_height="420px")
        for number, (title, figure) in enumerate(figures)
    )
    if not shares:
        plots += "<p>Importances need at least four finished trials whose results differ.</p>"
    title = html.escape(f"Sweep {config.name}")
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>{_summary(config, order[0], trials)}"
        f"<h2>Best config against the start</h2>{_difference_table(config, best)}"
        f"<p>Next: <code>{html.escape(next_command)}</code></p>{plots}{_failures(trials)}</body></html>"
    )
    write_text(path, page)
    return path


def history_figure(config: Config, trials: list[TrialRecord]) -> go.Figure:
    """The metric of every trial by number, coloured by its state, and the best so far."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for state, colour in _COLOURS.items():
        chosen = [trial for trial in trials if trial.state == state and trial.value is not None]
        if chosen:
            figure.add_scatter(
                x=[trial.number for trial in chosen],
                y=[trial.value for trial in chosen],
                mode="markers",
                name=state,
                marker={"color": colour, "size": 9},
                text=[f"{trial.epochs} epochs" for trial in chosen],
            )
    steps = best_so_far(trials, config.tuning.mode)
    figure.add_scatter(
        x=[number for number, _ in steps], y=[value for _, value in steps], mode="lines", name="best", line_shape="hv"
    )
    figure.update_layout(xaxis_title="trial", yaxis_title=config.tuning.metric)
    return figure


def best_so_far(trials: list[TrialRecord], mode: str) -> list[tuple[int, float]]:
    """(number, best value among the finished trials up to it) for every finished trial, in order of number."""
    steps: list[tuple[int, float]] = []
    for trial in sorted(trials, key=lambda one: one.number):
        if trial.state == "finished" and trial.value is not None:
            pick = min if mode == "min" else max
            steps.append((trial.number, pick(trial.value, steps[-1][1]) if steps else trial.value))
    return steps


def parallel_figure(config: Config, order: list[TrialRecord]) -> go.Figure:
    """Parallel coordinates of the finished trials, coloured by the metric."""
    import plotly.graph_objects as go

    axes = [_axis(config, key, order) for key in config.tuning.space]
    metric = [trial.value for trial in order]
    axes.append({"label": config.tuning.metric, "values": metric})
    scale = "Viridis_r" if config.tuning.mode == "min" else "Viridis"
    return go.Figure(
        go.Parcoords(line={"color": metric, "colorscale": scale, "showscale": True}, dimensions=axes),
    )


def _axis(config: Config, key: str, order: list[TrialRecord]) -> dict[str, Any]:
    """Numbers as they are, logarithmic ranges by their logarithm, choices by their place in the list."""
    import math

    values = [trial.values[key] for trial in order]
    kind = config.tuning.space[key].type
    if kind == "loguniform":
        ticks = sorted({round(math.log10(value), 1) for value in values})
        numbers = [math.log10(value) for value in values]
        return {"label": key, "values": numbers, "tickvals": ticks, "ticktext": [f"{10**tick:.2g}" for tick in ticks]}
    if kind == "choice":
        names = [str(list(v) if isinstance(v, tuple) else v) for v in config.tuning.space[key].values]
        places = [names.index(str(value)) for value in values]
        return {"label": key, "values": places, "tickvals": list(range(len(names))), "ticktext": names}
    return {"label": key, "values": values}


def importances(study: optuna.Study, trials: list[TrialRecord]) -> dict[str, float]:
    """Share of the metric's variance that each key explains (fANOVA, Hutter et al. 2014), largest first.

    Empty when there is nothing to compute from: fewer than four finished trials, or all with one result.
    """
    import optuna
    from optuna.trial import TrialState

    finished = [trial for trial in trials if trial.state == "finished"]
    if len(finished) < 4 or len({trial.value for trial in finished}) < 2:
        return {}
    # Stopped trials hold values of fewer epochs: they must not count.
    complete = optuna.create_study(direction=study.direction)
    complete.add_trials(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(complete, evaluator=evaluator))


def importance_figure(shares: dict[str, float]) -> go.Figure:
    """Horizontal bars, the largest on top."""
    import plotly.graph_objects as go

    keys = list(reversed(shares))
    figure = go.Figure(go.Bar(x=[shares[key] for key in keys], y=keys, orientation="h"))
    figure.update_layout(xaxis_title="share of the variance", margin={"l": 220})
    return figure


def _summary(config: Config, best: TrialRecord, trials: list[TrialRecord]) -> str:
    counts = {state: sum(trial.state == state for trial in trials) for state in _COLOURS}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return (
        f"<p>{len(trials)} trials: {told}. Best: trial {best.number}, "
        f"{html.escape(config.tuning.metric)} = {best.value:.4g} after {best.epochs} epochs.</p>"
    )


def _difference_table(config: Config, best: Config) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(key)}</td><td>{html.escape(_told(old))}</td><td>{html.escape(_told(new))}</td></tr>"
        for key, old, new in leaf_differences("", config.model_dump(mode="json"), best.model_dump(mode="json"))
        if key != "name"
    )
    if not rows:
        return "<p>None: no trial did better than the values of the start.</p>"
    return f"<table><tr><th>key</th><th>start</th><th>best</th></tr>{rows}</table>"


def _told(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _failures(trials: list[TrialRecord]) -> str:
    rows = "".join(
        f"<tr><td>{trial.number}</td><td>{html.escape(trial.reason)}</td></tr>" for trial in trials if trial.reason
    )
    return f"<h2>Failed trials</h2><table><tr><th>trial</th><th>reason</th></tr>{rows}</table>" if rows else ""
