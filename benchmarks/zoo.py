"""Every model family on the same real recordings: misses, cost and training time, in a table and a plot.

    python -m benchmarks.zoo [--quick | --costs] [--json FILE] [--family NAME[:key=value,…] …] [--seeds N] [key=value …]

Each family is trained by the recipe of configs/real.yaml ("computer" and "jarvis"): the same clips, windows,
augmentation, steps and learning rate, for `--seeds` seeds. The test recordings judge it: the share of words that are
missed over all conditions, at the lowest threshold that keeps 0.5 and 1 false alarm per hour on these recordings (an
oracle, as in published figures), with the interval over speakers. `--family bc_resnet:width=2` takes other values of
the section `model`. Figures are stored in `--folder` and not computed again; `key=value` changes the recipe of all and
needs a folder of its own. The plot is written beside the JSON, else into the folder. `--costs` counts weights,
multiplications and state of untrained networks, and trains nothing.

Limit: the recipe was chosen for `tc_resnet`; another family may do better with another learning rate or more epochs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import (
    ROOT,
    Bar,
    detect_on,
    markdown_table,
    python,
    recording_rows,
    run,
    timing_of,
    write_manifest,
)
from wakeword.config import SAMPLE_RATE_HZ, Config, load_config
from wakeword.data.shards import ShardSet
from wakeword.evaluation.metrics.det import oracle_threshold
from wakeword.evaluation.metrics.measure import WordOnSplit
from wakeword.evaluation.metrics.threshold_curve import outcome
from wakeword.evaluation.scoring.run import score_tracks
from wakeword.evaluation.statistics.intervals import Interval, bootstrap_mean
from wakeword.evaluation.tracks.plan import plan_tracks
from wakeword.models.cost import model_cost
from wakeword.models.families import families
from wakeword.models.streaming import StreamingModel
from wakeword.pipeline import PipelineResult, prepared_folder, run_pipeline
from wakeword.runtime.bundle import Bundle, load_bundle
from wakeword.system.files import atomic_path, write_json, write_text
from wakeword.training.checkpoint import load_trained

TARGETS_FAH = (0.5, 1.0)
SIZES = {"mobilenet_v3": "width=0.5", "resnet18": "width=0.25"}
"""Sizes of families whose published size is far above that of the others."""
QUICK_FAMILIES = ("tc_resnet", "gru")
QUICK_CLIPS = {"wakeword": 8, "speech": 6, "noise": 3, "rir": 3}
"""Clips per split, and for wake words per label."""
QUICK = (
    *("training.epochs=1", "training.steps_per_epoch=12", "training.batch_size=16"),
    *("evaluation.snr_db=[10]", "evaluation.codecs=[]", "evaluation.noise_kinds=[]"),
    *("evaluation.near=false", "evaluation.far=false"),
)
EMBEDDING = (
    *("model.frame_stride=8", "model.pool_frames=1", "frontend.n_mels=32", "frontend.window_ms=25"),
    *("frontend.f_min_hz=60", "frontend.f_max_hz=3800", "frontend.mel_scale=slaney", "frontend.floor_db=-110"),
)
"""What `speech_embedding` needs."""


@dataclass(frozen=True)
class Entry:
    """A family with values of the section `model`, written `NAME:key=value,key=value`."""

    text: str

    @property
    def family(self) -> str:
        return self.text.partition(":")[0]

    @property
    def overrides(self) -> list[str]:
        """For `load_config`."""
        values = [f"model.{part}" for part in self.text.partition(":")[2].split(",") if part]
        return [f"model.family={self.family}", *(EMBEDDING if self.family == "speech_embedding" else ()), *values]

    def name(self, seed: int) -> str:
        """Of the run."""
        return f"{self.text.replace(':', '-').replace('=', '-').replace(',', '-')}-{seed}"


def all_entries() -> list[Entry]:
    """Every family in its usual size."""
    return [Entry(f"{family}:{SIZES[family]}" if family in SIZES else family) for family in families()]


def recipe(entry: Entry, seed: int, args: argparse.Namespace) -> Config:
    """configs/real.yaml with the family and the seed.

    Raises:
        DataError: the recordings are absent.
    """
    rows = recording_rows()
    manifest = args.folder / f"manifest{'-quick' if args.quick else ''}.csv"
    if not manifest.is_file():
        write_manifest(few_clips(rows, ("computer", "jarvis")) if args.quick else rows, manifest)
    return load_config(
        ROOT / "configs" / "real.yaml",
        [
            f"name={entry.name(seed)}",
            f"runs_dir={args.folder}",
            f"data.sources.0.uri={manifest}",
            f"training.seed={seed}",
            # In this process, so that its time is that of training.
            "compute.workers=0",
            *(QUICK if args.quick else ()),
            *entry.overrides,
            *args.overrides,
        ],
    )


def few_clips(rows: list[dict[str, str]], words: Sequence[str]) -> list[dict[str, str]]:
    """The first clips of each kind, label and split, speakers in turn; of wake words those of `words`."""
    turn: Counter[tuple[str, ...]] = Counter()
    ordered = []
    for place, row in enumerate(rows):
        own = (row["label"], row["split"], row["speaker"])
        ordered.append((turn[own], place))
        turn[own] += 1
    kept: Counter[tuple[str, str, str]] = Counter()
    chosen = []
    for _, place in sorted(ordered):
        row = rows[place]
        key = (row["kind"], row["label"], row["split"])
        useful = row["kind"] != "wakeword" or row["label"] in words
        if useful and kept[key] < QUICK_CLIPS.get(row["kind"], 0):
            kept[key] += 1
            chosen.append(row)
    return chosen


def stored(entry: Entry, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Figures of one training: those in the folder, else computed and written there."""
    path = args.folder / "cells" / f"{entry.name(seed)}.json"
    if path.is_file():
        return dict(json.loads(path.read_text(encoding="utf-8")))
    config = recipe(entry, seed, args)
    run_pipeline(config, ["prepare"], runner="local")
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    run_pipeline(config, ["train"], runner="local")
    taken = {"train_s": time.monotonic() - began_s, "train_cpu_s": time.process_time() - began_cpu_s}
    done = run_pipeline(config, ["export"], runner="local")
    found = {"entry": entry.text, "seed": seed, **taken, **cost(done, config, args.quick)}
    found |= {"judged": judged(load_bundle(done.bundle_dir), config)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, found)
    return found


def cost(done: PipelineResult, config: Config, quick: bool) -> dict[str, float]:
    """Weights, multiplications, state, and the CPU time of the exported model in a process of its own."""
    model, _ = load_trained(done.run_dir)
    counted = model_cost(model.network, config.frontend.hop_ms / 1000)
    code = "from benchmarks.runtime_cost import measure; "
    code += f"measure({str(done.bundle_dir.resolve())!r}, 'float32', 1, {4.0 if quick else 60.0})"
    return {
        "weights": counted.weights,
        "trained_weights": counted.trained_weights,
        "macs_per_s": counted.macs_per_s,
        "state_size": counted.state_size,
        "context_s": model.context_samples / SAMPLE_RATE_HZ,
        "cpu_ms": json.loads(python("-c", code, environment={"OMP_NUM_THREADS": "1"}))["cpu_ms"],
    }


def judged(bundle: Bundle, config: Config) -> dict[str, Any]:
    """Per word: hours of negative audio, and per target the missed and all words of each condition and speaker."""
    shards = ShardSet.open(prepared_folder(config))
    plan = plan_tracks({"test": shards.table("test")}, "test", config.words, config.evaluation, shards.root)
    scores = score_tracks(bundle, plan.tracks, workers=1)
    found: dict[str, Any] = {}
    for column, word in enumerate(bundle.labels):
        own = [values[:, column] for values in scores]
        view = detect_on(plan.tracks, own, word, timing_of(bundle.manifest, bundle.step_s), config)
        found[word] = {"hours": view.hours, **{str(fah): _misses(view, fah) for fah in TARGETS_FAH}}
    return found


def _misses(view: WordOnSplit, fah: float) -> dict[str, Any]:
    threshold = oracle_threshold(view.alarms, fah * view.hours)
    missed = {}
    for condition, (peaks, rows) in view.conditions.items():
        counts: dict[str, list[int]] = {}
        for row, hit in zip(rows, outcome(peaks, threshold).hit.tolist(), strict=True):
            counts.setdefault(row.speaker, [0, 0])
            counts[row.speaker][0] += not hit
            counts[row.speaker][1] += 1
        missed[condition] = counts
    alarms = int(view.alarms.at(threshold)[1])
    return {"threshold": threshold, "false_alarms": alarms, "missed": missed}


def miss_rate(
    cells: Sequence[dict[str, Any]], fah: float, condition: str | None = None
) -> tuple[float, Interval | None]:
    """Share of missed words over words, conditions (or one), and seeds, with the interval over speakers."""
    missed: list[int] = []
    speakers: list[str] = []
    for cell in cells:
        for part in cell["judged"].values():
            for name, counts in part[str(fah)]["missed"].items():
                for speaker, (lost, words) in counts.items() if condition in (None, name) else ():
                    missed += [1] * lost + [0] * (words - lost)
                    speakers += [speaker] * words
    return float(np.mean(missed)) if missed else float("nan"), bootstrap_mean(missed, speakers)


def measure(args: argparse.Namespace) -> list[Bar]:
    """All trainings, a line each; the table and the plot; the misses."""
    import torch

    torch.set_num_threads(1)
    if args.costs:
        return costs([Entry(text) for text in args.family] or [Entry(family) for family in families()])
    args.folder = (args.folder / "quick" if args.quick else args.folder).resolve()
    entries = [Entry(text) for text in args.family] or [
        entry for entry in all_entries() if not args.quick or entry.family in QUICK_FAMILIES
    ]
    found: dict[str, list[dict[str, Any]]] = {entry.text: [] for entry in entries}
    for seed in range(1 if args.quick else args.seeds):
        for entry in entries:
            cell = stored(entry, seed, args)
            found[entry.text].append(cell)
            print(
                f"{entry.name(seed)}: {_percent(*miss_rate([cell], 0.5))}, trained in {cell['train_s']:.0f} s",
                flush=True,
            )
    text = table(found)
    print(text)
    write_text(args.folder / "table.md", text + "\n")
    plot(found, args.json.with_suffix(".png") if args.json else args.folder / "zoo.png")
    return [
        Bar(f"{name}: missed at {fah:g} false alarms per hour", 100 * miss_rate(cells, fah)[0], "%")
        for name, cells in found.items()
        for fah in TARGETS_FAH
    ]


def costs(entries: Sequence[Entry]) -> list[Bar]:
    """Print the costs of untrained networks for one word; a bar each."""
    rows, bars = [], []
    for entry in entries:
        model = StreamingModel(load_config(None, ["words=[{label: computer}]", *entry.overrides]), ["computer"])
        counted = model_cost(model.network, model.frontend.hop / SAMPLE_RATE_HZ)
        macs, context_s = counted.macs_per_s / 1e6, model.context_samples / SAMPLE_RATE_HZ
        weights = f"{counted.trained_weights:,}"
        rows.append([f"`{entry.text}`", weights, f"{macs:.2f} M", f"{counted.state_size:,}", f"{context_s:.2f} s"])
        bars.append(Bar(f"{entry.text}: multiplications per second of audio", macs, "million"))
    print(markdown_table(["family", "weights trained", "MAC per second", "state", "context"], rows))
    return bars


def table(found: dict[str, list[dict[str, Any]]]) -> str:
    """Markdown: a row per family, those with the fewest misses first."""
    head = ["family", *(f"missed at {fah:g} FAH" for fah in TARGETS_FAH), "seeds", "clean", "weights", "MAC per s"]
    head += ["CPU ms per s", "context", "training, CPU"]
    rows = []
    for name, cells in sorted(found.items(), key=lambda item: miss_rate(item[1], TARGETS_FAH[0])[0]):
        each = [100 * miss_rate([cell], TARGETS_FAH[0])[0] for cell in cells]
        rows.append(
            [
                f"`{name}`",
                *(_percent(*miss_rate(cells, fah)) for fah in TARGETS_FAH),
                " / ".join(f"{value:.1f}" for value in each),
                _percent(*miss_rate(cells, TARGETS_FAH[0], "clean")),
                f"{_mean(cells, 'weights') / 1000:.1f} k",
                f"{_mean(cells, 'macs_per_s') / 1e6:.2f} M",
                f"{_mean(cells, 'cpu_ms'):.1f}",
                f"{_mean(cells, 'context_s'):.2f} s",
                f"{_mean(cells, 'train_cpu_s') / 60:.1f} min",
            ]
        )
    return markdown_table(head, rows)


def _percent(share: float, interval: Interval | None) -> str:
    span = f" ({100 * interval.low:.1f}-{100 * interval.high:.1f})" if interval else ""
    return f"{100 * share:.1f}{span} %"


def _mean(cells: Sequence[dict[str, Any]], key: str) -> float:
    return float(np.mean([cell[key] for cell in cells]))


def plot(found: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Write misses against multiplications, and against CPU time, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, key, label in zip(
        axes, ("macs_per_s", "cpu_ms"), ("MAC per second of audio", "CPU ms per second of audio"), strict=True
    ):
        for name, cells in found.items():
            share, interval = miss_rate(cells, TARGETS_FAH[0])
            cost_of, low, high = _mean(cells, key), *(interval or (share, share))
            axis.errorbar(
                cost_of,
                100 * share,
                [[100 * max(0.0, share - low)], [100 * max(0.0, high - share)]],
                fmt="o",
                capsize=2,
            )
            axis.annotate(name, (cost_of, 100 * share), textcoords="offset points", xytext=(5, 4), fontsize=8)
        axis.set_xscale("log")
        axis.set_xlabel(label)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(f"missed words at {TARGETS_FAH[0]:g} false alarms per hour (%)")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part:
        figure.savefig(part, format="png", dpi=120)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Families, seeds, folder and overrides of the recipe."""
    parser.add_argument("--family", nargs="+", default=[], metavar="NAME[:key=value,…]", help="default: all")
    parser.add_argument("--costs", action="store_true", help="count weights and multiplications only")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "zoo", help="data, runs, figures")
    parser.add_argument("overrides", metavar="key=value", nargs="*", default=[])


if __name__ == "__main__":
    sys.exit(run("zoo", measure, add_arguments))
