"""Tests of parts against the rest: known p values, and their promise under what speakers do to words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from wakeword.evaluation.statistics.intervals import design_effect, speaker_wilson, wilson
from wakeword.evaluation.statistics.significance import alarms_more, effective_counts, holm, misses_more


def test_fishers_exact_test_of_the_lady_who_tastes_tea() -> None:
    assert misses_more((3, 4), (1, 4)) == pytest.approx(17 / 70)
    assert misses_more((4, 4), (0, 4)) == pytest.approx(1 / 70)
    assert misses_more((0, 10), (5, 10)) == 1.0


def test_rates_are_compared_by_the_binomial() -> None:
    # All of 5 alarms in one of two equal parts: one in 2**5.
    assert alarms_more((5, 2.0), (0, 2.0)) == pytest.approx(1 / 32)
    assert alarms_more((5, 3.0), (0, 1.0)) == pytest.approx(0.75**5)
    assert alarms_more((0, 1.0), (7, 1.0)) == 1.0
    assert alarms_more((0, 1.0), (0, 1.0)) == 1.0


def test_holms_correction_is_the_published_one() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert holm([]).shape == (0,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_lies_between_the_p_value_and_bonferroni_and_keeps_the_order(values: list[float]) -> None:
    found = holm(values)
    assert np.all(found >= np.asarray(values) - 1e-15)
    assert np.all(found <= np.minimum(1, np.asarray(values) * len(values)) + 1e-15)
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(found[order]) >= 0)


def test_design_effect_is_1_for_loose_words_and_all_of_a_speakers_where_they_go_one_way() -> None:
    speakers = np.repeat([f"s{place}" for place in range(20)], 20)
    assert design_effect(np.tile([True, False, False, False, False], 80), speakers) == 1
    alike = np.repeat(np.arange(20) < 4, 20)
    assert design_effect(alike, speakers) == pytest.approx(20 * 20 / 19)
    assert design_effect(np.zeros(400, dtype=bool), speakers) == 1
    assert design_effect([True, False], ["a", "a"]) == 1
    assert design_effect([], []) == 1


def test_effective_counts_are_those_of_speaker_wilson() -> None:
    speakers = np.repeat([f"s{place}" for place in range(20)], 20)
    alike = np.repeat(np.arange(20) < 4, 20)
    missed, words = effective_counts(alike, speakers)
    exact = 19 * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, 19)) ** 2
    assert words == round(exact)
    assert missed == round(0.2 * words)
    by_speaker = speaker_wilson(alike, speakers)
    assert by_speaker is not None
    assert wilson(missed, words) == pytest.approx(by_speaker, abs=0.03)
    assert effective_counts(np.zeros(30, dtype=bool), ["a", "b", "c"] * 10) == (0, 30)


def test_equal_groups_are_called_worse_no_more_often_than_promised_though_speakers_differ() -> None:
    rng = np.random.default_rng(0)
    plain = heeding = 0
    for _ in range(400):
        rates = rng.beta(0.15 * 4, 0.85 * 4, size=40)  # the same for both groups; speakers differ much
        missed = (rng.random((40, 10)) < rates[:, None]).ravel()
        speakers = np.repeat(np.arange(40).astype(str), 10)
        part, rest = slice(0, 150), slice(150, 400)
        heeding += (
            misses_more(effective_counts(missed[part], speakers[part]), effective_counts(missed[rest], speakers[rest]))
            <= 0.05
        )
        plain += misses_more((int(missed[part].sum()), 150), (int(missed[rest].sum()), 250)) <= 0.05
    assert heeding / 400 <= 0.05
    assert plain / 400 > 0.08
