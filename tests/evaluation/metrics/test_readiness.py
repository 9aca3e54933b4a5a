"""The three states: hours without a false alarm decide, and synthetic audio proves nothing about people."""

from __future__ import annotations

import numpy as np
import pytest

from wakeword.config.evaluation import EvaluationConfig
from wakeword.evaluation.metrics.measure import measure_word
from wakeword.evaluation.metrics.readiness import Recorded, readiness_of, recorded
from wakeword.evaluation.metrics.thresholds import Choice
from wakeword.evaluation.results import ConditionResult, SplitResult
from wakeword.evaluation.scoring.store import TrackInfo
from wakeword.evaluation.statistics.intervals import alarm_rate, rate_bound, wilson
from wakeword.evaluation.tracks.track import TruthRow
from wakeword.runtime.events import EventTiming

CONFIG = EvaluationConfig(operating_fah=0.5, operating_frr=0.1)
CHOICE = Choice(0.5, 0.7, True, "chosen")


def result(hours: float, alarms: int = 0, missed: int = 0) -> SplitResult:
    """A test of 100 clean words."""
    clean = ConditionResult(
        condition="clean", words=100, missed=missed, speakers=1, frr=missed / 100, wilson=wilson(missed, 100),
        bootstrap=None, by_speaker=None, latency_p50_s=None, latency_p95_s=None, duplicates=0, false_alarms=0,
    )  # fmt: skip
    return SplitResult(alarms=alarm_rate(alarms, hours), by_kind={}, conditions=(clean,), near_misses=None)


def state(hours: float, alarms: int = 0, synthetic: tuple[str, ...] = ()):
    """Readiness after `hours`, which are recorded unless the negatives are synthetic."""
    real = Recorded(0, 0.0, synthetic) if "negatives" in synthetic else Recorded(alarms, hours, synthetic)
    return readiness_of(CHOICE, result(hours, alarms), real, CONFIG)


@pytest.mark.parametrize(("hours", "expected"), [(0.1, "not ready"), (2.0, "promising"), (10.0, "proven")])
def test_hours_without_an_alarm_give_the_three_states(hours, expected) -> None:
    found = state(hours)
    assert found.state == expected
    assert found.verdict.startswith(expected)


def test_the_verdict_says_the_hours_that_are_missing() -> None:
    # 6.0 h without an alarm prove 0.5 per hour, 9.5 h with one.
    assert "4.0 h more without a false alarm would prove 0.5 per hour, or 7.5 h with one more" in state(2.0).verdict
    assert "too few to estimate 0.5 false alarms per hour: 1.0 h are needed" in state(0.1).verdict


@pytest.mark.parametrize("alarms", [0, 1, 3])
def test_proven_begins_where_the_bound_keeps_the_target(alarms) -> None:
    hours = rate_bound(alarms, 1.0) / 0.5
    assert state(1.001 * hours, alarms).state == "proven"
    assert state(0.999 * hours, alarms).state == "promising"


@pytest.mark.parametrize("synthetic", [("words",), ("negatives",), ("words", "negatives")])
def test_synthetic_audio_is_promising_at_best(synthetic) -> None:
    found = state(100.0, synthetic=synthetic)
    assert found.state == "promising"
    assert f"the {' and '.join(synthetic)} of test are synthetic only" in found.verdict
    assert ("6.0 h more of recorded audio without" in found.verdict) == ("negatives" in synthetic)


def test_only_recorded_hours_prove() -> None:
    # 100 h without an alarm, of which 2 are recorded.
    found = readiness_of(CHOICE, result(100.0), Recorded(0, 2.0), CONFIG)
    assert found.state == "promising"
    assert "4.0 h more without a false alarm" in found.verdict


def clip(start_s: float, synthetic: bool) -> TruthRow:
    return TruthRow(
        "t", "clip", "", start_s, start_s + 4.0, "s", f"c{start_s}", "as is", "x", "speech", synthetic=synthetic
    )


@pytest.mark.parametrize("flags", [(True, True), (True, False), (False, False)])
def test_recorded_audio_is_told_from_synthetic(flags) -> None:
    step_s, timing = 0.08, EventTiming.from_seconds(0.08, 0.0, 0.16, 1.0)
    scores = np.zeros(round(10 / step_s), dtype=np.float32)
    scores[round(2.0 / step_s)] = scores[round(7.0 / step_s)] = 0.9
    track = TrackInfo("t", "test", "speech", "as is", "", 10.0, tuple(map(clip, (0.5, 5.5), flags)))
    view = measure_word("word", [track], lambda *_: scores, timing, EvaluationConfig())
    found = recorded(view, 0.5)
    assert found.false_alarms == flags.count(False)
    assert found.hours == pytest.approx(view.hours * flags.count(False) / 2)
    assert found.synthetic_only == (("negatives",) if all(flags) else ())
    assert recorded(view, 0.95).false_alarms == 0


@pytest.mark.parametrize(
    ("choice", "test", "why"),
    [
        (CHOICE, result(10.0, alarms=8), "0.80 false alarms per hour on test, the limit is 0.5"),
        (CHOICE, result(10.0, missed=20), "20 % of clean words missed on test, the limit is 10 %"),
        (Choice(0.5, 1.001, False, "no threshold keeps it"), result(10.0), "no threshold keeps it"),
        (CHOICE, result(0.0), "no negative audio"),
        (CHOICE, None, "no negative audio"),
        (CHOICE, result(10.0).model_copy(update={"conditions": ()}), "no clips of the word"),
    ],
)
def test_faults_are_named(choice, test, why) -> None:
    found = readiness_of(choice, test, Recorded(0, 10.0), CONFIG)
    assert found.state == "not ready"
    assert why in found.verdict
