"""Misses, false alarms and near misses of the detector, and of the detector with the phoneme verifier behind it.

    python -m benchmarks.verifier [--quick] [--json FILE] [--word W …] [--seeds N] [--folder F] [--write FILE]

The detectors are those of `benchmarks.synthetic_to_real` (stage `words`: trained on synthetic voices alone, judged on
all recordings of val and test); missing ones are trained. Each is judged alone, with the weights that were first set by
eye, and with the weights that are best on the detectors of the *other* words (`benchmarks.synthetic.fusion`). `--write`
chooses on all words and writes the map as the package ships it.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from benchmarks.harness import Bar, markdown_table, run
from benchmarks.synthetic.cascade import TRIGGER_LOGIT, Measured, measured, verifier_of
from benchmarks.synthetic.cells import add_arguments, run_cells
from benchmarks.synthetic.fusion import BY_EYE, GRID, TARGETS, chosen, scaled
from benchmarks.synthetic.judging import CONDITIONS, DISTANCES, figures, judge
from benchmarks.synthetic.material import ALL_STAGES, WORDS, Cell, judging_config, training_config
from benchmarks.synthetic_to_real import line, mean
from wakeword.config import Config
from wakeword.evaluation.cascade.triggers import trigger_index
from wakeword.runtime.fusion import FusionMap
from wakeword.system.files import write_json

ALONE, EYE, CHOSEN = "detector", "+ verifier, weights by eye", "+ verifier, weights of the other words"
COST_WINDOWS = 20

Key = tuple[str, int]
"""Word and seed of a detector."""


def measure(args: argparse.Namespace) -> list[Bar]:
    """All detectors with each second stage, the table, the targets."""
    folder = args.folder / "quick" if args.quick else args.folder
    if len(args.stage) > 1:
        raise SystemExit("the maps of one stage are compared at a time: name one in --stage")
    stage = args.stage[0]
    run_cells([stage], args, judge, line)
    words, seeds = args.word or list(WORDS), range(1 if args.quick else args.seeds)
    judging = judging_config(folder, args.quick)
    found: dict[Key, Measured] = {}
    for word in words:
        for seed in seeds:
            cell = Cell(word, ALL_STAGES[stage], seed, tuple(args.overrides))
            found[word, seed] = measured(cell, training_config(cell, folder, args.quick), judging, folder)
    grid = {key: [judged(one, fusion, judging) for fusion in GRID] for key, one in found.items()}
    rows = [row for key, one in found.items() for row in _rows(key, one, grid, judging)]
    print(table(rows))
    if args.write:
        made = f"best of {len(GRID)} by the misses of detectors of {', '.join(words)}: benchmarks/verifier.py"
        best = GRID[chosen(list(grid.values()))]
        fusion = scaled(best, [(one, judging) for one in found.values()]).model_copy(update={"made": made})
        write_json(args.write, fusion.model_dump(mode="json"))
        print(f"wrote {args.write}: {fusion.weights}")
    return [*bars(rows), *cost_bars(next(iter(found.values())))]


def judged(one: Measured, fusion: FusionMap | None, judging: Config) -> dict[str, Any]:
    """Figures of a detector, alone or with a second stage."""
    fuse = fusion.fused if fusion else None
    return figures(one.judged(one.real(), judging, fuse), one.judged(one.spoken(), judging, fuse), judging)


def _rows(key: Key, one: Measured, grid: dict[Key, list[dict[str, Any]]], judging: Config) -> list[dict[str, Any]]:
    """Figures of one detector without a second stage and with each."""
    word, seed = key
    stages = {ALONE: judged(one, None, judging), EYE: judged(one, BY_EYE, judging)}
    others = [row for (other, _), row in grid.items() if other != word]
    if others:
        stages[CHOSEN] = grid[key][chosen(others)]
    return [{"word": word, "seed": seed, "stage": name, **values} for name, values in stages.items()]


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: a row per word and second stage, means over the seeds, and the means over all."""
    names = list(dict.fromkeys(row["stage"] for row in rows))
    head = ["word", "second stage", *(f"misses {name}" for name in CONDITIONS)]
    head += [*(f"near misses at {name}" for name in DISTANCES), *(f"within limits, {name}" for name in CONDITIONS)]
    lines = []
    for word in [*dict.fromkeys(row["word"] for row in rows), "all"]:
        for name in names:
            own = [row for row in rows if row["stage"] == name and word in (row["word"], "all")]
            shares = [mean(own, "free", "missed", one) for one in CONDITIONS]
            shares += [mean(own, "free", "fired", one) for one in DISTANCES]
            shares += [mean(own, "limited", "missed", one) for one in CONDITIONS]
            lines.append([word, name, *(f"{100 * share:.1f} %" for share in shares)])
    return markdown_table(head, lines)


def bars(rows: list[dict[str, Any]]) -> list[Bar]:
    """Misses of the chosen weights, free and within the limits on near misses; of the detector alone for comparison."""
    found = []
    for stage, aims in ((ALONE, False), (CHOSEN, True)):
        own = [row for row in rows if row["stage"] == stage]
        for rule, targets in TARGETS.items():
            for name, aim in targets.items():
                value = 100 * mean(own, rule, "missed", name)
                if own:
                    found.append(Bar(f"{stage}, {rule}: misses {name}", value, "%", 100 * aim if aims else None))
    return found


def cost_bars(one: Measured) -> list[Bar]:
    """Triggers per minute of speech without the word, and processor time of one trigger."""
    speech = [track for track in one.tracks.values() if track.kind == "speech" and track.condition == "clean"]
    speech = speech or [track for track in one.tracks.values() if track.kind == "speech"]
    level = float(expit(TRIGGER_LOGIT))
    count = sum(len(trigger_index(one.scores[track.name], [one.timing], level)) for track in speech)
    minutes = sum(track.duration_s for track in speech) / 60
    verifier = verifier_of(one.word)
    window = np.random.default_rng(0).normal(0, 0.1, (1, verifier.before_samples + verifier.after_samples))
    times_ms = []
    for _ in range(COST_WINDOWS):
        began = time.process_time()
        verifier.measure(one.word, verifier.log_probs(window.astype(np.float32)))
        times_ms.append(1000 * (time.process_time() - began))
    return [
        Bar("triggers a minute of speech", count / minutes if minutes else float("nan"), "/min", 10.0),
        Bar("processor time of a trigger", float(np.median(times_ms)), "ms", 30.0),
    ]


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_arguments(parser, folder="synthetic-to-real", stages=["words"], seeds=3)
    parser.add_argument("--write", type=Path, help="write a map that is fitted on all words here")


if __name__ == "__main__":
    sys.exit(run("verifier", measure, _arguments))
