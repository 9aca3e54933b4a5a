"""The main plots as PNG files, for model cards and slides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wakeword.evaluation.results import EvaluationReport, WordResult
from wakeword.pages.figures import GREY, colour
from wakeword.system.files import atomic_path

PLOTS = "plots"
_SIZE = (6.4, 4.0)


def write_plots(report: EvaluationReport, folder: Path) -> list[Path]:
    """`conditions.png`, and `<label>-det.png` and `<label>-scores.png` for each word that has them; atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with seaborn.axes_style("whitegrid"):
        if any(word.operating.test and word.operating.test.conditions for word in report.words):
            written.append(_save(folder / "conditions.png", _conditions, report))
        for word in report.words:
            test = word.operating.test
            if word.det and test is not None and test.alarms.hours > 0:
                written.append(_save(folder / f"{word.label}-det.png", _det, word))
            if word.histogram:
                written.append(_save(folder / f"{word.label}-scores.png", _scores, word))
    for path in folder.glob("*.png"):
        if path not in written:
            path.unlink()
    return written


def _save(path: Path, draw, what: EvaluationReport | WordResult) -> Path:  # type: ignore[no-untyped-def]
    figure = Figure(figsize=_SIZE, dpi=150, layout="constrained")
    draw(figure.subplots(), what)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")
    return path


def _conditions(axes: Axes, report: EvaluationReport) -> None:
    width = 0.8 / len(report.words)
    names: list[str] = []
    for place, word in enumerate(report.words):
        results = word.operating.test.conditions if word.operating.test else ()
        names = names or [result.condition for result in results]
        at = np.arange(len(results)) + (place - (len(report.words) - 1) / 2) * width
        frr = np.asarray([result.frr for result in results])
        bounds = np.asarray([result.wilson for result in results]).reshape(-1, 2)
        spread = 100 * np.maximum(0, np.stack([frr - bounds[:, 0], bounds[:, 1] - frr]))
        axes.bar(at, 100 * frr, width, yerr=spread, capsize=2, label=word.phrase or word.label, color=colour(place))
    axes.set(ylabel="missed words, %", title="at the operating point, test")
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_ylim(bottom=0)
    axes.legend()


def _det(axes: Axes, word: WordResult) -> None:
    hours = word.operating.test.alarms.hours if word.operating.test else 0.0
    least = 0.5 / hours
    for place, (name, det) in enumerate(word.det.items()):
        x = np.maximum(det.fah, least)
        axes.step(np.append(x, max(x[-1], 100.0)), 100 * np.append(det.frr, det.frr[-1]), where="post", label=name)
        axes.get_lines()[-1].set_color(colour(place))
    axes.axvline(word.operating_fah, color="#5a6472", linestyle=":", linewidth=1)
    axes.set(xscale="log", xlabel=f"false alarms per hour (left edge: none in {hours:.2f} h)", ylabel="missed words, %")
    axes.set(title=f"{word.phrase or word.label}, test", ylim=(0, None))
    axes.legend(fontsize="small")


def _scores(axes: Axes, word: WordResult) -> None:
    for place, (name, counts) in enumerate(word.histogram.items()):
        if name not in ("clean", "10 dB", "far", "other speech"):
            continue
        ink = GREY if name == "other speech" else colour(place)
        edges = np.linspace(0, 1, len(counts) + 1)
        axes.stairs(100 * np.asarray(counts) / max(1, sum(counts)), edges, label=name, color=ink, linewidth=1.6)
    axes.axvline(min(word.operating.threshold, 1.0), color="#1d2430", linestyle=":", linewidth=1.2)
    axes.set(xlabel="highest score of the clip (dotted: threshold)", ylabel="clips, %", xlim=(0, 1), ylim=(0, None))
    axes.set(title=f"{word.phrase or word.label}, test")
    axes.legend(fontsize="small")
