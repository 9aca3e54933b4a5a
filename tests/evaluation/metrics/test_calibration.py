"""Probability maps with known answers, and figures on probabilities that hold or do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit, logit

from wakeword.errors import DataError
from wakeword.evaluation.metrics.calibration import (
    ScoredClips,
    calibrate,
    fit_probability_map,
    stretch_scores,
    word_scores,
)
from wakeword.evaluation.metrics.threshold_curve import HitWindow, Truth, track_peaks
from wakeword.evaluation.results import CalibrationFigures, CalibrationResult
from wakeword.evaluation.tracks.plan import TruthRow
from wakeword.runtime.events import EventTiming
from wakeword.runtime.manifest import ProbabilityMap


def drawn(count: int, slope: float = 1.0, offset: float = 0.0, seed: int = 0) -> ScoredClips:
    """Scores of clips that hold the word with probability `sigmoid(slope * logit(score) + offset)`."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0.0, 2.0 / slope, count)
    holds = rng.random(count) < expit(slope * odds + offset)
    return ScoredClips(expit(odds[holds]), expit(odds[~holds]))


def fitted(clips: ScoredClips) -> ProbabilityMap:
    found, reason = fit_probability_map(clips.positive, clips.negative)
    assert found is not None, reason
    return found


def measured(positive: list[float] | np.ndarray, negative: list[float] | np.ndarray) -> CalibrationFigures:
    """Figures of probabilities as they are."""
    test = ScoredClips(np.asarray(positive, dtype=float), np.asarray(negative, dtype=float))
    found = calibrate(ScoredClips(np.zeros(0), np.zeros(0)), test).test_before
    assert found is not None
    return found


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.4, 0.0), (1.0, -1.5), (0.5, 1.0)])
def test_a_known_map_is_recovered(slope: float, offset: float) -> None:
    clips = drawn(20_000, slope, offset)
    found = fitted(clips)
    assert found.slope == pytest.approx(slope, rel=0.05)
    assert found.offset == pytest.approx(offset, abs=0.07)
    assert found.prior == pytest.approx(len(clips.positive) / 20_000)


@pytest.mark.parametrize("count", [60, 2000])
def test_the_map_has_the_highest_likelihood_of_platts_targets(count: int) -> None:
    clips = drawn(count, 0.5, -1.0)
    odds = logit(np.concatenate([clips.positive, clips.negative]))
    yes, no = len(clips.positive), len(clips.negative)
    target = np.repeat([(yes + 1) / (yes + 2), 1 / (no + 2)], [yes, no])

    def loss(line: np.ndarray) -> float:
        value = line[0] * odds + line[1]
        return float(np.mean(np.logaddexp(0, value) - target * value))

    best = minimize(loss, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-14})
    found = fitted(clips)
    assert (found.slope, found.offset) == pytest.approx(tuple(best.x), abs=1e-4)


def test_classes_that_do_not_overlap_and_saturated_scores_stay_finite() -> None:
    found = fitted(ScoredClips(np.ones(50), np.zeros(50)))
    # Platt's targets are the most that 50 clips of each class can say.
    assert found.probability(np.asarray([0.0, 0.5, 1.0])) == pytest.approx([1 / 52, 0.5, 51 / 52], abs=1e-5)


@given(
    positive=st.lists(st.floats(0, 1), min_size=20, max_size=60),
    negative=st.lists(st.floats(0, 1), min_size=20, max_size=60),
)
@settings(deadline=None, max_examples=50)
def test_probabilities_lie_in_0_to_1_and_rise_with_the_score(positive: list[float], negative: list[float]) -> None:
    found, reason = fit_probability_map(positive, negative)
    if found is None:
        assert "not separated by their scores" in reason
        return
    probabilities = found.probability(np.linspace(0, 1, 200))
    assert np.all((probabilities >= 0) & (probabilities <= 1))
    assert np.all(np.diff(probabilities) >= 0)


@given(
    positive=st.lists(st.integers(1, 99).map(lambda n: n / 100), min_size=20, max_size=50),
    negative=st.lists(st.integers(1, 99).map(lambda n: n / 100), min_size=20, max_size=50),
)
@settings(deadline=None, max_examples=50)
def test_mirrored_scores_of_exchanged_classes_give_the_mirrored_map(positive, negative) -> None:
    found, _ = fit_probability_map(positive, negative)
    mirrored, _ = fit_probability_map(1 - np.asarray(negative), 1 - np.asarray(positive))
    assert (found is None) == (mirrored is None) or min(p.slope for p in (found, mirrored) if p) < 1e-3
    if found and mirrored:
        at = np.linspace(0.01, 0.99, 30)
        assert mirrored.probability(1 - at) == pytest.approx(1 - found.probability(at), abs=1e-3)


@pytest.mark.parametrize(
    ("words", "others", "reason"),
    [
        (0, 50, "0 clips of the word and 50 others, 20 of each"),
        (19, 50, "19 clips of the word and 50 others, 20 of each"),
        (50, 0, "50 clips of the word and 0 others, 20 of each"),
    ],
)
def test_too_few_clips_give_no_map_and_say_so(words: int, others: int, reason: str) -> None:
    result = calibrate(ScoredClips(np.full(words, 0.9), np.full(others, 0.1)), drawn(100))
    assert result.probability_map is None
    assert reason in result.reason
    assert result.test_before is not None
    assert result.test_after is None


def test_scores_that_say_the_opposite_give_no_map() -> None:
    clips = drawn(2000)
    found, reason = fit_probability_map(1 - clips.positive, 1 - clips.negative)
    assert found is None
    assert "not separated by their scores" in reason


@pytest.mark.parametrize(("slope", "offset"), [(0.4, 0.0), (1.0, -2.0)])
def test_probabilities_of_test_hold_better_than_scores(slope: float, offset: float) -> None:
    result = calibrate(drawn(3000, slope, offset), drawn(3000, slope, offset, seed=1))
    before, after = result.test_before, result.test_after
    assert before is not None
    assert after is not None
    assert after.ece < before.ece / 2
    assert after.log_loss < before.log_loss
    assert after.brier < before.brier
    assert CalibrationResult.model_validate_json(result.model_dump_json()) == result


def test_another_share_of_words_is_an_offset() -> None:
    """As the docstring of ProbabilityMap says: on test with a tenth of the words, the shifted map holds."""
    found = fitted(drawn(8000, 0.5))
    other = drawn(16_000, 0.5, seed=1)
    kept = other.positive[np.random.default_rng(2).random(len(other.positive)) < 0.1]
    share = len(kept) / (len(kept) + len(other.negative))
    offset = found.offset + logit(share) - logit(found.prior)
    shifted = ProbabilityMap(slope=found.slope, offset=offset, prior=share)
    assert measured(found.probability(kept), found.probability(other.negative)).ece > 0.2
    assert measured(shifted.probability(kept), shifted.probability(other.negative)).ece < 0.02


def test_error_of_one_bin_is_the_distance_of_its_means() -> None:
    found = measured([0.75] * 4, [0.75] * 6)
    assert found.ece == pytest.approx(0.35)
    assert [(part.clips, part.mean, part.share) for part in found.reliability] == [(10, 0.75, 0.4)]
    assert found.brier == pytest.approx(0.4 * 0.0625 + 0.6 * 0.5625)
    assert found.log_loss == pytest.approx(-0.4 * np.log(0.75) - 0.6 * np.log(0.25))


def test_error_is_weighted_by_clips_and_equal_probabilities_share_a_bin() -> None:
    found = measured(np.repeat([0.1, 0.9], [30, 40]), np.repeat([0.1, 0.9], [120, 10]))
    assert found.ece == pytest.approx(0.75 * 0.1 + 0.25 * 0.1)
    assert [(part.clips, part.share) for part in found.reliability] == [(150, 0.2), (50, 0.8)]
    assert (found.clips, found.positives) == (200, 70)


def test_bins_hold_as_many_clips_each_and_are_few_where_clips_are() -> None:
    assert [part.clips for part in measured(np.linspace(0, 1, 1000), []).reliability] == [100] * 10
    assert len(measured(np.linspace(0, 1, 45), []).reliability) == 2
    rng = np.random.default_rng(0)
    given = rng.random(20_000)
    true = rng.random(20_000) < given
    found = measured(given[true], given[~true])
    assert found.ece < 0.015
    assert found.brier == pytest.approx(1 / 6, abs=0.01)


def test_saturated_scores_that_are_wrong_cost_half_a_level_of_rounding() -> None:
    assert measured([0.0], [1.0]).log_loss == pytest.approx(np.log(2**17), rel=1e-6)


@given(st.lists(st.floats(0, 1), max_size=60), st.lists(st.floats(0, 1), min_size=1, max_size=60))
@settings(deadline=None, max_examples=50)
def test_figures_lie_in_their_ranges(positive: list[float], negative: list[float]) -> None:
    found = measured(positive, negative)
    assert 0 <= found.ece <= 1
    assert 0 <= found.brier <= 1
    assert 0 <= found.log_loss <= 12
    assert sum(part.clips for part in found.reliability) == found.clips == len(positive) + len(negative)
    assert sum(part.share * part.clips for part in found.reliability) == pytest.approx(len(positive))
    means = [part.mean for part in found.reliability]
    assert means == sorted(means)


@pytest.mark.parametrize("score", [[0.5, np.nan], [0.5, 1.2], [-0.1, 0.5]])
def test_scores_that_cannot_be_are_refused(score: list[float]) -> None:
    with pytest.raises(DataError, match="0, 1"):
        ScoredClips(np.asarray(score), np.zeros(0))


def test_scores_of_words_and_stretches_are_their_highest_smoothed_peaks() -> None:
    timing = EventTiming.from_seconds(0.02, 0.02, 0.1, 1.0)
    scores = np.zeros(500)
    scores[[100, 110, 200, 400]] = 0.5, 0.75, 0.25, 0.875
    peaks = track_peaks(scores, Truth.of([(1.5, 2.0), (6.0, 6.5)]), HitWindow(0.2, 1.0), timing)
    assert word_scores(peaks).tolist() == [0.75, 0.0]
    assert word_scores(peaks, without=-np.inf).tolist() == [0.75, -np.inf]
    rows = [TruthRow("t", "clip", "", start, end, "s", "c", "as is", "x", "speech") for start, end in ((3, 5), (5, 7))]
    assert stretch_scores(peaks, rows).tolist() == [0.25, 0.0]
    assert stretch_scores(peaks, []).shape == (0,)
