"""Intervals against published values, SciPy and their own promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from wakeword.evaluation.statistics.intervals import (
    hours_needed,
    poisson_interval,
    speaker_bootstrap,
    speaker_wilson,
    wilson,
)


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0, 3.689), (1, 0.0253, 5.572), (3, 0.619, 8.767), (10, 4.795, 18.39), (100, 81.36, 121.6)],
)
def test_garwood_has_the_published_values(count, low, high) -> None:
    interval = poisson_interval(count, 1.0)
    assert interval.low == pytest.approx(low, rel=2e-3)
    assert interval.high == pytest.approx(high, rel=2e-3)
    tenth = poisson_interval(count, 10.0)
    assert tenth.high == pytest.approx(interval.high / 10)


def test_garwood_bounds_are_where_the_tails_hold_half_the_rest() -> None:
    for count in (1, 4, 17):
        low, high = poisson_interval(count, 2.5, 0.9)
        assert stats.poisson.sf(count - 1, low * 2.5) == pytest.approx(0.05)
        assert stats.poisson.cdf(count, high * 2.5) == pytest.approx(0.05)


@pytest.mark.parametrize(("rate", "count", "hours"), [(1, 0, 3.0), (0.5, 1, 9.5), (0.1, 2, 63), (0.05, 0, 60)])
def test_hours_needed_has_the_published_values(rate, count, hours) -> None:
    assert hours_needed(rate, count) == pytest.approx(hours, rel=0.01)


def test_wilson_is_scipys() -> None:
    for count, total in [(0, 5), (3, 97), (50, 100), (9, 9)]:
        for confidence in (0.9, 0.95):
            expected = stats.binomtest(count, total).proportion_ci(confidence, method="wilson")
            assert wilson(count, total, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_what_has_no_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="hours"):
        poisson_interval(0, 0.0)
    with pytest.raises(ValueError, match="rate"):
        hours_needed(0.0)
    with pytest.raises(ValueError, match="share"):
        wilson(1, 0)


def test_speaker_bootstrap_is_wider_than_wilson_when_misses_come_by_speaker() -> None:
    speakers = np.repeat([f"s{i}" for i in range(20)], 20)
    by_speaker = np.repeat(np.arange(20) < 4, 20)
    spread = np.random.default_rng(0).permutation(by_speaker)
    clustered, loose = speaker_bootstrap(by_speaker, speakers), speaker_bootstrap(spread, speakers)
    plain = wilson(80, 400)
    assert clustered is not None
    assert loose is not None
    assert clustered.high - clustered.low > 3 * (plain.high - plain.low)
    assert loose.high - loose.low == pytest.approx(plain.high - plain.low, rel=0.4)
    assert clustered.low < 0.2 < clustered.high


def test_speaker_bootstrap_is_silent_where_it_knows_nothing() -> None:
    assert speaker_bootstrap([False, False], ["a", "b"]) is None
    assert speaker_bootstrap([True, False], ["a", "a"]) is None


def test_speaker_bootstrap_covers_the_true_rate() -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        rates = rng.beta(1, 9, size=60)  # speakers differ: true mean 0.1
        missed = rng.random((60, 8)) < rates[:, None]
        interval = speaker_bootstrap(missed.ravel(), np.repeat(np.arange(60).astype(str), 8), seed=trial)
        covered += interval is not None and interval.low <= 0.1 <= interval.high
    assert 0.88 <= covered / 200 <= 0.99


def test_speaker_wilson_is_wilsons_at_the_effective_sample_size() -> None:
    speakers = np.repeat([f"s{i}" for i in range(20)], 20)
    by_speaker = np.repeat(np.arange(20) < 4, 20)
    # All of a speaker's words go the same way: 400 words are equivalent to 19, with t in place of z.
    effective = 19 * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 19)) ** 2
    low, high = speaker_wilson(by_speaker, speakers)
    z = stats.norm.ppf(0.975)
    assert low + high == pytest.approx(2 * (0.2 + z * z / (2 * effective)) / (1 + z * z / effective))
    even = np.tile([True, False, False, False, False], 80)
    assert speaker_wilson(even, speakers) == wilson(80, 400)
    assert speaker_wilson(np.zeros(400, dtype=bool), speakers) == wilson(0, 400)
    assert speaker_wilson([True, False], ["a", "a"]) is None
    wide = speaker_wilson(by_speaker, speakers, 0.99)
    assert wide.low < low < high < wide.high


def test_speaker_wilson_covers_where_the_bootstrap_does_not() -> None:
    rng = np.random.default_rng(2)
    covered = {"wilson": 0, "bootstrap": 0}
    speakers = np.repeat(np.arange(25).astype(str), 6)
    for trial in range(500):
        rates = rng.beta(0.05 * 19, 0.95 * 19, size=25)  # true mean 0.05, correlation within a speaker 0.05
        missed = (rng.random((25, 6)) < rates[:, None]).ravel()
        low, high = speaker_wilson(missed, speakers)
        covered["wilson"] += low <= 0.05 <= high
        drawn = speaker_bootstrap(missed, speakers, seed=trial)
        covered["bootstrap"] += drawn is not None and drawn.low <= 0.05 <= drawn.high
    assert 0.93 <= covered["wilson"] / 500 <= 0.98
    assert covered["bootstrap"] < covered["wilson"]
