"""Calibration error, Brier score and log loss on probabilities with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from wakeword.evaluation.statistics.intervals import wilson
from wakeword.evaluation.statistics.reliability import brier_score, equal_mass_bins, figures, groups_of, log_loss


def test_losses_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    said, true = rng.random(500), rng.random(500) < 0.3
    assert log_loss(said, true) == pytest.approx(sklearn_log_loss(true, said))
    assert brier_score(said, true) == pytest.approx(brier_score_loss(true, said))
    assert log_loss([0.0, 1.0], [True, False]) == pytest.approx(np.log(2**17), rel=1e-6)


def test_perfectly_calibrated_probabilities_have_next_to_no_error() -> None:
    rng = np.random.default_rng(0)
    said = rng.random(20_000)
    found = figures(said, rng.random(20_000) < said, [f"s{place // 10}" for place in range(20_000)])
    assert found.ece < 0.015
    assert found.ece < 1.3 * found.ece_by_chance
    assert found.ece_interval is not None
    assert found.ece_interval[0] < 0.004
    assert found.brier == pytest.approx(1 / 6, abs=0.01)


def test_error_of_one_bin_is_the_distance_of_its_means() -> None:
    found = figures(np.full(10, 0.75), np.arange(10) < 4, ["a"] * 10)
    assert found.ece == pytest.approx(0.35)
    assert found.ece_interval is None
    (only,) = found.reliability
    assert (only.clips, only.positives, only.share) == (10, 4, 0.4)
    assert only.wilson == wilson(4, 10)
    assert found.prior == 0.4


def test_error_is_weighted_by_clips_and_the_table_adds_up() -> None:
    said = np.concatenate([np.full(150, 0.1), np.full(50, 0.9)])
    true = np.concatenate([np.arange(150) < 30, np.arange(50) < 40])
    found = figures(said, true, [""] * 200)
    assert found.ece == pytest.approx(0.75 * 0.1 + 0.25 * 0.1)
    assert [part.clips for part in found.reliability] == [150, 50]
    assert [part.share for part in found.reliability] == [0.2, 0.8]
    assert sum(part.positives for part in found.reliability) == found.positives == 70


def test_equal_probabilities_share_a_bin_whatever_their_order() -> None:
    said = np.repeat([0.0, 0.3, 1.0], [500, 40, 60])
    shuffled = np.random.default_rng(0).permutation(600)
    place = equal_mass_bins(said)
    assert np.array_equal(equal_mass_bins(said[shuffled]), place[shuffled])
    assert [len(np.unique(place[said == value])) for value in (0.0, 0.3, 1.0)] == [1, 1, 1]
    assert np.bincount(equal_mass_bins(np.linspace(0, 1, 1000))).tolist() == [100] * 10
    assert len(np.unique(equal_mass_bins(np.linspace(0, 1, 45)))) == 2


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=100), st.integers(1, 5))
@settings(deadline=None, max_examples=50)
def test_figures_lie_in_their_ranges(clips: list[tuple[float, bool]], people: int) -> None:
    said, true = np.asarray([clip[0] for clip in clips]), np.asarray([clip[1] for clip in clips])
    found = figures(said, true, [f"s{place % people}" for place in range(len(clips))])
    assert 0 <= found.ece <= 1
    assert 0 <= found.brier <= 1
    assert 0 <= found.log_loss <= 12
    assert 0 <= found.ece_by_chance <= 1
    assert sum(part.clips for part in found.reliability) == len(clips)
    means = [part.mean for part in found.reliability]
    assert means == sorted(means)
    assert all(part.wilson[0] <= part.share <= part.wilson[1] for part in found.reliability)
    if found.ece_interval is not None:
        assert 0 <= found.ece_interval[0] <= found.ece_interval[1]


def test_interval_covers_the_true_error_and_speakers_widen_it() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for trial in range(60):
        said = rng.random(1000)
        true = rng.random(1000) < 0.2 + 0.6 * said  # true error: mean of |0.2 - 0.4 p|, which is 0.1
        found = figures(said, true, [f"s{place // 5}" for place in range(1000)], seed=trial)
        assert found.ece_interval is not None
        covered += found.ece_interval[0] <= 0.1 <= found.ece_interval[1]
    assert covered >= 52
    people = np.repeat(np.arange(100), 10)
    said = 0.7 + 0.01 * rng.random(1000)
    alike = figures(said, np.repeat(rng.random(100) < 0.5, 10), people)  # each speaker's clips all go the same way
    loose = figures(said, rng.random(1000) < 0.5, people)
    assert alike.ece_interval is not None
    assert loose.ece_interval is not None
    assert alike.ece_interval[1] - alike.ece_interval[0] > 2 * (loose.ece_interval[1] - loose.ece_interval[0])


def test_clips_without_a_speaker_stand_for_themselves() -> None:
    group = groups_of(["a", "", "b", "a", ""])
    assert group[0] == group[3]
    assert len(np.unique(group)) == 4


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(ValueError, match="each clip"):
        figures([], [], [])
    with pytest.raises(ValueError, match="each clip"):
        figures([0.5], [True], [])
