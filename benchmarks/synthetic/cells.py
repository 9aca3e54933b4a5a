"""Runs many detectors: clips are prepared first, then each detector is made and judged in a separate process."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT
from benchmarks.synthetic.material import (
    ALL_STAGES,
    MINED_FROM,
    WORDS,
    Cell,
    judging_config,
    mined_folder,
    training_config,
)
from wakeword.config import Config
from wakeword.data.mined import CANDIDATES, decide
from wakeword.mining.find import mine
from wakeword.pipeline import run_pipeline
from wakeword.runtime.bundle import load_bundle
from wakeword.system.files import write_json

Found = dict[str, Any]
Judge = Callable[[Cell, Config, Config], Found]


def run_cells(
    stages: list[str], args: argparse.Namespace, judge: Judge, line: Callable[[Found], str], suffix: str = ""
) -> list[Found]:
    """Figures of each stage, word and seed, in the order in which they are ready; a line is printed for each.

    Args:
        judge: makes and judges one detector from the configs of training and judging.
        suffix: distinguishes the stored figures of other settings of the benchmark.
    """
    folder = args.folder / "quick" if args.quick else args.folder
    words, seeds = args.word or WORDS, range(1 if args.quick else args.seeds)
    cells = [
        Cell(word, ALL_STAGES[stage], seed, tuple(args.overrides))
        for seed in seeds
        for stage in stages
        for word in words
    ]
    run_pipeline(judging_config(folder, args.quick), ["prepare"], runner="local")
    for cell in cells:
        # All seeds of training use the clips of seed 0.
        if cell.seed == 0:
            if cell.stage.mined:
                _mine(cell, folder, args.quick)
            run_pipeline(training_config(cell, folder, args.quick), ["prepare"], runner="local")
    found = []
    # Spawned, since a fork would inherit the threads of the imported libraries.
    with ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        tasks = [pool.submit(_stored, cell, folder, args.quick, judge, suffix) for cell in cells]
        for task in as_completed(tasks):
            found.append(task.result())
            print(line(found[-1]), flush=True)
    return found


def _stored(cell: Cell, folder: Path, quick: bool, judge: Judge, suffix: str) -> Found:
    """Figures of a cell: those in the folder, else computed and written there."""
    import torch

    torch.set_num_threads(1)
    path = folder / "cells" / f"{cell.name}{suffix}.json"
    if path.is_file():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    began_s = time.monotonic()
    found = judge(cell, training_config(cell, folder, quick), judging_config(folder, quick))
    found |= {"word": cell.word, "stage": cell.stage.name, "seed": cell.seed, "seconds": time.monotonic() - began_s}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, found)
    return found


def _mine(cell: Cell, folder: Path, quick: bool) -> None:
    """Mine the train split with the word's detector of stage `MINED_FROM` and seed 0.

    The train split holds no recording of the word, so every stretch that fires becomes a negative without review.
    """
    out = mined_folder(cell, folder)
    if not (out / CANDIDATES).is_file():
        config = training_config(replace(cell, stage=ALL_STAGES[MINED_FROM], seed=0), folder, quick)
        miner = run_pipeline(config, ["prepare", "train", "export"], runner="local")
        mined = mine(load_bundle(miner.bundle_dir), config, miner.prepared_dir, out, runner="local")
        print(f"mined for {cell.word}: {mined.candidates} stretches in {mined.hours:.2f} h, {mined.clusters} clusters")
    decide(out, keep_undecided=True)


def add_arguments(parser: argparse.ArgumentParser, folder: str, stages: list[str], seeds: int) -> None:
    """Words, stages, seeds, processes, folder and overrides of the recipe."""
    parser.add_argument("--word", nargs="+", choices=WORDS)
    parser.add_argument("--stage", nargs="+", choices=list(ALL_STAGES), default=stages)
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--jobs", type=int, default=2, help="detectors at the same time, one thread each")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / folder)
    parser.add_argument("overrides", metavar="key=value", nargs="*", default=[])
