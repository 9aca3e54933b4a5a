"""What a teacher of features is worth to a small student: misses on real recordings after training on text alone.

    python -m benchmarks.distillation [--quick] [--json FILE] [--word W …] [--teacher T …] [--seeds N] [key=value …]

`tc_resnet` is trained on the clips of stage `words` of `benchmarks.synthetic_to_real` (synthetic positives, recorded
negatives), without a teacher and with each of `--teacher`, and judged as there: on all recordings of the word in val
and test, at the lowest threshold that keeps 0.5 false alarms per hour. Windows, augmentation and steps are those of the
run without a teacher. Figures are stored in `--folder` and not computed again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import ROOT, Bar, markdown_table, run
from benchmarks.synthetic.judging import CONDITIONS, DISTANCES, judge_bundle
from benchmarks.synthetic.material import ALL_STAGES, WORDS, Cell, judging_config, training_config
from wakeword.config import Config
from wakeword.export.bundle import export_bundle
from wakeword.pipeline import prepared_folder, run_pipeline
from wakeword.runtime.bundle import load_bundle
from wakeword.system.files import write_json
from wakeword.teachers.targets import make_targets
from wakeword.training.loop import train

NONE = "none"
STUDENT = (
    *("model.family=tc_resnet", "model.frame_stride=2", "model.pool_frames=10", "model.width=1", "model.heads=1"),
    *("frontend.n_mels=40", "frontend.window_ms=30", "frontend.f_max_hz=7600", "frontend.mel_scale=htk"),
    *("frontend.floor_db=-80", "training.replay_windows=0"),
)
"""From the recipe of the frozen embedding to that of a student that learns its own features."""


def measure(args: argparse.Namespace) -> list[Bar]:
    """All detectors, the table, the means."""
    import torch

    torch.set_num_threads(1)
    folder = args.folder / "quick" if args.quick else args.folder
    judging = judging_config(folder, args.quick)
    found = []
    for seed in range(1 if args.quick else args.seeds):
        for word in args.word:
            for teacher in (NONE, *args.teacher):
                found.append(_stored(word, teacher, seed, judging, args, folder))
                print(line(found[-1]), flush=True)
    print(table(found, (NONE, *args.teacher)))
    return [
        Bar(f"misses, {name}, teacher {teacher}", 100 * _mean(found, teacher, "missed", name), "%")
        for teacher in (NONE, *args.teacher)
        for name in CONDITIONS
    ]


def _stored(
    word: str, teacher: str, seed: int, judging: Config, args: argparse.Namespace, folder: Path
) -> dict[str, Any]:
    """Figures of a detector: those in the folder, else computed and written there."""
    name = f"{word}-{teacher.replace(':', '-').replace('/', '-')}-{seed}"
    path = folder / "cells" / f"{name}.json"
    if path.is_file():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    taught = () if teacher == NONE else (f"distillation.teacher={teacher}",)
    cell = Cell(word, ALL_STAGES["words"], seed, (*STUDENT, *taught, *args.overrides))
    training = training_config(cell, folder, args.quick).model_copy(update={"name": name})
    prepared = args.prepared or _prepared(training)
    judged = args.judged or _prepared(judging)
    began_s = time.monotonic()
    run_dir = folder / name
    targets = None
    if taught:
        shared = folder / f"targets-{teacher.replace(':', '-').replace('/', '-')}-{word}"
        targets = make_targets(training, prepared, shared, runner="local")
    trained = train(training, prepared, run_dir, targets=targets)
    export_bundle(run_dir, run_dir / "bundle", prepared_dir=prepared)
    found = judge_bundle(load_bundle(run_dir / "bundle"), word, training, judging, prepared, judged)
    found |= {"word": word, "teacher": teacher, "seed": seed, "seconds": time.monotonic() - began_s}
    found |= {"epochs": trained.epochs, "loss_features": trained.metrics.get("loss_features")}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, found)
    return found


def _prepared(config: Config) -> Path:
    run_pipeline(config, ["prepare"], runner="local")
    return prepared_folder(config)


def line(cell: dict[str, Any]) -> str:
    """A detector in one line."""
    missed = " / ".join(_percent(cell["free"]["missed"].get(name)) for name in CONDITIONS)
    fired = " / ".join(_percent(cell["free"]["fired"][name]) for name in DISTANCES)
    return (
        f"{cell['word']} teacher {cell['teacher']} seed {cell['seed']}: misses {missed} % ({' / '.join(CONDITIONS)}), "
        f"near misses that fire {fired} % (1/2/3+), {cell['free']['false_alarms']} false alarms in "
        f"{cell['free']['hours']:.2f} h, {cell['seconds']:.0f} s"
    )


def _percent(pair: list[int] | None) -> str:
    return f"{100 * pair[0] / pair[1]:.1f}" if pair and pair[1] else "-"


def _mean(found: list[dict[str, Any]], teacher: str, part: str, name: str) -> float:
    shares = [
        pair[0] / pair[1]
        for cell in found
        if cell["teacher"] == teacher and (pair := cell["free"][part].get(name)) and pair[1]
    ]
    return float(np.mean(shares)) if shares else float("nan")


def table(found: list[dict[str, Any]], teachers: tuple[str, ...]) -> str:
    """Markdown: a row per teacher, means over words and seeds."""
    head = ["teacher", *(f"misses {name}" for name in CONDITIONS), *(f"near misses at {name}" for name in DISTANCES)]
    rows = []
    for teacher in teachers:
        shares = [_mean(found, teacher, "missed", name) for name in CONDITIONS]
        shares += [_mean(found, teacher, "fired", name) for name in DISTANCES]
        count = sum(cell["teacher"] == teacher for cell in found)
        rows.append([teacher, *(f"{100 * share:.1f} %" for share in shares), str(count)])
    return markdown_table([*head, "detectors"], rows)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Words, teachers, seeds, folders and overrides of the recipe."""
    parser.add_argument("--word", nargs="+", choices=WORDS, default=["jarvis"])
    parser.add_argument("--teacher", nargs="*", default=["hama", "speech_embedding"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "distillation")
    parser.add_argument("--prepared", type=Path, help="clips of the one word, prepared before")
    parser.add_argument("--judged", type=Path, help="judging clips, prepared before")
    parser.add_argument("overrides", metavar="key=value", nargs="*", default=[])


if __name__ == "__main__":
    sys.exit(run("distillation", measure, add_arguments))
