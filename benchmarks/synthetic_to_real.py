"""From text alone to real people: what each stage of the recipe gives, and what near misses cost.

    python -m benchmarks.synthetic_to_real [--quick] [--json FILE] [--word W …] [--stage S …] [key=value …]

For each word a detector is trained from synthesis alone (`benchmarks.synthetic.material` says what it hears) and judged
on all recordings of the word in val and test (`benchmarks.synthetic.judging`), with the lowest threshold that keeps 0.5
false alarms per hour there. Cells that are done are kept in `--folder` and not done again; `key=value` changes the
recipe of all cells, which then need a folder of their own.
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
from benchmarks.synthetic.judging import CONDITIONS, DISTANCES, judge
from benchmarks.synthetic.material import (
    ALL_STAGES,
    POLICIES,
    STAGES,
    WORDS,
    Cell,
    judging_config,
    training_config,
)
from wakeword.pipeline import prepared_folder, run_pipeline
from wakeword.system.files import write_json

AIMS = {"clean": 0.08, "10 dB": 0.12, "far + 10 dB": 0.22}
NEAR_AIMS = {"2": 0.3, "3 or more": 0.1}
FINAL = "words"


def train_and_judge(cell: Cell, folder: Path, quick: bool) -> dict[str, Any]:
    """One detector: trained (or found), exported, judged; its figures are written beside it."""
    import torch

    torch.set_num_threads(1)
    path = folder / "cells" / f"{cell.name}.json"
    if path.is_file():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    began_s = time.monotonic()
    training, judging = training_config(cell, folder, quick), judging_config(folder, quick)
    result = run_pipeline(training, ["prepare", "train", "export"], runner="local")
    found = judge(result.bundle_dir, result.prepared_dir, prepared_folder(judging), cell.word, (training, judging))
    found |= {"word": cell.word, "stage": cell.stage.name, "seed": cell.seed, "seconds": time.monotonic() - began_s}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, found)
    return found


def measure(args: argparse.Namespace) -> list[Bar]:
    """All cells, the table, the bars."""
    folder = args.folder / "quick" if args.quick else args.folder
    work = partial(train_and_judge, folder=folder, quick=args.quick)
    found = run_cells(asked_cells(args, args.stage), folder, args, work, line)
    print(table(found, args.stage))
    return bars(found, args.word or list(WORDS))


def line(cell: dict[str, Any]) -> str:
    """A cell in one line."""
    told = cell["free"]
    missed = " / ".join(_percent(told["missed"].get(name)) for name in CONDITIONS)
    fired = " / ".join(_percent(told["fired"][name]) for name in DISTANCES)
    limited = " / ".join(_percent(cell["limited"]["missed"].get(name)) for name in CONDITIONS)
    return (
        f"{cell['word']} {cell['stage']} seed {cell['seed']}: misses {missed} % ({' / '.join(CONDITIONS)}), near "
        f"misses that fire {fired} % (1/2/3+), own phrase {_percent(told['own_phrase'])} %, within limits {limited} %, "
        f"{told['false_alarms']} false alarms in {told['hours']:.2f} h, {cell['seconds']:.0f} s"
    )


def _percent(pair: list[int] | None) -> str:
    return f"{100 * pair[0] / pair[1]:.0f}" if pair and pair[1] else "-"


def mean(cells: list[dict[str, Any]], rule: str, part: str, name: str) -> float:
    """Mean share over cells (each word and seed weighs the same); NaN without any."""
    shares = [pair[0] / pair[1] for cell in cells if (pair := cell[rule][part].get(name)) and pair[1]]
    return float(np.mean(shares)) if shares else float("nan")


def table(found: list[dict[str, Any]], stages: list[str]) -> str:
    """Markdown: a row per stage, means over words and seeds, and the spread of the seeds."""
    head = ["stage", *(f"misses {name}" for name in CONDITIONS), *(f"near misses at {name}" for name in DISTANCES)]
    head += ["own phrase", *(f"within limits, {name}" for name in CONDITIONS), "detectors"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for stage in stages:
        cells = [cell for cell in found if cell["stage"] == stage]
        shares = [mean(cells, "free", "missed", name) for name in CONDITIONS]
        shares += [mean(cells, "free", "fired", name) for name in DISTANCES]
        shares.append(float(np.mean([cell["free"]["own_phrase"][0] / cell["free"]["own_phrase"][1] for cell in cells])))
        shares += [mean(cells, "limited", "missed", name) for name in CONDITIONS]
        values = [f"{100 * share:.1f} %" for share in shares]
        lines.append("| " + " | ".join([stage, *values, str(len(cells))]) + " |")
    return "\n".join(lines)


def bars(found: list[dict[str, Any]], words: list[str]) -> list[Bar]:
    """The aims, on the final stage, averaged over words and seeds; then each word."""
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


def _arguments(parser: argparse.ArgumentParser) -> None:
    usual = [stage.name for stage in (*STAGES, *POLICIES)]
    parser.add_argument("--word", nargs="+", choices=WORDS)
    parser.add_argument(
        "--stage", nargs="+", choices=list(ALL_STAGES), default=usual, help="default: all but ablations"
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="detectors that train side by side, one thread each")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "synthetic-to-real")
    parser.add_argument("overrides", metavar="key=value", nargs="*", default=[])


if __name__ == "__main__":
    sys.exit(run("synthetic_to_real", measure, _arguments))
