"""Do thresholds transfer: chosen on some hours of negatives, read on other hours of other sources.

    python -m benchmarks.thresholds [--quick] [--json FILE] [--word W …] [--seeds N] [--stage S] [--detectors DIR]

The detectors are those of `benchmarks.synthetic_to_real`, which must be there. For each one and each target, a
threshold is chosen on the speech, noise and other wake words of the val and test recordings, on hours of synthetic
negatives, and on the synthetic words of the detector's own val split: by the rule of version 0.1, by
`wakeword.evaluation.metrics.thresholds`, and by the latter on the fused scores of detector and verifier. It is read on
the hours of `../shared/negatives`, which had no part in making the rule, and on the real words. Scores are stored in
`--folder`, so that a second run takes seconds.
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
from scipy.special import expit, logit

from benchmarks.harness import RECORDINGS, ROOT, Bar, markdown_table, recording_rows, run, write_manifest
from benchmarks.synthetic.cascade import measured_on
from benchmarks.synthetic.judging import CONDITIONS, real_tracks
from benchmarks.synthetic.material import ALL_STAGES, WORDS, judging_config, judging_rows
from wakeword.config import Config, load_config
from wakeword.data.shards import ShardSet
from wakeword.evaluation.cascade.triggers import Fuse
from wakeword.evaluation.metrics.det import lowest_threshold, oracle_threshold
from wakeword.evaluation.metrics.measure import AROUND_WORDS, WordOnSplit
from wakeword.evaluation.metrics.tail import fit_tail, tail_events
from wakeword.evaluation.metrics.threshold_curve import Curve, add_curves
from wakeword.evaluation.metrics.thresholds import choose_threshold
from wakeword.evaluation.statistics.numbers import number, percent
from wakeword.evaluation.tracks.plan import Track, plan_tracks
from wakeword.phonetics.fusion import shipped_fusion
from wakeword.pipeline import prepared_folder, run_pipeline
from wakeword.runtime.bundle import load_bundle

TARGETS = (0.5, 2.0)
MOST_ALARMS = 5
"""False alarms of all detectors together at the first target."""
FACTOR, OF_NINE = 3.0, 8
"""The measured rate lies within this factor of the second target in so many of nine detectors."""
OLD, NEW, VERIFIED = "before", "now", "now, with the verifier"
RULES = (OLD, NEW, VERIFIED)
SPOKEN_HOURS = 1.5


@dataclass(frozen=True)
class Scores:
    """One detector, or one detector with its verifier: on the audio that chooses its threshold, on the negatives that
    read it, and on its val words."""

    chosen_on: WordOnSplit
    read_on: WordOnSplit
    val_words: Curve


@dataclass(frozen=True)
class Detector:
    """One detector, alone and with the verifier."""

    word: str
    seed: int
    alone: Scores
    verified: Scores

    def scores(self, rule: str) -> Scores:
        """The scores that a rule chooses a threshold of."""
        return self.verified if rule == VERIFIED else self.alone


@dataclass(frozen=True)
class Reading:
    """A threshold and what it gives: false alarms on the negatives, misses of the real words per condition."""

    threshold: float
    false_alarms: int
    hours: float
    missed: dict[str, float]


def negatives_config(folder: Path, quick: bool) -> Config:
    """All recordings of `../shared/negatives`, as one test split, and clips of the words, without which nothing is
    prepared; `reading_tracks` leaves those out."""
    source = RECORDINGS.parent / "negatives"
    manifest = folder / "manifests" / "negatives.csv"
    if not manifest.is_file():
        with (source / "manifest.csv").open(newline="", encoding="utf-8") as file:
            # The checksums of this manifest are those of the originals.
            rows = [{**row, "path": str(source / row["path"]), "sha256": ""} for row in csv.DictReader(file)]
        clips = [row for row in judging_rows(recording_rows()) if row["label"] in WORDS]
        same = [{name: row.get(name, "") for name in rows[0]} for row in clips]
        write_manifest([*same, *rows], manifest)
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


def spoken_config(folder: Path, quick: bool) -> Config:
    """Hours of synthetic negatives in several languages, as the recipe of `wakeword new` makes them."""
    return load_config(
        ROOT / "configs" / "demo.yaml",
        [
            "name=spoken",
            f"words=[{', '.join(f'{{label: {word}, phrase: {word}}}' for word in WORDS)}]",
            f"runs_dir={folder}",
            f"synthesis.negative_hours={0.05 if quick else SPOKEN_HOURS}",
            *(f"synthesis.{name}=20" for name in ("clips_per_word", "speech_clips")),
            "synthesis.near_miss_test_clips=0",
            "synthesis.check_words=false",
            "compute.workers=0",
        ],
    )


def spoken_tracks(folder: Path, config: Config) -> list[Track]:
    """Speech and noise of the synthetic hours, of val and test."""
    shards = ShardSet.open(folder)
    found = []
    for split in ("val", "test"):
        plan = plan_tracks({split: shards.table(split)}, split, config.words, config.evaluation, shards.root)
        for track in plan.tracks:
            if track.kind in ("speech", "noise"):
                name = f"spoken/{track.name}"
                found.append(replace(track, name=name, truth=tuple(replace(row, track=name) for row in track.truth)))
    return found


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


def measured(word: str, seed: int, args: argparse.Namespace) -> Detector:
    """Score a detector and measure its triggers on both sets of negatives and on the words of its own val split."""
    folder = args.folder / "quick" if args.quick else args.folder
    run_dir = args.detectors / f"{word}-{args.stage}-{seed}"
    bundle = load_bundle(run_dir / "bundle")
    judging, negatives, spoken = (make(folder, args.quick) for make in CONFIGS)
    stored = folder / "scores" / f"{word}-{seed}-{bundle.manifest.files['model.onnx'].sha256[:12]}"
    choosing = choosing_tracks(prepared_folder(judging), word, judging)
    choosing += spoken_tracks(prepared_folder(spoken), spoken)
    val, val_config = val_tracks(run_dir, word)
    sets = {
        "recordings": (choosing, judging),
        "negatives": (reading_tracks(prepared_folder(negatives), negatives), negatives),
        "val": (val, val_config),
    }
    found = {name: measured_on(bundle, word, tracks, stored / f"{name}.npz") for name, (tracks, _) in sets.items()}

    def scores(fuse: Fuse | None) -> Scores:
        views = {name: one.judged(list(one.tracks), sets[name][1], fuse) for name, one in found.items()}
        return Scores(_without_surroundings(views["recordings"]), views["negatives"], views["val"].words)

    return Detector(word, seed, scores(None), scores(shipped_fusion().fused))


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
    scores = detector.scores(rule)
    view = scores.chosen_on
    if rule == OLD:
        return rule_before(scores.val_words, view.alarms, view.hours, target)
    return choose_threshold(scores.val_words, view.alarms, fit_tail(tail_events(view)), target).threshold


def read(scores: Scores, threshold: float) -> Reading:
    """What a threshold gives on the negatives and on the real words."""
    alarms = int(scores.read_on.alarms.at(threshold)[1])
    missed = {name: float(curve.frr(threshold)) for name, curve in scores.chosen_on.curves.items()}
    return Reading(threshold, alarms, scores.read_on.hours, missed)


def oracle(scores: Scores, target: float) -> Reading:
    """The lowest threshold that keeps the target on the negatives that read it."""
    return read(scores, oracle_threshold(scores.read_on.alarms, np.floor(target * scores.read_on.hours)))


def table(detectors: Sequence[Detector]) -> str:
    """Markdown: per detector, target and rule, false alarms and misses, and those of the oracle threshold."""
    head = ["detector", "target", "rule", "threshold", "false alarms", "per hour"]
    head += [f"missed {name}, oracle" for name in CONDITIONS]
    rows = []
    for one in detectors:
        for target in TARGETS:
            for rule in RULES:
                scores = one.scores(rule)
                found, best = read(scores, chosen(one, rule, target)), oracle(scores, target)
                rows.append(
                    [
                        f"{one.word} {one.seed}",
                        f"{target:g}",
                        rule,
                        f"{found.threshold:.3f}",
                        str(found.false_alarms),
                        number(found.false_alarms / found.hours),
                        *(f"{percent(found.missed[name])}, {percent(best.missed[name])}" for name in CONDITIONS),
                    ]
                )
    return markdown_table(head, rows)


def bars(detectors: Sequence[Detector]) -> list[Bar]:
    """The two bars for each rule, the misses, and those that the caution costs over the oracle threshold."""
    result = []
    for rule in RULES:
        few, some = ([read(one.scores(rule), chosen(one, rule, target)) for one in detectors] for target in TARGETS)
        alarms = sum(part.false_alarms for part in few)
        within = sum(1 / FACTOR <= part.false_alarms / part.hours / TARGETS[1] <= FACTOR for part in some)
        goals = (None, None) if rule == OLD else (float(MOST_ALARMS), OF_NINE * len(detectors) / 9)
        result.append(Bar(f"false alarms at {TARGETS[0]:g} per hour, {rule}", alarms, "in all", goals[0]))
        name = f"detectors within a factor of {FACTOR:g} of {TARGETS[1]:g} per hour, {rule}"
        result.append(Bar(name, within, f"of {len(detectors)}", goals[1], "least"))
        for target, parts in zip(TARGETS, (few, some), strict=True):
            for name in CONDITIONS:
                mean = 100 * float(np.mean([part.missed[name] for part in parts]))
                best = 100 * float(np.mean([oracle(one.scores(rule), target).missed[name] for one in detectors]))
                result.append(Bar(f"misses {name} at {target:g} per hour, {rule}", mean, "%"))
                result.append(Bar(f"over the oracle's, {name} at {target:g} per hour, {rule}", mean - best, "points"))
    return result


CONFIGS = (judging_config, negatives_config, spoken_config)


def measure(args: argparse.Namespace) -> list[Bar]:
    """All detectors that are there, the table, the bars."""
    folder = args.folder / "quick" if args.quick else args.folder
    for make in CONFIGS:
        run_pipeline(make(folder, args.quick), ["prepare"], runner="local")
    found = []
    for word in args.word or WORDS:
        for seed in range(1 if args.quick else args.seeds):
            found.append(measured(word, seed, args))
            print(f"{word} {seed}: scored", flush=True)
    hours, others = found[0].alone.chosen_on.hours, found[0].alone.read_on.hours
    print(f"thresholds chosen on {hours:.2f} h, read on {others:.2f} h\n\n{table(found)}\n")
    return bars(found)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Words, seeds and folders."""
    parser.add_argument("--word", nargs="+", choices=WORDS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--stage", choices=list(ALL_STAGES), default="words")
    parser.add_argument("--detectors", type=Path, default=ROOT / "runs" / "synthetic-to-real")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "thresholds")


if __name__ == "__main__":
    sys.exit(run("thresholds", measure, arguments))
