"""Detector, verifier and fusion of a bundle with a verifier: the table of the stages and sentences on their cost."""

from __future__ import annotations

from wakeword.evaluation.report.shares import away, fired_share
from wakeword.evaluation.results import CascadeResult, EvaluationReport, StageResult, WordResult
from wakeword.evaluation.statistics.numbers import rate_with_interval, seconds, share_with_interval

NAMES = {"detector": "detector alone", "verifier": "verifier alone", "fusion": "both, as shipped"}
MOST_PER_MINUTE, MOST_CPU_MS = 10.0, 30.0
"""The verifier costs little up to here: triggers per minute of speech, and CPU time of each."""


def wait_s(report: EvaluationReport) -> float:
    """Seconds after the peak of the score at which an event is reported."""
    added_s = max((word.cascade.added_latency_s for word in report.words if word.cascade), default=0.0)
    return report.detector["nms_window_s"] + added_s


def stage_table(word: WordResult, found: CascadeResult) -> tuple[list[str], list[list[str]]]:
    """Header and a row per stage: threshold, FAH, FRR per condition, near misses by distance, latency."""
    tests = [stage.operating.test for stage in found.stages if stage.operating.test]
    conditions = list(dict.fromkeys(part.condition for test in tests for part in test.conditions))
    distances = list(dict.fromkeys(name for test in tests if test.near_misses for name in test.near_misses.by_distance))
    header = ["stage", "threshold", "FAH on test", *(f"FRR {name}" for name in conditions)]
    header += [f"fire {away(name)}" for name in distances] + ["latency p50 / p95"]
    return header, [_row(stage, found, conditions, distances) for stage in found.stages]


def _row(stage: StageResult, found: CascadeResult, conditions: list[str], distances: list[str]) -> list[str]:
    target, test = stage.operating, stage.operating.test
    cells = [NAMES[stage.name], f"{target.threshold:.3f}" + ("" if target.reached else " (not reached)")]
    cells.append(rate_with_interval(test.alarms) if test else "no test split")
    for name in conditions:
        result = test.condition(name) if test else None
        cells.append(share_with_interval(result.frr, result.wilson) if result else "no words")
    near = test.near_misses.by_distance if test and test.near_misses else {}
    cells += [fired_share(near[name]) if name in near else "-" for name in distances]
    return [*cells, _latency(stage, found)]


def _latency(stage: StageResult, found: CascadeResult) -> str:
    clean = stage.operating.test.condition("clean") if stage.operating.test else None
    if clean is None or clean.latency_p50_s is None or clean.latency_p95_s is None:
        return "-"
    added_s = 0.0 if stage.name == "detector" else found.added_latency_s
    return f"{seconds(clean.latency_p50_s + added_s)} / {seconds(clean.latency_p95_s + added_s)} s"


def legend(found: CascadeResult) -> str:
    """What the rows are."""
    heard = f"{found.before_s:g} s before to {found.after_s:g} s after"
    return (
        f"The verifier ({found.recogniser}) hears the audio from {heard} each peak of the detector's score from "
        f"{found.trigger_threshold:.3f} on, and scores how well it says the phrase. Verifier alone: this score "
        "decides, without the detector's. Both: the fused score decides. Each row has its own threshold, chosen on "
        "val for the same false alarms per hour."
    )


def cost(found: CascadeResult) -> str:
    """Triggers per minute of speech, CPU time per trigger and the time that an event waits longer."""
    parts = []
    if found.triggers_per_minute is None:
        parts.append("There is no speech to count triggers on")
    else:
        rate, minutes = f"{found.triggers_per_minute:.2g}", f"{found.speech_minutes:.3g}"
        more = _above(found.triggers_per_minute, MOST_PER_MINUTE)
        parts.append(f"The verifier runs {rate} times per minute of speech (in {minutes} min){more}")
    if found.cpu_ms is not None:
        parts.append(f"it takes {found.cpu_ms:.2g} ms of CPU time each{_above(found.cpu_ms, MOST_CPU_MS)}")
    later = f"{found.added_latency_s:.2g} s later" if found.added_latency_s else "no later"
    parts.append(f"events are {later} than without it")
    return "; ".join(parts) + "."


def _above(value: float, most: float) -> str:
    return f", more than {most:g}" if value > most else ""


def stage_lines(word: WordResult, found: CascadeResult) -> list[str]:
    """The table and the cost as lines of text."""
    header, rows = stage_table(word, found)
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows)]
    return [f"  {line}".rstrip() for line in (*lines, cost(found))]
