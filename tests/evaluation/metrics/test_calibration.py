"""Calibrations with known answers, and figures on probabilities that hold or do not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from wakeword.errors import DataError
from wakeword.evaluation.metrics.calibration import (
    METHODS,
    ScoredClips,
    calibrate,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    stretch_scores,
    word_scores,
)
from wakeword.evaluation.metrics.calibration_results import (
    Calibration,
    CalibrationResult,
    Isotonic,
    Platt,
    Temperature,
    Unchanged,
    log_odds,
    shift_prior,
)
from wakeword.evaluation.metrics.threshold_curve import HitWindow, Truth, track_peaks
from wakeword.evaluation.tracks.plan import TruthRow
from wakeword.runtime.events import EventTiming


def drawn(count: int, temperature: float = 1.0, offset: float = 0.0, seed: int = 0) -> ScoredClips:
    """Scores whose calibrated log odds are `log odds / temperature + offset`, 10 clips a speaker."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0.0, 2.0 * temperature, count)
    positive = rng.random(count) < expit(odds / temperature + offset)
    return ScoredClips(expit(odds), positive, tuple(f"s{place // 10}" for place in range(count)))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_known_temperature_is_recovered(temperature: float) -> None:
    clips = drawn(20_000, temperature)
    assert fit_temperature(clips.score, clips.positive).temperature == pytest.approx(temperature, rel=0.05)


@pytest.mark.parametrize(("temperature", "offset"), [(1.0, -1.5), (2.0, 1.0)])
def test_known_line_is_recovered_and_is_scikit_learns(temperature: float, offset: float) -> None:
    clips = drawn(20_000, temperature, offset)
    line = fit_platt(clips.score, clips.positive)
    assert line.a == pytest.approx(1 / temperature, rel=0.05)
    assert line.b == pytest.approx(offset, abs=0.07)
    other = LogisticRegression(C=1e12).fit(log_odds(clips.score)[:, None], clips.positive)
    assert line.a == pytest.approx(other.coef_[0, 0], rel=0.01)
    assert line.b == pytest.approx(other.intercept_[0], abs=0.01)


def test_isotonic_never_falls_and_follows_any_rising_curve() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(20_000)
    positive = rng.random(20_000) < score**3
    curve = fit_isotonic(score, positive)
    at = np.linspace(0, 1, 501)
    found = curve.probability(at)
    assert np.all(np.diff(found) >= 0)
    assert np.max(np.abs(found - at**3)) < 0.08
    assert found[0] > 0
    assert found[-1] < 1


def test_classes_that_do_not_overlap_stay_finite_and_saturated_scores_do_too() -> None:
    score = np.repeat([0.0, 1.0], 50)
    positive = score == 1
    for name, fit in METHODS.items():
        found = fit(score, positive).probability(np.asarray([0.0, 0.5, 1.0]))
        assert np.all(np.isfinite(found)), name
        if name != "none":
            assert 0 < found[0] < 0.1, name
            assert 0.9 < found[-1] < 1, name


def test_scores_that_say_the_opposite_do_not_turn_the_order_round() -> None:
    clips = drawn(2000)
    line = fit_platt(1 - clips.score, clips.positive)
    assert line.a == 0
    assert line.probability([0.1, 0.9]) == pytest.approx(np.mean(clips.positive), abs=0.01)


@given(
    score=st.lists(st.floats(0, 1), min_size=2, max_size=60),
    seed=st.integers(0, 100),
    name=st.sampled_from(sorted(METHODS)),
    prior=st.floats(0.001, 0.999),
)
@settings(deadline=None)
def test_probabilities_lie_in_0_to_1_and_never_fall(score: list[float], seed: int, name: str, prior: float) -> None:
    values = np.asarray(score)
    positive = np.random.default_rng(seed).random(len(values)) < 0.5
    positive[:2] = True, False
    fitted = Calibration(map=METHODS[name](values, positive), prior=float(positive.mean()))
    at = np.unique(np.concatenate([values, np.linspace(0, 1, 30)]))
    for found in (fitted.probability(at), fitted.probability(at, prior)):
        assert np.all((found >= 0) & (found <= 1))
        assert np.all(np.diff(found) >= -1e-12)
    stored = Calibration.model_validate_json(fitted.model_dump_json())
    assert np.array_equal(stored.probability(at), fitted.probability(at))


def test_prior_is_shifted_as_saerens_has_it() -> None:
    # One in two becomes one in eleven: odds of 4 become odds of 0.4.
    assert shift_prior(0.8, 0.5, 1 / 11) == pytest.approx(0.4 / 1.4)
    given_ = np.linspace(0, 1, 11)
    assert shift_prior(given_, 0.3, 0.3) == pytest.approx(given_)
    assert shift_prior(shift_prior(given_, 0.3, 0.01), 0.01, 0.3) == pytest.approx(given_)
    assert shift_prior([0.0, 1.0], 0.5, 0.001).tolist() == [0.0, 1.0]
    for wrong in ((0.0, 0.5), (0.5, 1.0)):
        with pytest.raises(ValueError, match="inside"):
            shift_prior(0.5, *wrong)


def test_a_shifted_calibration_holds_on_audio_with_fewer_words() -> None:
    val = drawn(8000, 2.0)
    other = drawn(16_000, 2.0, seed=1)
    kept = ~other.positive | (np.random.default_rng(2).random(16_000) < 0.1)
    speakers = tuple(np.asarray(other.speakers)[kept])
    result = calibrate(val, ScoredClips(other.score[kept], other.positive[kept], speakers))
    assert result.test_after is not None
    assert result.test_at_own_prior is not None
    assert result.test_after.ece > 0.2
    assert result.test_at_own_prior.ece < 0.02
    assert result.test_at_own_prior.ece < result.test_at_own_prior.ece_by_chance * 1.5


@pytest.mark.parametrize(("temperature", "offset", "method"), [(2.5, 0.0, "temperature"), (1.0, -2.0, "platt")])
def test_method_is_chosen_by_speakers_that_the_fit_has_not_heard(
    temperature: float, offset: float, method: str
) -> None:
    result = calibrate(drawn(3000, temperature, offset), drawn(3000, temperature, offset, seed=1))
    assert result.calibration is not None
    assert result.cross_validated[method] == pytest.approx(min(result.cross_validated.values()), rel=0.01)
    assert result.cross_validated["none"] > 1.05 * result.cross_validated[method]
    assert result.calibration.map.method in result.reason
    before, after = result.test_before, result.test_after
    assert before is not None
    assert after is not None
    assert after.ece < before.ece / 2
    assert after.log_loss < before.log_loss
    assert after.brier < before.brier
    assert result.val_after is not None
    assert CalibrationResult.model_validate_json(result.model_dump_json()) == result


def test_isotonic_is_chosen_where_no_line_fits_and_nothing_where_the_score_is_right() -> None:
    rng = np.random.default_rng(3)
    score = rng.random(6000)
    steps = np.where(score < 0.3, 0.05, np.where(score < 0.9, 0.5, 0.95))
    speakers = tuple(f"s{place // 10}" for place in range(6000))
    stepped = calibrate(ScoredClips(score, rng.random(6000) < steps, speakers), None)
    assert stepped.calibration is not None
    assert isinstance(stepped.calibration.map, Isotonic)
    assert stepped.test_before is None
    right = calibrate(drawn(3000), drawn(3000, seed=1))
    assert right.cross_validated["none"] <= 1.001 * min(right.cross_validated.values())


def test_speaker_who_is_alone_in_a_class_leaves_nothing_to_compare_methods_by() -> None:
    clips = drawn(400)
    one_voice = tuple("one" if positive else "other" for positive in clips.positive)
    result = calibrate(ScoredClips(clips.score, clips.positive, one_voice), None)
    assert result.calibration is not None
    assert isinstance(result.calibration.map, Temperature)
    assert "too few speakers" in result.reason
    assert result.val_after is None


@pytest.mark.parametrize(
    ("words", "others", "reason"),
    [
        (0, 50, "val holds no words, 20"),
        (7, 50, "val holds 7 words, 20"),
        (50, 0, "no negative clips"),
        (0, 0, "no clips"),
    ],
)
def test_too_little_to_calibrate_is_said(words: int, others: int, reason: str) -> None:
    clips = ScoredClips.of(np.full(words, 0.9), np.full(others, 0.1), ["a"] * words, ["b"] * others)
    result = calibrate(clips, drawn(100))
    assert result.calibration is None
    assert reason in result.reason
    assert result.test_before is not None
    assert result.test_after is None
    assert calibrate(None, None).calibration is None


def test_test_audio_without_words_has_figures_but_no_prior_of_its_own() -> None:
    test = ScoredClips.of([], np.linspace(0, 0.4, 60), [], [""] * 60)
    result = calibrate(drawn(1000), test)
    assert result.test_after is not None
    assert result.test_after.positives == 0
    assert result.test_at_own_prior is None


@pytest.mark.parametrize("score", [[0.5, np.nan], [0.5, 1.2], [-0.1, 0.5]])
def test_scores_that_cannot_be_are_refused(score: list[float]) -> None:
    with pytest.raises(DataError, match="0, 1"):
        ScoredClips.of(score, [], ["a", "b"], [])
    with pytest.raises(DataError, match="one score"):
        ScoredClips.of([0.5], [], [], [])


def test_knots_that_fall_are_refused() -> None:
    for scores, probabilities in [((0.1, 0.1), (0.1, 0.2)), ((0.1, 0.2), (0.3, 0.2)), ((0.1,), (0.1, 0.2))]:
        with pytest.raises(ValueError, match="knots"):
            Isotonic(scores=scores, probabilities=probabilities)


def test_maps_are_what_their_formulas_say() -> None:
    assert Temperature(temperature=2.0).probability(0.8) == pytest.approx(expit(logit(0.8) / 2))
    assert Platt(a=0.5, b=-1.0).probability([0.8]) == pytest.approx(expit(0.5 * logit(0.8) - 1))
    assert Isotonic(scores=(0.2, 0.6), probabilities=(0.1, 0.5)).probability([0, 0.4, 1]) == pytest.approx(
        [0.1, 0.3, 0.5]
    )
    assert Unchanged().probability([0.3]).tolist() == [0.3]


def test_scores_of_words_and_stretches_are_their_highest_smoothed_peaks() -> None:
    timing = EventTiming.from_seconds(0.02, 0.02, 0.1, 1.0)
    scores = np.zeros(500)
    scores[[100, 110, 200, 400]] = 0.5, 0.75, 0.25, 0.875
    peaks = track_peaks(scores, Truth.of([(1.5, 2.0), (6.0, 6.5)]), HitWindow(0.2, 1.0), timing)
    assert word_scores(peaks).tolist() == [0.75, 0.0]
    rows = [TruthRow("t", "clip", "", start, end, "s", "c", "as is", "x", "speech") for start, end in ((3, 5), (5, 7))]
    assert stretch_scores(peaks, rows).tolist() == [0.25, 0.0]
    assert stretch_scores(peaks, []).shape == (0,)
