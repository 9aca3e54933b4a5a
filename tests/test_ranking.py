"""Ranking figures against values worked out by hand and against counting over all pairs and thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakeword.ranking import brier_score, equal_error_rate, log_loss, partial_auc, roc_auc, roc_curve

# Whole numbers over few or many levels: ties within and between the kinds, and scores saturated at 0 and 1.
clip_scores = st.sampled_from([1, 4, 1000]).flatmap(
    lambda levels: st.tuples(
        *[st.lists(st.integers(0, levels).map(lambda n: n / levels), min_size=1, max_size=most) for most in (60, 90)]
    )
)


def counted(good: list[float], bad: list[float]) -> list[tuple[float, float]]:
    """Points (FPR, TPR) from no clip above the threshold to all of them, counted one by one."""
    levels = [np.inf, *sorted({*good, *bad}, reverse=True)]
    return [tuple(sum(s >= level for s in part) / len(part) for part in (bad, good)) for level in levels]


@settings(max_examples=60, deadline=None)
@given(clip_scores)
def test_curve_and_area_are_those_of_counting(scores) -> None:
    good, bad = scores
    np.testing.assert_allclose(np.transpose(roc_curve(good, bad)), counted(good, bad), atol=1e-12)
    wins = [1.0 if g > b else 0.5 if g == b else 0.0 for g in good for b in bad]
    assert roc_auc(good, bad) == pytest.approx(np.mean(wins), abs=1e-12)
    assert partial_auc(good, bad, 1.0) == roc_auc(good, bad)


@settings(max_examples=60, deadline=None)
@given(clip_scores, st.sampled_from([0.01, 0.1, 0.5]))
def test_partial_area_is_mcclishs_of_the_trapezoids_up_to_the_limit(scores, limit) -> None:
    fpr, tpr = np.transpose(counted(*scores))
    at = np.append(fpr[fpr <= limit], limit)
    # A vertical stretch of the curve at the limit itself has its top there.
    heights = np.append(tpr[fpr <= limit], np.interp(limit, fpr, tpr) if limit not in fpr else tpr[fpr <= limit][-1])
    area = np.trapezoid(heights, at)
    expected = (1 + (area - limit**2 / 2) / (limit - limit**2 / 2)) / 2
    assert partial_auc(*scores, limit) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(clip_scores)
def test_equal_error_rate_is_where_the_curve_crosses_the_diagonal(scores) -> None:
    fpr, tpr = np.transpose(counted(*scores))
    gap = (1 - tpr) - fpr
    after = int(np.flatnonzero(gap <= 0)[0])
    expected = np.interp(0.0, [gap[after], gap[after - 1]], [fpr[after], fpr[after - 1]])
    assert equal_error_rate(*scores) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(clip_scores)
def test_figures_depend_on_the_order_alone_and_mirror(scores) -> None:
    good, bad = (np.asarray(part) for part in scores)
    stretched = np.exp(3 * good) - 7, np.exp(3 * bad) - 7
    for figure in (roc_auc, partial_auc, equal_error_rate):
        assert figure(*stretched) == pytest.approx(figure(good, bad), abs=1e-12)
    # Negated scores with the kinds exchanged are the same task; exchanged alone, the opposite one.
    assert roc_auc(-bad, -good) == pytest.approx(roc_auc(good, bad), abs=1e-12)
    assert equal_error_rate(-bad, -good) == pytest.approx(equal_error_rate(good, bad), abs=1e-12)
    assert roc_auc(bad, good) == pytest.approx(1 - roc_auc(good, bad), abs=1e-12)
    assert equal_error_rate(bad, good) == pytest.approx(1 - equal_error_rate(good, bad), abs=1e-12)


def test_known_error_rates() -> None:
    assert equal_error_rate([0.9, 0.8], [0.1, 0.2]) == 0.0
    assert equal_error_rate([0.1, 0.2], [0.8, 0.9]) == 1.0
    assert equal_error_rate([0.5] * 7, [0.5] * 3) == pytest.approx(0.5)
    assert equal_error_rate([0.9, 0.9, 0.9, 0.2], [0.1, 0.1, 0.1, 0.3]) == pytest.approx(0.25)
    # From (1/4, 1/2) to (1/4, 1) the miss rate falls from 1/2 to 0: it is 1/4 half-way, where FPR is 1/4.
    assert equal_error_rate([3, 1], [2, 0, 0, 0]) == pytest.approx(0.25)
    # From (0, 1/3) to (1/2, 2/3): 2/3 - t/3 = t/2 at t = 4/5, so 2/5. The nearest point has 5/12.
    assert equal_error_rate([3, 2, 1], [2, 0]) == pytest.approx(0.4)


def test_known_areas() -> None:
    assert roc_auc([3, 2, 1], [2, 0]) == pytest.approx((2 + 1.5 + 1) / 6)
    # Half the positives above every negative: TPR is 1/2 up to FPR 1/10.
    assert partial_auc([9, 9, -9, -9], list(range(5)), 0.1) == pytest.approx((1 + (0.05 - 0.005) / 0.095) / 2)
    assert partial_auc([9, 9], [0, 1], 0.1) == 1.0


def test_losses_by_hand() -> None:
    assert log_loss([0.8, 0.5], [0.4]) == pytest.approx(-(np.log(0.8) + np.log(0.5) + np.log(0.6)) / 3)
    assert brier_score([0.8, 0.5], [0.4]) == pytest.approx((0.04 + 0.25 + 0.16) / 3)
    assert brier_score([], [0.2, 0.4]) == pytest.approx(0.1)
    assert log_loss([0.5], []) == pytest.approx(np.log(2))


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 0.99), max_size=20), st.lists(st.floats(0.01, 0.99), min_size=1, max_size=20))
def test_losses_mirror(good, bad) -> None:
    for loss in (log_loss, brier_score):
        mirrored = loss(1 - np.asarray(bad), 1 - np.asarray(good))
        assert mirrored == pytest.approx(loss(good, bad), abs=1e-12)
        assert loss(good, bad) >= 0


@pytest.mark.parametrize(("good", "bad"), [([], [0.5]), ([0.5], []), ([], [])])
def test_clips_of_one_kind_have_no_curve(good, bad) -> None:
    for figure in (roc_curve, roc_auc, partial_auc, equal_error_rate):
        with pytest.raises(ValueError, match=f"both kinds, got {len(good)} positive and {len(bad)} negative"):
            figure(good, bad)
    if not good and not bad:
        for loss in (log_loss, brier_score):
            with pytest.raises(ValueError, match="sample"):
                loss(good, bad)


@pytest.mark.parametrize("limit", [0.0, -0.1, 1.1, float("nan")])
def test_a_partial_area_up_to_no_rate_is_refused(limit) -> None:
    with pytest.raises(ValueError, match="max_fpr"):
        partial_auc([0.5], [0.4], limit)


@pytest.mark.parametrize(("good", "bad"), [([np.nan, 0.5], [0.4]), ([0.5], [0.4, np.inf])])
def test_clip_scores_that_are_not_finite_are_refused(good, bad) -> None:
    for figure in (roc_curve, roc_auc, partial_auc, equal_error_rate, log_loss, brier_score):
        with pytest.raises(ValueError, match="NaN or infinite"):
            figure(good, bad)


def test_probabilities_outside_0_to_1_are_refused() -> None:
    for loss in (log_loss, brier_score):
        with pytest.raises(ValueError, match="1"):
            loss([1.2], [0.1])
