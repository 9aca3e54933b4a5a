"""The tail of the false alarms: known tails are found, the band covers and narrows, clusters and saturation count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from wakeword.config.evaluation import EvaluationConfig
from wakeword.evaluation.metrics.measure import measure_word
from wakeword.evaluation.metrics.tail import (
    EVENTS,
    TailEvents,
    certainty,
    fit_tail,
    log_odds,
    tail_curve,
    tail_events,
)
from wakeword.evaluation.scoring.store import TrackInfo
from wakeword.evaluation.tracks.track import TruthRow
from wakeword.runtime.events import EventTiming

RATE, SCALE, START = 25.0, 1.3, -3.0


def exponential_events(hours: float, seed: int, scale: float = SCALE, together: int = 1) -> TailEvents:
    """Events with log odds above -3 at 25 per hour, exponential excesses, `together` equal events in a recording."""
    draw = np.random.default_rng(seed)
    clusters = max(4, round(hours * 120))
    first = draw.integers(clusters, size=draw.poisson(RATE * hours / together))
    level = START + (scale * draw.exponential(size=len(first))).repeat(together)
    order = np.argsort(-level)
    return TailEvents(level[order], first.repeat(together)[order], np.full(clusters, hours / clusters))


def true_level(target: float, scale: float = SCALE) -> float:
    """Log odds at which the rate is `target` per hour."""
    return START + scale * np.log(RATE / target)


@pytest.mark.parametrize("hours", [0.5, 3.0])
def test_the_band_covers_a_known_tail_as_often_as_it_says(hours) -> None:
    low = high = 0
    for seed in range(60):
        tail = fit_tail(exponential_events(hours, seed))
        # 0.2 per hour is beyond what either number of hours can count.
        bounds = tail.rates(true_level(0.2), (0.1, 0.9))[:, 0]
        low, high = low + (bounds[0] <= 0.2), high + (bounds[1] >= 0.2)
    assert 0.78 <= low / 60 <= 1
    assert 0.78 <= high / 60 <= 1


def test_more_hours_narrow_the_band() -> None:
    def width(hours: float) -> float:
        low, high = np.mean(
            [np.log(fit_tail(exponential_events(hours, s)).rates(true_level(0.5), (0.1, 0.9))[:, 0]) for s in range(8)],
            axis=0,
        )
        return float(high - low)

    assert width(0.1) > 1.3 * width(0.5) > 1.3 * 1.15 * width(4.0)


def test_many_hours_find_the_threshold_of_a_target() -> None:
    for target in (0.2, 0.5, 2.0):
        levels = [fit_tail(exponential_events(40.0, seed)).level_at(target, 0.5) for seed in range(6)]
        assert np.mean(levels) == pytest.approx(true_level(target), abs=0.2)


def test_a_steeper_tail_needs_a_lower_threshold() -> None:
    steep, flat = (fit_tail(exponential_events(2.0, 5, scale)).level_at(0.2, 0.9) for scale in (0.7, 2.0))
    assert steep < flat - 2


def test_events_of_one_recording_widen_the_band() -> None:
    alone, together = (fit_tail(exponential_events(3.0, 4, together=count)) for count in (1, 5))
    assert alone.effect < 1.6
    assert together.effect > 3
    for tail, least in ((alone, 0.0), (together, 1.5)):
        low, high = tail.rates(tail.start, (0.1, 0.9))[:, 0]
        assert np.log(high / low) > least * 0.5


def test_events_of_one_source_widen_the_band_as_well() -> None:
    even = exponential_events(3.0, 4)
    hours = np.full(6, 0.5)
    spread, piled = np.arange(len(even.level)) % 6, np.where(np.arange(len(even.level)) % 4, 0, 3)
    effects = [fit_tail(replace(even, source=one, source_hours=hours)).effect for one in (None, spread, piled)]
    assert effects[0] == effects[1]
    assert effects[2] > 4 * effects[1]


def test_the_design_effect_is_that_of_a_bootstrap_over_recordings() -> None:
    events = exponential_events(3.0, 4, together=4)
    tail = fit_tail(events)
    draw, used = np.random.default_rng(0), tail.used
    counts = np.bincount(events.cluster[:used], minlength=len(events.cluster_hours))
    chosen = draw.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=4000)
    assert tail.effect == pytest.approx(np.var(chosen @ counts) / used, rel=0.25)


def test_silence_and_no_events_leave_the_priors() -> None:
    empty = TailEvents(np.zeros(0), np.zeros(0, dtype=np.int64), np.full(4, 0.5))
    silent = TailEvents(np.full(3, log_odds(0.0)), np.arange(3), np.full(4, 0.5))
    for events in (empty, silent):
        tail = fit_tail(events)
        assert tail.used == 0
        assert tail.start == log_odds(0.0)
        assert tail.rates(0.0, 0.9)[0, 0] < 0.01
    with pytest.raises(ValueError, match="hours"):
        fit_tail(TailEvents(np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(2)))


def test_saturated_events_only_say_at_least() -> None:
    level = np.append(np.full(6, log_odds(1.0)), log_odds(1.0) - np.linspace(1, 5, 24))
    known = np.append(log_odds(1.0) + np.arange(6) * 1e-6, level[6:])[np.argsort(-level, kind="stable")]
    saturated, taken_as_known = (
        fit_tail(TailEvents(one, np.arange(30), np.full(30, 0.1)), most=29)
        for one in (level, np.sort(known - 1e-3)[::-1])
    )
    assert np.median(saturated.scale) > np.median(taken_as_known.scale)


def test_below_the_start_the_rate_is_counted() -> None:
    events = exponential_events(20.0, 7)
    tail = fit_tail(events)
    assert tail.used == EVENTS
    low = START + 0.5
    counted = np.sum(events.level >= low) / 20.0
    assert tail.rates(low, 0.5)[0, 0] == pytest.approx(counted, rel=0.05)
    # 5 per hour are 100 events: the counts decide.
    assert tail.level_at(5.0, 0.5) == pytest.approx(true_level(5.0), abs=0.25)
    rates = tail.rates(np.linspace(START, 6, 60), 0.9)[0]
    assert np.all(np.diff(rates) <= 1e-9)


def test_the_fewer_alarms_the_hours_allow_the_more_certain_a_threshold_must_be() -> None:
    assert certainty(0.5, 0.1) == certainty(0.5, 1.0) == 0.95
    assert certainty(0.5, 2.0) == pytest.approx(0.875)
    assert certainty(0.5, 4.0) == certainty(2.0, 10.0) == 0.8


def test_the_stored_curve_holds_counts_and_band() -> None:
    events = exponential_events(2.0, 8)
    curve = tail_curve(fit_tail(events), 0.95)
    assert curve.hours == pytest.approx(2.0)
    assert curve.counted[0] == pytest.approx(np.sum(events.level >= curve.level[0]) / 2.0)
    assert all(low <= middle <= high for low, middle, high in zip(curve.low, curve.middle, curve.high, strict=True))
    assert curve.middle[-1] < 0.05


def test_events_are_the_highest_peaks_apart_and_belong_to_speakers_and_sources() -> None:
    step_s, timing = 0.08, EventTiming.from_seconds(0.08, 0.0, 0.16, 1.0)
    rows = tuple(
        TruthRow("a", "clip", "", start, start + 9.0, who, f"c{start}", "as is", "made", "speech", accent=accent)
        for start, who, accent in ((0.0, "ann", "en-us"), (10.0, "bob", "fr"), (20.0, "ann", "fr-ca"))
    )
    scores = np.full(round(30 / step_s), 0.01, dtype=np.float32)
    for time_s, score in ((2.0, 0.6), (2.4, 0.9), (2.8, 0.7), (12.0, 0.5), (21.0, 0.8)):
        scores[round(time_s / step_s)] = score
    track = TrackInfo("a", "val", "speech", "as is", "", 30.0, rows)
    view = measure_word("word", [track], lambda *_: scores, timing, EvaluationConfig())
    events = tail_events(view)
    assert expit(events.level[:3]) == pytest.approx([0.9, 0.8, 0.5], abs=1e-4)
    assert events.cluster[0] == events.cluster[1] != events.cluster[2]
    assert events.hours == pytest.approx(view.hours)
    assert sorted(events.cluster_hours / view.hours) == pytest.approx([1 / 3, 2 / 3])
    assert events.source[0] != events.source[1] == events.source[2]
    assert sorted(events.source_hours / view.hours) == pytest.approx([1 / 3, 2 / 3])
