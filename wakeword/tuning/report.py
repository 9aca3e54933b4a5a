"""The report of a sweep as one HTML page: history, importances, changes of the best trial, next command."""

from __future__ import annotations

import math
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wakeword.config import Config
from wakeword.pages.figures import COLOURS, GREY, styled
from wakeword.pages.page import render
from wakeword.system.files import write_text
from wakeword.tuning.results import TrialRecord, ranked, short
from wakeword.tuning.space import leaf_differences

if TYPE_CHECKING:
    import optuna
    import plotly.graph_objects as go

_COLOURS = {"finished": COLOURS[0], "stopped": GREY, "failed": COLOURS[3], "interrupted": COLOURS[2]}

_AXIS_PX = 150
"""Least width of an axis of the parallel coordinates, below which labels overlap."""


def write_report(
    config: Config, best: Config, study: optuna.Study, trials: list[TrialRecord], path: Path, next_command: str
) -> Path:
    """Write the page atomically, without references to the network.

    Args:
        config: the start config of the sweep.
        best: the config of the best trial.
        study: the study, for the importances.
        trials: all records of the study.
        path: the HTML file.
        next_command: the command line to print.
    """
    order = ranked(trials, config.tuning.mode)
    shares = importances(study, trials)
    counts = {state: sum(trial.state == state for trial in trials) for state in _COLOURS}
    states = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    differences = leaf_differences("", config.model_dump(mode="json"), best.model_dump(mode="json"))
    page = render(
        "sweep.html.j2",
        title=f"Sweep {config.name}",
        heading=f"Sweep {config.name}",
        subtitle=f"{len(trials)} trials: {states}. Best: trial {order[0].number}, {config.tuning.metric} = "
        f"{order[0].value:.4g} after {order[0].epochs} epochs.",
        differences=[(key, short(old), short(new)) for key, old, new in differences if key != "name"],
        next_command=next_command,
        metric=config.tuning.metric,
        history=history_figure(config, trials),
        parallel=parallel_figure(config, order),
        parallel_px=_AXIS_PX * (len(config.tuning.space) + 1),
        importances=importance_figure(shares) if shares else None,
        failures=[(trial.number, trial.reason) for trial in trials if trial.reason],
    )
    write_text(path, page)
    return path


def history_figure(config: Config, trials: list[TrialRecord]) -> go.Figure:
    """The metric of every trial by number and state, and the best value so far."""
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
        x=[number for number, _ in steps],
        y=[value for _, value in steps],
        mode="lines",
        name="best so far",
        line={"shape": "hv", "color": COLOURS[1], "width": 2},
    )
    figure.update_layout(xaxis_title="trial", yaxis_title=config.tuning.metric)
    return styled(figure, 380)


def best_so_far(trials: list[TrialRecord], mode: str) -> list[tuple[int, float]]:
    """(number, best value among the finished trials up to it) for every finished trial, in order of number."""
    finished = sorted((t.number, t.value) for t in trials if t.state == "finished" and t.value is not None)
    best = accumulate((value for _, value in finished), min if mode == "min" else max)
    return [(number, value) for (number, _), value in zip(finished, best, strict=True)]


def parallel_figure(config: Config, order: list[TrialRecord]) -> go.Figure:
    """Parallel coordinates of the finished trials, coloured by the metric."""
    import plotly.graph_objects as go

    axes = [_axis(config, key, order) for key in config.tuning.space]
    metric = [trial.value for trial in order]
    axes.append({"label": config.tuning.metric, "values": metric})
    scale = "Viridis_r" if config.tuning.mode == "min" else "Viridis"
    figure = go.Figure(go.Parcoords(line={"color": metric, "colorscale": scale, "showscale": True}, dimensions=axes))
    # Room for the names of the axes.
    return styled(figure, 420).update_layout(margin={"t": 60, "l": 90})


def _axis(config: Config, key: str, order: list[TrialRecord]) -> dict[str, Any]:
    """An axis of numbers; logarithms for a loguniform range, positions in the list for choices."""
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

    Empty with fewer than four finished trials, or where all have the same value.
    """
    import optuna
    from optuna.trial import TrialState

    finished = [trial for trial in trials if trial.state == "finished"]
    if len(finished) < 4 or len({trial.value for trial in finished}) < 2:
        return {}
    # Without stopped trials, whose values are those of fewer epochs.
    complete = optuna.create_study(direction=study.direction)
    complete.add_trials(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(complete, evaluator=evaluator))


def importance_figure(shares: dict[str, float]) -> go.Figure:
    """Horizontal bars, the largest on top."""
    import plotly.graph_objects as go

    keys = list(reversed(shares))
    figure = go.Figure(go.Bar(x=[shares[key] for key in keys], y=keys, orientation="h", marker={"color": COLOURS[0]}))
    figure.update_xaxes(title="share of the variance")
    figure.update_yaxes(automargin=True)
    return styled(figure, 110 + 34 * len(keys))
