"""Mining as a stage: the detector of the stage before hears the train split, and what it fires on trains the next one.

One detector a word does it, that of seed 0, so that all seeds train on the same clips. The train split holds no
recording of the word (`benchmarks.synthetic.material.training_rows`), so everything that fires is kept unheard.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.synthetic.material import ALL_STAGES, MINED_FROM, Cell, mined_folder, training_config
from wakeword.data.mined import CANDIDATES, decide
from wakeword.mining.find import mine
from wakeword.pipeline import run_pipeline
from wakeword.runtime.bundle import load_bundle


def mine_for(cell: Cell, folder: Path, quick: bool) -> None:
    """Fill `mined_folder` for a cell whose stage trains on what was mined; does nothing for others and when done."""
    out = mined_folder(cell, folder)
    if not cell.stage.mined:
        return
    if not (out / CANDIDATES).is_file():
        config = training_config(replace(cell, stage=ALL_STAGES[MINED_FROM], seed=0), folder, quick)
        miner = run_pipeline(config, ["prepare", "train", "export"], runner="local")
        mined = mine(load_bundle(miner.bundle_dir), config, miner.prepared_dir, out, runner="local")
        print(f"mined for {cell.word}: {mined.candidates} stretches in {mined.hours:.2f} h, {mined.clusters} clusters")
    decide(out, keep_undecided=True)
