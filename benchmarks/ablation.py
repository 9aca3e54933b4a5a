"""What each augmentation, source of clips and share of near misses is worth to a phrase alone.

    python -m benchmarks.ablation [--quick] [--json FILE] [--word W …] [--stage S …] [--seeds N] [key=value …]

As `benchmarks.synthetic_to_real`, cell by cell, but each cell's windows are embedded once and the heads learn on them
(`benchmarks.synthetic.kept`), and it is judged at 0, 1, 2 and 4 false alarms in all of the audio: their mean is what
settings are compared by, since the threshold without any hangs on one second. Heads are judged together and one by one.
Cells that are done are kept in `--folder`; `key=value` changes the recipe of all and needs a folder of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import ROOT, Bar, run
from benchmarks.synthetic.cells import asked_cells, run_cells
from benchmarks.synthetic.judging import CONDITIONS, DISTANCES, NEAR_MISS_LIMITS, real_tracks, shares, spoken_tracks
from benchmarks.synthetic.material import (
    ABLATIONS,
    ALL_STAGES,
    WORDS,
    Cell,
    judging_config,
    training_config,
)
from wakeword.config import SAMPLE_RATE_HZ
from wakeword.evaluation.metrics.det import oracle_threshold
from wakeword.evaluation.metrics.measure import WordOnSplit
from wakeword.evaluation.metrics.near_misses import near_miss_floor
from wakeword.pipeline import prepared_folder
from wakeword.runtime.events import EventTiming
from wakeword.system.files import write_json

BASE = "words"
LEAST_POINTS = 0.1
"""What leaving out an augmentation must cost some word: one without any effect costs nothing at all."""
ALARMS = (0, 1, 2, 4)
CHOICES = [name for name in ALL_STAGES if name not in ("no-replay", "longer")]
"""These two are about how a run trains, which is another way here."""


def measure_cell(cell: Cell, folder: Path, quick: bool, steps: int, updates: int) -> dict[str, Any]:
    """One detector's figures: `{"together": …, "heads": […]}`, written beside the others."""
    import torch

    from benchmarks.synthetic.kept import Embedded, Lab

    torch.set_num_threads(1)
    path = folder / "cells" / f"{cell.name}-{steps}-{updates}.json"
    if path.is_file():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    began_s = time.monotonic()
    training, judging = training_config(cell, folder, quick), judging_config(folder, quick)
    prepared, judge = prepared_folder(training), prepared_folder(judging)
    lab = Lab.open(training, prepared)
    lab.fill(steps)
    model = lab.learn(updates)
    step_s = model.step_samples / SAMPLE_RATE_HZ
    detector = training.detector
    timing = EventTiming.from_seconds(step_s, detector.smoothing_s, detector.nms_window_s, detector.refractory_s)
    real = Embedded.of(model, real_tracks(judge, cell.word, judging), folder / "embedded")
    spoken = Embedded.of(model, spoken_tracks(prepared, training), folder / "embedded")
    real_scores, spoken_scores = real.scores(model), spoken.scores(model)
    figures = []
    for column in range(real_scores[0].shape[1]):
        heard = real.heard(real_scores, column, cell.word, judging, timing)
        near = spoken.heard(spoken_scores, column, cell.word, training, timing)
        figures.append(_figures(heard, near))
    found = {"word": cell.word, "stage": cell.stage.name, "seed": cell.seed, "seconds": time.monotonic() - began_s}
    found |= {"together": figures[0], "heads": figures[1:]}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, found)
    return found


def _figures(real: WordOnSplit, spoken: WordOnSplit) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for allowed in ALARMS:
        threshold = oracle_threshold(real.alarms, allowed)
        result[str(allowed)] = {
            "threshold": threshold,
            "missed": _missed(real, threshold),
            "fired": {name: pair[0] / pair[1] for name, pair in shares(spoken, threshold).items() if pair[1]},
        }
    floor = near_miss_floor(spoken.near_misses, NEAR_MISS_LIMITS).threshold
    limited = max(result["0"]["threshold"], floor)
    result["limited"] = {"threshold": limited, "missed": _missed(real, limited)}
    return result


def _missed(real: WordOnSplit, threshold: float) -> dict[str, float]:
    return {name: float(curve.frr(threshold)) for name, curve in real.curves.items()}


def measure(args: argparse.Namespace) -> list[Bar]:
    """All cells, a line each; the table; what leaving out or putting in costs."""
    folder = args.folder / "quick" if args.quick else args.folder
    steps, updates = (4, 4) if args.quick else (args.steps, args.updates)
    stages = list(dict.fromkeys((BASE, *args.stage)))
    work = partial(measure_cell, folder=folder, quick=args.quick, steps=steps, updates=updates)
    found = run_cells(asked_cells(args, stages), folder, args, work, line)
    print(table(found, stages))
    print("\n".join(confirmed(found)))
    return bars(found)


def bars(found: list[dict[str, Any]]) -> list[Bar]:
    """Misses of each stage, and the claim that whatever is on by default helps at least one word."""
    told = [
        Bar(f"{stage}: misses over all conditions and alarms, {rule}", 100 * overall(found, stage, rule), "%")
        for stage in dict.fromkeys(cell["stage"] for cell in found)
        for rule in ("together", "one head")
    ]
    left_out = dict.fromkeys(cell["stage"] for cell in found if cell["stage"].startswith("no-"))
    return told + [
        Bar(
            f"{stage}: what it costs the word that it costs most",
            max(costs(found, stage).values()),
            "points",
            LEAST_POINTS,
            "least",
        )
        for stage in left_out
    ]


def costs(found: list[dict[str, Any]], stage: str) -> dict[str, float]:
    """Word to what a stage misses more of it than the base, in points: heads together and one by one in the mean."""
    result = {}
    for word in sorted({cell["word"] for cell in found}):
        own = [cell for cell in found if cell["word"] == word]
        result[word] = 50 * sum(
            overall(own, stage, rule) - overall(own, BASE, rule) for rule in ("together", "one head")
        )
    return result


def line(cell: dict[str, Any]) -> str:
    """A cell in one line."""
    parts = [f"{allowed} alarms {_three([cell], allowed)}" for allowed in ALARMS]
    means = f"mean {100 * worth([cell], 'together'):.1f} % (one head {100 * worth([cell], 'one head'):.1f} %)"
    return f"{cell['word']} {cell['stage']} seed {cell['seed']}: {', '.join(parts)}, {means}, {cell['seconds']:.0f} s"


def _judged(cells: list[dict[str, Any]], rule: str) -> list[dict[str, Any]]:
    return [one for cell in cells for one in ([cell["together"]] if rule == "together" else cell["heads"])]


def share(cells: list[dict[str, Any]], rule: str, at: int | str, part: str, name: str) -> float:
    """Mean of a figure over cells, at so many false alarms."""
    return float(np.mean([one[str(at)][part][name] for one in _judged(cells, rule) if name in one[str(at)][part]]))


def worth(cells: list[dict[str, Any]], rule: str) -> float:
    """Misses over all conditions and numbers of false alarms: what settings are compared by."""
    return float(np.mean([share(cells, rule, at, "missed", name) for at in ALARMS for name in CONDITIONS]))


def overall(found: list[dict[str, Any]], stage: str, rule: str) -> float:
    """`worth` of a stage, over words and seeds."""
    return worth([cell for cell in found if cell["stage"] == stage], rule)


def table(found: list[dict[str, Any]], stages: list[str]) -> str:
    """Markdown: a row per stage, means over words and seeds."""
    head = ["stage", *(f"{at} alarms" for at in ALARMS), "mean", "one head", *sorted({cell["word"] for cell in found})]
    head += [f"near misses {' / '.join(DISTANCES)}, 1 alarm", "within limits"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for stage in stages:
        cells = [cell for cell in found if cell["stage"] == stage]
        row = [_three(cells, at) for at in ALARMS]
        row += [f"{100 * worth(cells, 'together'):.1f} %", f"{100 * worth(cells, 'one head'):.1f} %"]
        for word in sorted({cell["word"] for cell in found}):
            row.append(f"{100 * worth([cell for cell in cells if cell['word'] == word], 'together'):.1f} %")
        row.append(" / ".join(f"{100 * share(cells, 'together', 1, 'fired', name):.0f}" for name in DISTANCES) + " %")
        row.append(_three(cells, "limited"))
        lines.append("| " + " | ".join([stage, *row]) + " |")
    return "\n".join(lines)


def confirmed(found: list[dict[str, Any]]) -> list[str]:
    """Choose on all words but one, confirm on that one, each in turn: a sentence per word.

    The stage that misses least on the others is chosen; what it misses on the word left out stands beside the base's.
    """
    words = sorted({cell["word"] for cell in found})
    stages = list(dict.fromkeys(cell["stage"] for cell in found))
    lines = []
    for word in words if len(words) > 1 else []:
        others = [cell for cell in found if cell["word"] != word]
        best = min(stages, key=lambda stage: overall(others, stage, "together"))
        own = [cell for cell in found if cell["word"] == word]
        chosen, base = (100 * overall(own, stage, "together") for stage in (best, BASE))
        lines.append(f"chosen without {word}: {best}; it misses {chosen:.1f} % of {word}, {BASE} {base:.1f} %")
    return lines


def _three(cells: list[dict[str, Any]], at: int | str) -> str:
    return " / ".join(f"{100 * share(cells, 'together', at, 'missed', name):.1f}" for name in CONDITIONS) + " %"


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--word", nargs="+", choices=WORDS)
    parser.add_argument("--stage", nargs="+", choices=CHOICES, default=[stage.name for stage in ABLATIONS])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="cells side by side, one thread each")
    parser.add_argument("--steps", type=int, default=160, help="batches of windows that are embedded")
    parser.add_argument("--updates", type=int, default=480, help="updates of the heads")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "ablation")
    parser.add_argument("overrides", metavar="key=value", nargs="*", default=[])


if __name__ == "__main__":
    sys.exit(run("ablation", measure, _arguments))
