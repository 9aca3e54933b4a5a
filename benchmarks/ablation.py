"""Effect of each augmentation, source of clips and share of near misses on a detector trained on synthesis alone.

    python -m benchmarks.ablation [--quick] [--json FILE] [--word W …] [--stage S …] [--seeds N] [key=value …]

As `benchmarks.synthetic_to_real`, but each detector's windows are embedded once and the heads train on the embeddings
(`benchmarks.synthetic.kept`). Settings are compared by the mean of the misses at 0, 1, 2 and 4 false alarms in all of
the audio, since the threshold for none depends on a single second. Heads are judged together and one by one. Figures
are stored in `--folder`; `key=value` changes the recipe of all detectors and needs a separate folder.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.harness import Bar, detect_on, markdown_table, run, timing_of
from benchmarks.synthetic.cells import add_arguments, run_cells
from benchmarks.synthetic.judging import (
    CONDITIONS,
    DISTANCES,
    NEAR_MISS_LIMITS,
    fired_shares,
    misses,
    real_tracks,
    spoken_tracks,
)
from benchmarks.synthetic.material import ABLATIONS, Cell
from wakeword.config import SAMPLE_RATE_HZ, Config
from wakeword.evaluation.metrics.det import oracle_threshold
from wakeword.evaluation.metrics.measure import WordOnSplit
from wakeword.evaluation.metrics.near_misses import near_miss_floor
from wakeword.pipeline import prepared_folder

BASE = "words"
LEAST_POINTS = 0.1
"""Points of misses by which leaving out an augmentation must raise those of at least one word."""
ALARMS = (0, 1, 2, 4)
RULES = ("together", "one head")


def judge_cell(cell: Cell, training: Config, judging: Config, folder: Path, steps: int, updates: int) -> dict[str, Any]:
    """One detector's figures: `{"together": …, "heads": […]}`."""
    from benchmarks.synthetic.kept import Embedded, Lab

    prepared = prepared_folder(training)
    lab = Lab.open(training, prepared)
    lab.fill(steps)
    model = lab.learn(updates)
    timing = timing_of(training, model.step_samples / SAMPLE_RATE_HZ)
    real = Embedded.of(model, real_tracks(prepared_folder(judging), cell.word, judging), folder)
    spoken = Embedded.of(model, spoken_tracks(prepared, training), folder)
    both = [(audio, audio.scores(model), config) for audio, config in ((real, judging), (spoken, training))]
    results = []
    for column in range(len(model.network.heads) + 1):
        on_real, on_spoken = (
            detect_on(audio.tracks, [track[:, column] for track in scores], cell.word, timing, config)
            for audio, scores, config in both
        )
        results.append(_results(on_real, on_spoken))
    return {"together": results[0], "heads": results[1:]}


def _results(real: WordOnSplit, spoken: WordOnSplit) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for allowed in ALARMS:
        threshold = oracle_threshold(real.alarms, allowed)
        fired = {name: pair[0] / pair[1] for name, pair in fired_shares(spoken, threshold).items() if pair[1]}
        result[str(allowed)] = {"threshold": threshold, "missed": misses(real, threshold), "fired": fired}
    floor = near_miss_floor(spoken.near_misses, NEAR_MISS_LIMITS).threshold
    limited = max(result["0"]["threshold"], floor)
    result["limited"] = {"threshold": limited, "missed": misses(real, limited)}
    return result


def measure(args: argparse.Namespace) -> list[Bar]:
    """All detectors, a line each; the table; the effect of each setting."""
    steps, updates = (4, 4) if args.quick else (args.steps, args.updates)
    stages = list(dict.fromkeys((BASE, *args.stage)))
    judge = partial(judge_cell, folder=args.folder / "embedded", steps=steps, updates=updates)
    found = run_cells(stages, args, judge, line, f"-{steps}-{updates}")
    frame = figures(found)
    print(table(frame, stages))
    print("\n".join(confirmed(frame)))
    return bars(frame)


def figures(found: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per figure: word, stage, rule, false alarms, "missed" or "fired", condition or distance, share."""
    rows = [
        (cell["word"], cell["stage"], rule, alarms, part, name, share)
        for cell in found
        for rule, results in zip(RULES, ([cell["together"]], cell["heads"]), strict=True)
        for result in results
        for alarms, parts in result.items()
        for part in ("missed", "fired")
        for name, share in parts.get(part, {}).items()
    ]
    return pd.DataFrame(rows, columns=["word", "stage", "rule", "alarms", "part", "name", "share"])


def _where(frame: pd.DataFrame, **values: str) -> pd.DataFrame:
    for column, value in values.items():
        frame = frame[frame[column] == value]
    return frame


def mean_misses(frame: pd.DataFrame, **values: str) -> float:
    """Mean misses over all conditions and numbers of false alarms, of the rows with these values."""
    rows = _where(frame[frame.alarms != "limited"], part="missed", **values)
    return float(rows.groupby(["alarms", "name"]).share.mean().mean())


def bars(frame: pd.DataFrame) -> list[Bar]:
    """Misses of each stage; as a target, each augmentation of the recipe helps at least one word."""
    result = [
        Bar(
            f"{stage}: misses over all conditions and alarms, {rule}",
            100 * mean_misses(frame, stage=stage, rule=rule),
            "%",
        )
        for stage in frame.stage.unique()
        for rule in RULES
    ]
    for stage in frame.stage.unique():
        if stage.startswith("no-"):
            most = max(costs(frame, stage).values())
            result.append(Bar(f"{stage}: largest increase of a word's misses", most, "points", LEAST_POINTS, "least"))
    return result


def costs(frame: pd.DataFrame, stage: str) -> dict[str, float]:
    """Per word, how many points more a stage misses than the base: mean of heads together and one by one."""

    def both(word: str, stage: str) -> float:
        return 50 * sum(mean_misses(frame, word=word, stage=stage, rule=rule) for rule in RULES)

    return {word: both(word, stage) - both(word, BASE) for word in sorted(frame.word.unique())}


def line(cell: dict[str, Any]) -> str:
    """A cell in one line."""
    frame = figures([cell])
    parts = [f"{alarms} alarms {_shares(frame, alarms)}" for alarms in ALARMS]
    together, one = (f"{100 * mean_misses(frame, rule=rule):.1f} %" for rule in RULES)
    name = f"{cell['word']} {cell['stage']} seed {cell['seed']}"
    return f"{name}: {', '.join(parts)}, mean {together} (one head {one}), {cell['seconds']:.0f} s"


def table(frame: pd.DataFrame, stages: list[str]) -> str:
    """Markdown: a row per stage, means over words and seeds."""
    words = sorted(frame.word.unique())
    head = ["stage", *(f"{alarms} alarms" for alarms in ALARMS), "mean", "one head", *words]
    head += [f"near misses {' / '.join(DISTANCES)}, 1 alarm", "within limits"]
    rows = []
    for stage in stages:
        own = _where(frame, stage=stage)
        means = [mean_misses(own, rule=rule) for rule in RULES]
        means += [mean_misses(own, rule="together", word=word) for word in words]
        row = [*(_shares(own, alarms) for alarms in ALARMS), *(f"{100 * mean:.1f} %" for mean in means)]
        rows.append([stage, *row, _shares(own, 1, "fired", DISTANCES, 0), _shares(own, "limited")])
    return markdown_table(head, rows)


def confirmed(frame: pd.DataFrame) -> list[str]:
    """For each word: the stage with the fewest misses on the other words, and its misses on this word."""
    words = sorted(frame.word.unique())
    lines = []
    for word in words if len(words) > 1 else []:
        others, own = _where(frame[frame.word != word], rule="together"), _where(frame, word=word, rule="together")
        best = min(frame.stage.unique(), key=lambda stage: mean_misses(others, stage=stage))
        chosen, base = (100 * mean_misses(own, stage=stage) for stage in (best, BASE))
        lines.append(f"chosen without {word}: {best}; it misses {chosen:.1f} % of {word}, {BASE} {base:.1f} %")
    return lines


def _shares(
    frame: pd.DataFrame, alarms: int | str, part: str = "missed", names: tuple[str, ...] = CONDITIONS, digits: int = 1
) -> str:
    """Mean shares in percent of all heads together, one per name."""
    means = _where(frame, rule="together", alarms=str(alarms), part=part).groupby("name").share.mean()
    return " / ".join(f"{100 * means.get(name, float('nan')):.{digits}f}" for name in names) + " %"


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_arguments(parser, "ablation", [stage.name for stage in ABLATIONS], seeds=1)
    parser.add_argument("--steps", type=int, default=160, help="batches of windows that are embedded")
    parser.add_argument("--updates", type=int, default=480, help="updates of the heads")


if __name__ == "__main__":
    sys.exit(run("ablation", measure, _arguments))
