"""How well the forecast of `wakeword try` ranks phrases: against the false alarms of detectors trained for them.

    python -m benchmarks.phrase_forecast [--quick] [--json FILE] [--together] [--phrases N] [--seed N]

Ten common and ten rare phrases. For each one a small detector is trained on synthesis alone; its false alarms per hour
are those on `../shared/negatives` at the threshold that 5 % of the phrase's clips in unheard voices miss. The forecast
by ear hears the recordings of `../shared/data` instead, the one by text hears nothing. `--together` trains one network
with an output for each phrase, in a twentieth of the time. Figures are kept in `--folder` and not computed again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.harness import RECORDINGS, ROOT, Bar, markdown_table, run
from benchmarks.phrase_detectors import measured
from wakeword.data.forecast.running_speech import resemblance
from wakeword.data.forecast.trial import Trial

COMMON = (
    *("hello", "water", "really", "music", "number", "tomorrow", "remember", "computer", "thank you", "please wait"),
)
RARE = (
    *("hey nova", "alexa", "jarvis", "athena", "kumquat", "xylophone", "ordenador", "okay zephyr", "hey chatterbox"),
    "bumblebee wizard",
)
LEAST_RANK = 0.6
_DRAWS = 2000


def measure(args: argparse.Namespace) -> list[Bar]:
    """A line for each phrase, then the rank correlations with their intervals."""
    import torch

    torch.set_num_threads(1)
    pairs = [phrase for pair in zip(COMMON, RARE, strict=True) for phrase in pair]
    phrases = pairs[: 4 if args.quick else args.phrases]
    clips, steps, updates, most, minutes = (
        (30, 3, 20, 40, 2.0) if args.quick else (args.clips, args.steps, 400, 0, 60.0)
    )
    folder = args.folder / "quick" if args.quick else args.folder
    groups = [phrases] if args.together or args.quick else [[phrase] for phrase in phrases]
    alarms = [one for group in groups for one in measured(group, folder, clips, steps, updates, most, args.seed)]
    rows = [{**one, **forecast(one["phrase"], minutes)} for one in alarms]
    print(markdown_table(("phrase", "false alarms per hour", "by ear", "by text"), map(_cells, rows)))
    truth = np.asarray([row["false_alarms"] / row["hours"] for row in rows])
    bars = []
    for name in ("by ear", "by text"):
        rank, low, high = rank_correlation(np.asarray([row[name] for row in rows]), truth, args.seed)
        print(f"{name}: Spearman {rank:.2f} (95 % {low:.2f} to {high:.2f}) over {len(rows)} phrases")
        target = None if args.quick or len(rows) < len(pairs) else LEAST_RANK
        bars.append(Bar(f"Spearman of the forecast {name} and the false alarms", rank, "", target, "least"))
    return bars


def forecast(phrase: str, minutes: float) -> dict[str, float]:
    """The two forecasts of a phrase; by ear, stretches an hour of the recordings' speech."""
    trial = Trial.of(phrase, "en", [])
    trial.listen(str(RECORDINGS / "manifest.csv"), minutes * 60, None)
    by_text = resemblance(set(trial.sounds), "en")
    assert by_text is not None
    return {"by ear": trial.ear.per_hour, "by text": by_text}


def rank_correlation(
    forecasts: NDArray[np.float64], truth: NDArray[np.float64], seed: int
) -> tuple[float, float, float]:
    """Spearman's rank correlation, and its 95 % interval by bootstrap over the phrases."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(truth), size=(_DRAWS, len(truth)))
    usable = [row for row in drawn if len(set(truth[row])) > 1 and len(set(forecasts[row])) > 1]
    ranks = [float(spearmanr(forecasts[row], truth[row]).statistic) for row in usable]
    low, high = np.quantile(ranks, [0.025, 0.975]) if ranks else (np.nan, np.nan)
    return float(spearmanr(forecasts, truth).statistic), float(low), float(high)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["phrase"],
        f"{row['false_alarms'] / row['hours']:.2f}",
        f"{row['by ear']:.1f}",
        f"{row['by text']:.2f}",
    )


def arguments(parser: argparse.ArgumentParser) -> None:
    """Size and folder."""
    parser.add_argument("--together", action="store_true", help="one network with an output for each phrase")
    parser.add_argument("--phrases", type=int, default=len(COMMON) + len(RARE))
    parser.add_argument("--clips", type=int, default=150, help="clips of each phrase")
    parser.add_argument("--steps", type=int, default=100, help="batches of windows that are embedded")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "phrase_forecast")


if __name__ == "__main__":
    sys.exit(run("phrase_forecast", measure, arguments))
