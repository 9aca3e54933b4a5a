"""Two models on the same tracks: exact tests against SciPy's and simulation, refusals, a verdict in words."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats

from tests.evaluation import known
from tests.evaluation.bare import evaluate
from wakeword.config import validate_config
from wakeword.errors import DataError
from wakeword.evaluation.compare import compare, compare_alarms, compare_misses, judge
from wakeword.evaluation.metrics.outcomes import OUTCOMES_NAME


def evaluated(folder, name, gain=1.0, rows=None, **evaluation):
    rows = rows or [r for split in ("val", "test") for r in known.tone_rows(split, 30, 3, ("alpha",))]
    bundle = known.tone_bundle(folder / f"{name}-bundle", ("alpha",), gain)
    data = known.prepared(folder / f"{name}-data", rows)
    settings = {"snr_db": [0.0], "far": False, **evaluation}
    evaluate(bundle, data, validate_config({"words": [{"label": "alpha"}], "evaluation": settings}), folder / name)
    return folder / name


def test_exact_tests_have_the_known_values() -> None:
    missed_a = np.array([True] * 9 + [False] * 51)
    missed_b = np.array([False] * 8 + [True] * 2 + [False] * 50)
    speakers = [f"s{n % 12}" for n in range(60)]
    found = compare_misses("clean", missed_a, missed_b, speakers, 0.95)
    assert (found.only_a_missed, found.only_b_missed) == (8, 1)
    assert found.p_value == pytest.approx(2 * stats.binom.cdf(1, 9, 0.5))
    assert found.difference == pytest.approx(-7 / 60)
    assert found.interval[0] < found.difference < found.interval[1] < 0
    assert compare_alarms(0, 10, 5.0).p_value == pytest.approx(2 / 1024)
    assert compare_alarms(0, 0, 5.0).p_value == 1.0
    same = compare_misses("clean", missed_a, missed_a, speakers, 0.95)
    assert (same.p_value, same.interval) == (1.0, None)


def test_equal_models_seldom_differ_significantly() -> None:
    rng = np.random.default_rng(0)
    speakers, wrong = np.repeat(np.arange(25), 8).astype(str).tolist(), 0
    for _ in range(900):
        rate = np.repeat(rng.beta(1, 9, 25), 8)
        a, b = rng.random(200) < rate, rng.random(200) < rate
        alarms = compare_alarms(int(rng.poisson(6)), int(rng.poisson(6)), 10.0)
        wrong += judge(compare_misses("clean", a, b, speakers, 0.95), alarms, 0.95)[0] != "cannot tell"
    # The true rate is near 3.5 % (exact tests are cautious); 300 rounds would still stray past 5 % by chance.
    assert wrong / 900 <= 0.05


def test_verdicts() -> None:
    speakers = [f"s{n % 20}" for n in range(100)]
    worse, fine = np.arange(100) < 30, np.zeros(100, dtype=bool)
    better = compare_misses("clean", worse, fine, speakers, 0.95)
    back = compare_misses("clean", fine, worse, speakers, 0.95)
    assert judge(better, compare_alarms(2, 3, 10.0), 0.95)[0] == "yes"
    assert judge(back, compare_alarms(2, 3, 10.0), 0.95)[0] == "no"
    mixed = judge(better, compare_alarms(0, 20, 10.0), 0.95)
    assert mixed[0] == "cannot tell"
    assert "better in one and worse in the other" in mixed[1]
    assert "neither" in judge(None, None, 0.95)[1]
    # One speaker carries all the difference: words alone would say yes, speakers do not.
    alone = compare_misses("clean", np.arange(100) < 10, fine, ["x"] * 10 + [f"s{n}" for n in range(90)], 0.95)
    assert alone.p_value < 0.025
    assert judge(alone, None, 0.95)[0] == "cannot tell"


def test_evaluations_are_compared_word_by_word(tmp_path) -> None:
    good, same = evaluated(tmp_path, "good"), evaluated(tmp_path, "same")
    rows = pq.read_table(good / OUTCOMES_NAME).to_pylist()
    assert sum(row["condition"] == "clean" and row["hit"] for row in rows) == 30
    assert all((row["latency_s"] is not None) == row["hit"] for row in rows)
    equal = compare(good, same)
    assert equal.words[0].better == "cannot tell"
    assert equal.words[0].alarms.p_value == 1.0
    deaf = evaluated(tmp_path, "deaf", gain=0.0)
    assert compare(deaf, good).words[0].better == "yes"
    found = compare(good, deaf).words[0]
    assert found.better == "no"
    assert "A misses 0 and B 30 of 30 clean words" in found.verdict


def test_what_cannot_be_compared_is_refused(tmp_path) -> None:
    one = evaluated(tmp_path, "one")
    with pytest.raises(DataError, match="different tracks"):
        compare(one, evaluated(tmp_path, "other", seed=5))
    with pytest.raises(DataError, match="operating_fah"):
        compare(one, evaluated(tmp_path, "target", operating_fah=5.0))
    with pytest.raises(DataError, match="wakeword evaluate"):
        compare(one, tmp_path / "absent")
    (one / OUTCOMES_NAME).unlink()
    with pytest.raises(DataError, match=r"outcomes\.parquet cannot be read"):
        compare(one, one)
