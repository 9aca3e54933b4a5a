"""Effect of each augmentation, source of clips and share of near misses on a detector trained on synthesis alone.

    python -m benchmarks.ablation [--quick] [--json FILE] [--word W …] [--stage S …] [--seeds N] [key=value …]

As `benchmarks.synthetic_to_real`, but each detector's windows are embedded once and the heads train on the embeddings
(`benchmarks.synthetic.kept`). Settings are compared by the mean of the misses at 0, 1, 2 and 4 false alarms in all of
the audio, since the threshold for none depends on a single second. Heads are judged together and one by one. Figures
are stored in `--folder`; `key=value` changes the recipe of all detectors and needs a separate folder.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Bar, markdown_table, run
from benchmarks.synthetic import cells
from benchmarks.synthetic.judging import (
    CONDITIONS,
    DISTANCES,
    NEAR_MISS_LIMITS,
    fired_shares,
    misses,
    real_tracks,
    spoken_tracks,
)
from benchmarks.synthetic.material import ABLATIONS, Cell
from wakeword.config import SAMPLE_RATE_HZ, Config
from wakeword.evaluation.metrics.det import oracle_threshold
from wakeword.evaluation.metrics.measure import WordOnSplit
from wakeword.evaluation.metrics.near_misses import near_miss_floor
from wakeword.pipeline import prepared_folder
from wakeword.runtime.events import EventTiming

BASE = "words"
LEAST_POINTS = 0.1
"""Points of misses by which leaving out an augmentation must raise those of at least one word."""
ALARMS = (0, 1, 2, 4)
RULES = ("together", "one head")


def judge_cell(cell: Cell, training: Config, judging: Config, folder: Path, steps: int, updates: int) -> dict[str, Any]:
    """One detector's figures: `{"together": …, "heads": […]}`."""
    from benchmarks.synthetic.kept import Embedded, Lab

    prepared = prepared_folder(training)
    lab = Lab.open(training, prepared)
    lab.fill(steps)
    model = lab.learn(updates)
    step_s = model.step_samples / SAMPLE_RATE_HZ
    detector = training.detector
    timing = EventTiming.from_seconds(step_s, detector.smoothing_s, detector.nms_window_s, detector.refractory_s)
    real = Embedded.of(model, real_tracks(prepared_folder(judging), cell.word, judging), folder)
    spoken = Embedded.of(model, spoken_tracks(prepared, training), folder)
    real_scores, spoken_scores = real.scores(model), spoken.scores(model)
    figures = [
        _figures(
            real.detect(real_scores, column, cell.word, judging, timing),
            spoken.detect(spoken_scores, column, cell.word, training, timing),
        )
        for column in range(real_scores[0].shape[1])
    ]
    return {"together": figures[0], "heads": figures[1:]}


def _figures(real: WordOnSplit, spoken: WordOnSplit) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for allowed in ALARMS:
        threshold = oracle_threshold(real.alarms, allowed)
        fired = {name: pair[0] / pair[1] for name, pair in fired_shares(spoken, threshold).items() if pair[1]}
        result[str(allowed)] = {"threshold": threshold, "missed": misses(real, threshold), "fired": fired}
    floor = near_miss_floor(spoken.near_misses, NEAR_MISS_LIMITS).threshold
    limited = max(result["0"]["threshold"], floor)
    result["limited"] = {"threshold": limited, "missed": misses(real, limited)}
    return result


def measure(args: argparse.Namespace) -> list[Bar]:
    """All detectors, a line each; the table; the effect of each setting."""
    steps, updates = (4, 4) if args.quick else (args.steps, args.updates)
    stages = list(dict.fromkeys((BASE, *args.stage)))
    judge = partial(judge_cell, folder=args.folder / "embedded", steps=steps, updates=updates)
    found = cells.run_cells(stages, args, judge, line, f"-{steps}-{updates}")
    print(table(found, stages))
    print("\n".join(confirmed(found)))
    return bars(found)


def bars(found: list[dict[str, Any]]) -> list[Bar]:
    """Misses of each stage; as a target, each augmentation of the recipe helps at least one word."""
    stages = list(dict.fromkeys(cell["stage"] for cell in found))
    result = [
        Bar(f"{stage}: misses over all conditions and alarms, {rule}", 100 * overall(found, stage, rule), "%")
        for stage in stages
        for rule in RULES
    ]
    for stage in stages:
        if stage.startswith("no-"):
            most = max(costs(found, stage).values())
            result.append(Bar(f"{stage}: largest increase of a word's misses", most, "points", LEAST_POINTS, "least"))
    return result


def costs(found: list[dict[str, Any]], stage: str) -> dict[str, float]:
    """Per word, how many points more a stage misses than the base: mean of heads together and one by one."""
    result = {}
    for word in sorted({cell["word"] for cell in found}):
        own = [cell for cell in found if cell["word"] == word]
        result[word] = 50 * sum(overall(own, stage, rule) - overall(own, BASE, rule) for rule in RULES)
    return result


def line(cell: dict[str, Any]) -> str:
    """A cell in one line."""
    parts = [f"{allowed} alarms {_three([cell], allowed)}" for allowed in ALARMS]
    means = (
        f"mean {100 * mean_misses([cell], 'together'):.1f} % (one head {100 * mean_misses([cell], 'one head'):.1f} %)"
    )
    return f"{cell['word']} {cell['stage']} seed {cell['seed']}: {', '.join(parts)}, {means}, {cell['seconds']:.0f} s"


def _judged(cells: list[dict[str, Any]], rule: str) -> list[dict[str, Any]]:
    return [one for cell in cells for one in ([cell["together"]] if rule == "together" else cell["heads"])]


def share(cells: list[dict[str, Any]], rule: str, at: int | str, part: str, name: str) -> float:
    """Mean of a figure over cells at a number of false alarms."""
    return float(np.mean([one[str(at)][part][name] for one in _judged(cells, rule) if name in one[str(at)][part]]))


def mean_misses(cells: list[dict[str, Any]], rule: str) -> float:
    """Misses over all conditions and numbers of false alarms, by which settings are compared."""
    return float(np.mean([share(cells, rule, at, "missed", name) for at in ALARMS for name in CONDITIONS]))


def overall(found: list[dict[str, Any]], stage: str, rule: str) -> float:
    """`mean_misses` of a stage, over words and seeds."""
    return mean_misses([cell for cell in found if cell["stage"] == stage], rule)


def table(found: list[dict[str, Any]], stages: list[str]) -> str:
    """Markdown: a row per stage, means over words and seeds."""
    head = ["stage", *(f"{at} alarms" for at in ALARMS), "mean", "one head", *sorted({cell["word"] for cell in found})]
    head += [f"near misses {' / '.join(DISTANCES)}, 1 alarm", "within limits"]
    rows = []
    for stage in stages:
        cells = [cell for cell in found if cell["stage"] == stage]
        row = [_three(cells, at) for at in ALARMS]
        row += [f"{100 * mean_misses(cells, 'together'):.1f} %", f"{100 * mean_misses(cells, 'one head'):.1f} %"]
        for word in sorted({cell["word"] for cell in found}):
            row.append(f"{100 * mean_misses([cell for cell in cells if cell['word'] == word], 'together'):.1f} %")
        row.append(" / ".join(f"{100 * share(cells, 'together', 1, 'fired', name):.0f}" for name in DISTANCES) + " %")
        row.append(_three(cells, "limited"))
        rows.append([stage, *row])
    return markdown_table(head, rows)


def confirmed(found: list[dict[str, Any]]) -> list[str]:
    """For each word: the stage with the fewest misses on the other words, and its misses on this word."""
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
    cells.add_arguments(parser, "ablation", [stage.name for stage in ABLATIONS], seeds=1)
    parser.add_argument("--steps", type=int, default=160, help="batches of windows that are embedded")
    parser.add_argument("--updates", type=int, default=480, help="updates of the heads")


if __name__ == "__main__":
    sys.exit(run("ablation", measure, _arguments))
