"""Accuracy on real recordings after training on synthesis alone, for each stage of the recipe and with near misses.

    python -m benchmarks.synthetic_to_real [--quick] [--json FILE] [--word W …] [--stage S …] [key=value …]

For each word a detector is trained on synthetic positives (`benchmarks.synthetic.material` lists its clips) and judged
on all recordings of the word in val and test (`benchmarks.synthetic.judging`), with the lowest threshold that keeps 0.5
false alarms per hour there. Figures are stored in `--folder` and not computed again; `key=value` changes the recipe of
all detectors, which then need a separate folder.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import Any

import numpy as np

from benchmarks.harness import Bar, markdown_table, run
from benchmarks.synthetic.cells import add_arguments, run_cells
from benchmarks.synthetic.judging import CONDITIONS, DISTANCES, judge
from benchmarks.synthetic.material import POLICIES, STAGES, WORDS

AIMS = {"clean": 0.08, "10 dB": 0.12, "far + 10 dB": 0.22}
NEAR_AIMS = {"2": 0.3, "3 or more": 0.1}
FINAL = "words"


def measure(args: argparse.Namespace) -> list[Bar]:
    """All detectors, the table, the targets."""
    found = run_cells(args.stage, args, judge, line)
    print(table(found, args.stage))
    return bars(found, args.word or list(WORDS))


def line(cell: dict[str, Any]) -> str:
    """A cell in one line."""
    free = cell["free"]
    missed = " / ".join(_percent(free["missed"].get(name)) for name in CONDITIONS)
    fired = " / ".join(_percent(free["fired"][name]) for name in DISTANCES)
    limited = " / ".join(_percent(cell["limited"]["missed"].get(name)) for name in CONDITIONS)
    return (
        f"{cell['word']} {cell['stage']} seed {cell['seed']}: misses {missed} % ({' / '.join(CONDITIONS)}), near "
        f"misses that fire {fired} % (1/2/3+), own phrase {_percent(free['own_phrase'])} %, within limits {limited} %, "
        f"{free['false_alarms']} false alarms in {free['hours']:.2f} h, {cell['seconds']:.0f} s"
    )


def _percent(pair: list[int] | None) -> str:
    return f"{100 * pair[0] / pair[1]:.0f}" if pair and pair[1] else "-"


def mean(cells: list[dict[str, Any]], rule: str, part: str, name: str) -> float:
    """Mean share over cells (each word and seed weighs the same); NaN without any."""
    shares = [pair[0] / pair[1] for cell in cells if (pair := cell[rule][part].get(name)) and pair[1]]
    return float(np.mean(shares)) if shares else float("nan")


def table(found: list[dict[str, Any]], stages: list[str]) -> str:
    """Markdown: a row per stage, means over words and seeds."""
    head = ["stage", *(f"misses {name}" for name in CONDITIONS), *(f"near misses at {name}" for name in DISTANCES)]
    head += ["own phrase", *(f"within limits, {name}" for name in CONDITIONS), "detectors"]
    rows = []
    for stage in stages:
        cells = [cell for cell in found if cell["stage"] == stage]
        shares = [mean(cells, "free", "missed", name) for name in CONDITIONS]
        shares += [mean(cells, "free", "fired", name) for name in DISTANCES]
        shares.append(float(np.mean([cell["free"]["own_phrase"][0] / cell["free"]["own_phrase"][1] for cell in cells])))
        shares += [mean(cells, "limited", "missed", name) for name in CONDITIONS]
        rows.append([stage, *(f"{100 * share:.1f} %" for share in shares), str(len(cells))])
    return markdown_table(head, rows)


def bars(found: list[dict[str, Any]], words: list[str]) -> list[Bar]:
    """The targets of the final stage, averaged over words and seeds; then each word."""
    final = [cell for cell in found if cell["stage"] == FINAL]
    if not final:
        return [Bar("detectors", len(found), "detectors")]
    result = [
        Bar(f"misses, {name}", 100 * mean(final, "free", "missed", name), "%", 100 * aim) for name, aim in AIMS.items()
    ]
    result += [
        Bar(f"near misses {name} phonemes away that fire", 100 * mean(final, "free", "fired", name), "%", 100 * aim)
        for name, aim in NEAR_AIMS.items()
    ]
    for word in words:
        own = [cell for cell in final if cell["word"] == word]
        result += [
            Bar(f"misses of {word}, {name}", 100 * mean(own, "free", "missed", name), "%") for name in CONDITIONS
        ]
    return result


if __name__ == "__main__":
    usual = [stage.name for stage in (*STAGES, *POLICIES)]
    sys.exit(
        run("synthetic_to_real", measure, partial(add_arguments, folder="synthetic-to-real", stages=usual, seeds=3))
    )
