"""The main figures as PNG files for model cards, papers and slides."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wakeword.evaluation.report.tail import draw_tail
from wakeword.evaluation.report.wording import conditions_of
from wakeword.evaluation.results import EvaluationReport, SplitResult, WordResult
from wakeword.pages.figures import GREY, INK, SOFT_INK, colour
from wakeword.system.files import atomic_path

PLOTS = "plots"
_WIDTH, _HEIGHT = 6.4, 4.0
_OTHER_SPEECH = "other speech"
_HISTOGRAMS = ("clean", "10 dB", "far", _OTHER_SPEECH)
"""Clips whose score distribution is drawn."""


def write_plots(report: EvaluationReport, folder: Path) -> list[Path]:
    """Write the figures for which the report has data, atomically, and remove other PNG files of the folder.

    `conditions.png`: missed words by condition at the operating point. `misses.png`: heat map of missed words,
    operating points by conditions. For each word `<label>-det.png`; `<label>-scores.png`, its score
    distributions; and `<label>-tail.png`, the rate of false alarms that the thresholds were chosen by.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with seaborn.axes_style("whitegrid"):
        if any(word.operating.test and word.operating.test.conditions for word in report.words):
            written.append(_save(folder / "conditions.png", partial(_conditions, report=report)))
            frr = miss_table(report)
            height = 1.6 + 0.34 * len(frr)
            written.append(_save(folder / "misses.png", partial(_misses, frr=frr), height))
        for word in report.words:
            test = word.operating.test
            if word.det and test is not None and test.alarms.hours > 0:
                draw = partial(_det, word=word, test=test)
                written.append(_save(folder / f"{word.label}-det.png", draw))
            if word.tail:
                draw = partial(draw_tail, word=word, tail=word.tail)
                written.append(_save(folder / f"{word.label}-tail.png", draw))
            if word.histogram:
                written.append(_save(folder / f"{word.label}-scores.png", partial(_scores, word=word)))
    for path in folder.glob("*.png"):
        if path not in written:
            path.unlink()
    return written


def miss_table(report: EvaluationReport) -> pd.DataFrame:
    """Missed test words in percent: rows are words and false-alarm targets, columns are conditions."""
    names = conditions_of(report)
    rows = {}
    for word in report.words:
        for target in word.targets:
            found = [target.test.condition(name) if target.test else None for name in names]
            rows[f"{_name(word)}, {target.fah_target:g} per hour"] = [
                100 * result.frr if result else np.nan for result in found
            ]
    return pd.DataFrame.from_dict(rows, orient="index", columns=names)


def _save(path: Path, draw: Callable[[Axes], None], height: float = _HEIGHT) -> Path:
    figure = Figure(figsize=(_WIDTH, height), dpi=150, layout="constrained")
    draw(figure.subplots())
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")
    return path


def _name(word: WordResult) -> str:
    """The phrase, with dollar signs escaped for matplotlib."""
    return (word.phrase or word.label).replace("$", r"\$")


def _conditions(axes: Axes, report: EvaluationReport) -> None:
    """Dots with Wilson intervals; seaborn's intervals are those of a mean."""
    step = min(0.15, 0.8 / len(report.words))
    names = conditions_of(report)
    for place, word in enumerate(report.words):
        results = word.operating.test.conditions if word.operating.test else ()
        at = [names.index(result.condition) + (place - (len(report.words) - 1) / 2) * step for result in results]
        frr = np.asarray([result.frr for result in results])
        bounds = np.asarray([result.wilson for result in results]).reshape(-1, 2)
        spread = 100 * np.maximum(0, np.stack([frr - bounds[:, 0], bounds[:, 1] - frr]))
        axes.errorbar(at, 100 * frr, spread, fmt="o", capsize=3, label=_name(word), color=colour(place), clip_on=False)
    axes.set(ylabel="missed words, %", title="at the operating point, test", ylim=(0, None))
    axes.grid(False, axis="x")
    axes.margins(x=0.08)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.legend()


def _misses(axes: Axes, frr: pd.DataFrame) -> None:
    seaborn.heatmap(
        frr,
        ax=axes,
        annot=True,
        fmt=".1f",
        vmin=0,
        vmax=max(10.0, float(np.nanmax(frr.to_numpy()))),
        cmap="rocket_r",
        linewidths=0.5,
        cbar_kws={"label": "missed words, %"},
    )
    axes.set(title="missed words at each target of false alarms, test")
    axes.tick_params(axis="y", rotation=0)
    axes.tick_params(axis="x", rotation=30)


def _det(axes: Axes, word: WordResult, test: SplitResult) -> None:
    hours, parts = test.alarms.hours, []
    for name in (result.condition for result in test.conditions if result.condition in word.det):
        det = word.det[name]
        fah = np.maximum(det.fah, 0.5 / hours)
        corners = {"fah": np.append(fah, max(fah[-1], 100.0)), "frr": 100 * np.append(det.frr, det.frr[-1])}
        parts.append(pd.DataFrame({**corners, "condition": name}))
    curves = pd.concat(parts, ignore_index=True)
    style = {"palette": [colour(place) for place in range(len(parts))], "estimator": None, "drawstyle": "steps-post"}
    seaborn.lineplot(curves, x="fah", y="frr", hue="condition", ax=axes, clip_on=False, **style)
    axes.axvline(word.operating_fah, color=SOFT_INK, linestyle=":", linewidth=1)
    axes.set(xscale="log", xlabel=f"false alarms per hour (left edge: none in {hours:.2f} h)", ylabel="missed words, %")
    axes.set(title=f"{_name(word)}, test", ylim=(0, max(10.0, 1.05 * curves["frr"].max())))
    axes.legend(fontsize="small")


def _scores(axes: Axes, word: WordResult) -> None:
    drawn = {name: word.histogram[name] for name in _HISTOGRAMS if any(word.histogram.get(name, ()))}
    parts = []
    for name, counts in drawn.items():
        edges = np.linspace(0, 1, len(counts) + 1)
        parts.append(pd.DataFrame({"score": (edges[:-1] + edges[1:]) / 2, "clips": counts, "clips of": name}))
    if parts:
        inks = {name: GREY if name == _OTHER_SPEECH else colour(place) for place, name in enumerate(drawn)}
        seaborn.histplot(
            pd.concat(parts, ignore_index=True),
            x="score",
            weights="clips",
            hue="clips of",
            palette=inks,
            bins=len(edges) - 1,
            binrange=(0, 1),
            stat="percent",
            common_norm=False,
            element="step",
            alpha=0.15,
            ax=axes,
        )
        seaborn.move_legend(axes, "upper center")
    axes.axvline(min(word.operating.threshold, 1.0), color=INK, linestyle=":", linewidth=1.2)
    axes.set(xlabel="highest score of the clip (dotted: threshold)", ylabel="clips, %", xlim=(0, 1), ylim=(0, None))
    axes.set(title=f"{_name(word)}, test")
