"""Do thresholds transfer: chosen on about an hour of negatives, read on other hours of other sources.

    python -m benchmarks.thresholds [--quick] [--json FILE] [--word W …] [--seeds N] [--detectors DIR]

The detectors are those of `benchmarks.synthetic_to_real` (stage "words"), which must be there. For each one and each
target, a threshold is chosen on the speech, noise and other wake words of the val and test recordings, and on the
synthetic words of the detector's own val split: by `wakeword.evaluation.metrics.thresholds`, and by the rule before it.
It is read on the hours of `../shared/negatives`, which had no part in making the rule, and on the real words. Scores
are stored in `--folder`, so that a second run takes seconds.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from benchmarks.harness import RECORDINGS, ROOT, Bar, detect_on, markdown_table, run, timing_of, write_manifest
from benchmarks.synthetic.judging import CONDITIONS, real_tracks
from benchmarks.synthetic.material import WORDS, judging_config
from wakeword.config import Config, load_config
from wakeword.data.shards import ShardSet
from wakeword.evaluation.metrics.det import lowest_threshold, oracle_threshold
from wakeword.evaluation.metrics.measure import AROUND_WORDS, WordOnSplit
from wakeword.evaluation.metrics.tail import fit_tail, tail_events
from wakeword.evaluation.metrics.threshold_curve import Curve, add_curves
from wakeword.evaluation.metrics.thresholds import choose_threshold
from wakeword.evaluation.scoring.run import score_tracks
from wakeword.evaluation.statistics.numbers import number, percent
from wakeword.evaluation.tracks.plan import Track, plan_tracks
from wakeword.pipeline import prepared_folder, run_pipeline
from wakeword.runtime.bundle import Bundle, load_bundle
from wakeword.system.files import atomic_path

STAGE = "words"
TARGETS = (0.5, 2.0)
MOST_ALARMS = 5
"""False alarms of all detectors together at the first target."""
FACTOR, OF_NINE = 3.0, 8
"""The measured rate lies within this factor of the second target in so many of nine detectors."""
OLD, NEW = "before", "now"


@dataclass(frozen=True)
class Detector:
    """One detector: on the recordings that choose its threshold, on the negatives that read it, and its val words."""

    word: str
    seed: int
    chosen_on: WordOnSplit
    read_on: WordOnSplit
    val_words: Curve


@dataclass(frozen=True)
class Reading:
    """A threshold and what it gives: false alarms on the negatives, misses of the real words per condition."""

    threshold: float
    false_alarms: int
    hours: float
    missed: dict[str, float]


def negatives_config(folder: Path, quick: bool) -> Config:
    """All recordings of `../shared/negatives`, as one test split."""
    source = RECORDINGS.parent / "negatives"
    manifest = folder / "manifests" / "negatives.csv"
    if not manifest.is_file():
        with (source / "manifest.csv").open(newline="", encoding="utf-8") as file:
            write_manifest([{**row, "path": str(source / row["path"])} for row in csv.DictReader(file)], manifest)
    return load_config(
        ROOT / "configs" / "real.yaml",
        [
            "name=negatives",
            f"words=[{', '.join(f'{{label: {word}}}' for word in WORDS)}]",
            f"runs_dir={folder}",
            f"data.sources=[{{type: csv, uri: {manifest}{', limit: 60' if quick else ''}}}]",
            *(f"evaluation.{name}=[]" for name in ("snr_db", "noise_kinds", "codecs")),
            "evaluation.near=false",
            "evaluation.far=false",
        ],
    )


def choosing_tracks(folder: Path, word: str, config: Config) -> list[Track]:
    """Real clips of the word in all conditions, other wake words, speech and noise of the val and test recordings."""
    shards = ShardSet.open(folder)
    plan = plan_tracks({"test": shards.table("test")}, "test", config.words, config.evaluation, shards.root)
    others = [track for track in plan.tracks if track.kind == "positives" and track.word != word]
    negatives = [track for track in plan.tracks if track.kind in ("speech", "noise")]
    own = [track for track in real_tracks(folder, word, config) if track.kind == "positives"]
    return [*own, *(track for track in others if track.condition == "clean"), *negatives]


def reading_tracks(folder: Path, config: Config) -> list[Track]:
    """Speech, music and noise of `../shared/negatives`."""
    shards = ShardSet.open(folder)
    plan = plan_tracks({"test": shards.table("test")}, "test", config.words, config.evaluation, shards.root)
    return [track for track in plan.tracks if track.kind in ("speech", "noise")]


def val_tracks(run_dir: Path, word: str) -> tuple[list[Track], Config]:
    """Synthetic words of a detector's own val split, clean and at 10 dB, and its config."""
    config = load_config(run_dir / "config.yaml")
    stages = json.loads((run_dir / "run.json").read_text(encoding="utf-8"))["stages"]
    shards = ShardSet.open(run_dir.parent / stages["prepare"]["folder"])
    plain = config.evaluation.model_copy(update={"near": False, "far": False, "codecs": (), "snr_db": (10.0,)})
    tables = {"val": shards.table("val")}
    plan = plan_tracks(tables, "val", config.words, plain, shards.root)
    return [track for track in plan.tracks if track.word == word], config


def scored(bundle: Bundle, tracks: list[Track], word: str, path: Path) -> list[NDArray[np.float32]]:
    """Scores of the word, `(n,)` per track, from the file or computed and stored there."""
    if not path.is_file():
        column = bundle.labels.index(word)
        scores = [values[:, column] for values in score_tracks(bundle, tracks, workers=1)]
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **{f"{place}": values for place, values in enumerate(scores)})
    with np.load(path, allow_pickle=False) as stored:
        return [stored[f"{place}"] for place in range(len(tracks))]


def measured(word: str, seed: int, args: argparse.Namespace) -> Detector:
    """Score a detector on both sets of recordings and on the words of its own val split."""
    folder = args.folder / "quick" if args.quick else args.folder
    run_dir = args.detectors / f"{word}-{STAGE}-{seed}"
    bundle = load_bundle(run_dir / "bundle")
    judging, negatives = judging_config(folder, args.quick), negatives_config(folder, args.quick)
    stored = folder / "scores" / f"{word}-{seed}-{bundle.manifest.files['model.onnx'].sha256[:12]}"

    def view(name: str, tracks: list[Track], config: Config) -> WordOnSplit:
        scores = scored(bundle, tracks, word, stored / f"{name}.npz")
        return detect_on(tracks, scores, word, timing_of(bundle.manifest, bundle.step_s), config)

    return Detector(
        word,
        seed,
        _without_surroundings(view("recordings", choosing_tracks(prepared_folder(judging), word, judging), judging)),
        view("negatives", reading_tracks(prepared_folder(negatives), negatives), negatives),
        view("val", *val_tracks(run_dir, word)).words,
    )


def _without_surroundings(view: WordOnSplit) -> WordOnSplit:
    """Without the audio around the words, whose places in recordings are estimates."""
    kept = {kind: part for kind, part in view.negatives.items() if kind != AROUND_WORDS}
    alarms, hours = add_curves(part.alarms for part in kept.values()), sum(part.hours for part in kept.values())
    return replace(view, negatives=kept, alarms=alarms, hours=hours)


def rule_before(words: Curve, alarms: Curve, hours: float, target: float) -> float:
    """The rule of version 0.1: half-way in log odds between the highest false alarms and the words."""
    floor, blocked = lowest_threshold(alarms, np.floor(target * hours + 1e-9))
    least = float(np.nextafter(floor, np.inf)) if blocked else 0.0
    enough = words.hits >= int(words.at(least)[0]) - np.floor(0.01 * words.words)
    ceiling = float(words.threshold[np.flatnonzero(enough & (words.threshold >= least))[-1]])
    if not blocked:
        below = alarms.threshold[(alarms.false_alarms > 0) & (alarms.threshold <= ceiling)]
        floor = float(below[-1]) if len(below) else 0.0
    middle = float(expit(np.mean(logit(np.clip([floor, ceiling], 1e-3, 1 - 1e-3)))))
    return min(max(middle, least), ceiling)


def chosen(detector: Detector, rule: str, target: float) -> float:
    """The threshold of one rule for one target."""
    view = detector.chosen_on
    if rule == OLD:
        return rule_before(detector.val_words, view.alarms, view.hours, target)
    return choose_threshold(detector.val_words, view.alarms, fit_tail(tail_events(view)), target).threshold


def read(detector: Detector, threshold: float) -> Reading:
    """What a threshold gives on the negatives and on the real words."""
    alarms = int(detector.read_on.alarms.at(threshold)[1])
    missed = {name: float(curve.frr(threshold)) for name, curve in detector.chosen_on.curves.items()}
    return Reading(threshold, alarms, detector.read_on.hours, missed)


def table(detectors: Sequence[Detector]) -> str:
    """Markdown: per detector and target, false alarms and misses of both rules, and of the oracle threshold."""
    head = [
        "detector",
        "target",
        "false alarms before",
        "now",
        *(f"missed {name}, before / now / oracle" for name in CONDITIONS),
    ]
    rows = []
    for one in detectors:
        for target in TARGETS:
            oracle = read(one, oracle_threshold(one.read_on.alarms, np.floor(target * one.read_on.hours)))
            before, now = (read(one, chosen(one, rule, target)) for rule in (OLD, NEW))
            misses = [" / ".join(percent(part.missed[name]) for part in (before, now, oracle)) for name in CONDITIONS]
            counts = [
                f"{part.false_alarms} ({number(part.false_alarms / part.hours)} per hour)" for part in (before, now)
            ]
            rows.append([f"{one.word} {one.seed}", f"{target:g}", *counts, *misses])
    return markdown_table(head, rows)


def bars(detectors: Sequence[Detector]) -> list[Bar]:
    """The two bars for both rules, and the misses that the caution costs over the oracle threshold."""
    result = []
    for rule in (OLD, NEW):
        few, some = ([read(one, chosen(one, rule, target)) for one in detectors] for target in TARGETS)
        alarms = sum(part.false_alarms for part in few)
        within = sum(1 / FACTOR <= part.false_alarms / part.hours / TARGETS[1] <= FACTOR for part in some)
        goals = (float(MOST_ALARMS), OF_NINE * len(detectors) / 9) if rule == NEW else (None, None)
        result.append(Bar(f"false alarms at {TARGETS[0]:g} per hour, {rule}", alarms, "in all", goals[0]))
        name = f"detectors within a factor of {FACTOR:g} of {TARGETS[1]:g} per hour, {rule}"
        result.append(Bar(name, within, f"of {len(detectors)}", goals[1], "least"))
        for target, parts in zip(TARGETS, (few, some), strict=True):
            result += [_cost(detectors, parts, rule, target, name) for name in CONDITIONS]
    return result


def _cost(detectors: Sequence[Detector], parts: Sequence[Reading], rule: str, target: float, condition: str) -> Bar:
    oracle = [
        read(one, oracle_threshold(one.read_on.alarms, np.floor(target * one.read_on.hours))).missed[condition]
        for one in detectors
    ]
    more = np.mean([part.missed[condition] for part in parts]) - np.mean(oracle)
    return Bar(f"misses over the oracle's, {condition}, at {target:g} per hour, {rule}", 100 * float(more), "points")


def measure(args: argparse.Namespace) -> list[Bar]:
    """All detectors that are there, the table, the bars."""
    folder = args.folder / "quick" if args.quick else args.folder
    for make in (judging_config, negatives_config):
        run_pipeline(make(folder, args.quick), ["prepare"], runner="local")
    found = []
    for word in args.word or WORDS:
        for seed in range(1 if args.quick else args.seeds):
            found.append(measured(word, seed, args))
            print(f"{word} {seed}: scored", flush=True)
    hours = found[0].chosen_on.hours
    print(f"thresholds chosen on {hours:.2f} h, read on {found[0].read_on.hours:.2f} h\n\n{table(found)}\n")
    return bars(found)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Words, seeds and folders."""
    parser.add_argument("--word", nargs="+", choices=WORDS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--detectors", type=Path, default=ROOT / "runs" / "synthetic-to-real")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "thresholds")


if __name__ == "__main__":
    sys.exit(run("thresholds", measure, arguments))
