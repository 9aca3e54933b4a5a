"""Many detectors: their clips are prepared, then each is made and judged in a process of its own, several at a time."""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from benchmarks.synthetic.material import ALL_STAGES, WORDS, Cell, judging_config, training_config
from benchmarks.synthetic.mining import mine_for
from wakeword.pipeline import run_pipeline

Found = dict[str, Any]


def asked_cells(args: argparse.Namespace, stages: list[str]) -> list[Cell]:
    """A cell for each seed, stage and word; `--quick` has one seed."""
    seeds = range(1 if args.quick else args.seeds)
    words, extra = args.word or WORDS, tuple(args.overrides)
    return [Cell(word, ALL_STAGES[stage], seed, extra) for seed in seeds for stage in stages for word in words]


def run_cells(
    cells: list[Cell],
    folder: Path,
    args: argparse.Namespace,
    work: Callable[[Cell], Found],
    line: Callable[[Found], str],
) -> list[Found]:
    """What `work` finds of each cell, in the order in which they end; a line is printed for each."""
    run_pipeline(judging_config(folder, args.quick), ["prepare"], runner="local")
    for cell in cells:
        # Seeds of training share their clips: only the first has something to prepare.
        if cell.seed == 0:
            mine_for(cell, folder, args.quick)
            run_pipeline(training_config(cell, folder, args.quick), ["prepare"], runner="local")
    found = []
    # Fresh processes: a fork would inherit the threads of what was imported here.
    with ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for task in as_completed([pool.submit(work, cell) for cell in cells]):
            found.append(task.result())
            print(line(found[-1]), flush=True)
    return found
