"""Coverage of the 95 % intervals, on simulated detectors whose true rate is known.

    python -m benchmarks.interval_coverage [--quick] [--json FILE]

Misses: 25 speakers, 60 to 300 words, true FRR 2 to 20 %; each speaker's miss rate is drawn from a beta distribution, so
that the misses of a speaker have a correlation of 0 (independent), 0.05 (mild) or 0.2 (strong). False alarms: Poisson.
A coverage is the mean over all sizes and rates; the worst is that of a single size and rate. Targets: Wilson on
independent words and `speaker_wilson` on mildly correlated ones 94 to 97 % in the mean; the exact Poisson interval at
least 95 %; `--quick` widens each by three standard errors. The other rows have no target.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from benchmarks.harness import Bar, run
from wakeword.evaluation.statistics.intervals import poisson_interval, speaker_bootstrap, speaker_wilson, wilson

SPEAKERS = 25
WORDS = (60, 150, 300)
RATES = (0.02, 0.05, 0.1, 0.2)
EXPECTED_ALARMS = (0.5, 2.0, 5.0, 20.0)
KINDS = ("Wilson", "speaker Wilson", "speaker bootstrap")


def miss_coverage(rate: float, words: int, correlation: float, simulations: int, seed: int) -> dict[str, float]:
    """Share of the simulated test sets whose interval holds `rate`, per kind; a missing interval does not hold it."""
    rng = np.random.default_rng([seed, words, round(1000 * rate), round(1000 * correlation)])
    held = dict.fromkeys(KINDS, 0)
    for number in range(simulations):
        people = np.append(np.arange(SPEAKERS), rng.integers(0, SPEAKERS, words - SPEAKERS))
        own = np.full(SPEAKERS, rate)
        if correlation:
            weight = 1 / correlation - 1
            own = rng.beta(rate * weight, (1 - rate) * weight, SPEAKERS)
        missed = rng.random(words) < own[people]
        speakers = people.astype(str).tolist()
        found = {"Wilson": wilson(int(missed.sum()), words), "speaker Wilson": speaker_wilson(missed, speakers)}
        # The bootstrap takes as long as everything else, so it runs in every fourth simulation.
        if number % 4 == 0:
            found["speaker bootstrap"] = speaker_bootstrap(missed, speakers, seed=number)
        for kind, interval in found.items():
            held[kind] += interval is not None and interval.low <= rate <= interval.high
    of = dict.fromkeys(KINDS, simulations) | {"speaker bootstrap": -(-simulations // 4)}
    return {kind: held[kind] / of[kind] for kind in KINDS}


def _slack(simulations: int) -> float:
    """Three standard errors of a share of 95 %, in percent."""
    return 300 * float(np.sqrt(0.95 * 0.05 / simulations))


def measure(args: argparse.Namespace) -> list[Bar]:
    """Coverage per kind of interval and correlation."""
    simulations = 100 if args.quick else 2000
    slack = _slack(simulations * len(WORDS) * len(RATES)) if args.quick else 0.0
    bars = []
    for name, correlation in (("independent", 0.0), ("mild", 0.05), ("strong", 0.2)):
        cells = [miss_coverage(rate, words, correlation, simulations, 0) for words in WORDS for rate in RATES]
        for kind in KINDS:
            mean = 100 * float(np.mean([cell[kind] for cell in cells]))
            worst = 100 * min(cell[kind] for cell in cells)
            if (kind, name) in {("Wilson", "independent"), ("speaker Wilson", "mild")}:
                bars.append(Bar(f"{kind}, {name}: at least", mean, "%", 94 - slack, "least"))
                bars.append(Bar(f"{kind}, {name}: at most", mean, "%", 97 + slack, "most"))
            else:
                bars.append(Bar(f"{kind}, {name}: mean", mean, "%"))
            bars.append(Bar(f"{kind}, {name}: worst size and rate", worst, "%"))
    rng = np.random.default_rng(1)
    for expected in EXPECTED_ALARMS:
        counts = rng.poisson(expected, simulations)
        intervals = [poisson_interval(int(count), 10.0) for count in counts]
        share = np.mean([low <= expected / 10 <= high for low, high in intervals])
        noise = _slack(simulations) if args.quick else 0.0
        bars.append(Bar(f"Poisson interval, {expected:g} expected", 100 * float(share), "%", 95 - noise, "least"))
    return bars


if __name__ == "__main__":
    sys.exit(run("interval_coverage", measure))
